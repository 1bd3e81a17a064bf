//! Bad values, one and more for every field: the schema or a template refuses each, in a text that names the field.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::common::installed::{NAMESPACE, chart};
use crate::harness::stories;
use crate::lab::Lab;
use crate::lab::tools::Outcome;
use crate::spec::values::{Entry, entries};

stories!(every_key_of_the_values_is_known, every_type_of_the_values_is_checked, values_that_cannot_work_are_refused);

/// A value of the wrong type is refused for every field there is.
async fn every_type_of_the_values_is_checked(lab: &Lab) -> Result<()> {
    let entries = entries(Path::new(env!("CARGO_MANIFEST_DIR"))).map_err(anyhow::Error::msg)?;
    let mut values = json!({});
    for entry in leaves(&entries) {
        set(&mut values, &entry.path, wrong_type(&entry.default));
    }
    let done = render(lab, &values).await?;
    for entry in leaves(&entries) {
        let pointer = pointer(&entry.path);
        ensure!(
            done.stderr.contains(&format!("at '{pointer}'")),
            "nothing says that {pointer} is wrong: {}",
            done.stderr
        );
    }
    ensure!(!done.succeeded(), "{done:?}");
    Ok(())
}

/// A key that does not exist is refused in every map but those that hold whatever a user puts there.
async fn every_key_of_the_values_is_known(lab: &Lab) -> Result<()> {
    let schema = std::fs::read_to_string(chart().join("values.schema.json"))?;
    let schema: Value = serde_json::from_str(&schema)?;
    let mut maps = Vec::new();
    closed_maps(&schema, &mut Vec::new(), &mut maps);
    ensure!(maps.len() > 15, "only {} maps were found in the schema", maps.len());
    let mut values = json!({});
    for map in &maps {
        set(&mut values, &[map.as_slice(), &["tpyo".to_owned()]].concat(), json!(1));
    }
    let done = render(lab, &values).await?;
    for map in &maps {
        let pointer = pointer(map);
        let says = format!("at '{pointer}': additional properties 'tpyo' not allowed");
        ensure!(!done.succeeded() && done.stderr.contains(&says), "a typo in {pointer:?} passes: {}", done.stderr);
    }
    Ok(())
}

/// Values of the right type that cannot work.
async fn values_that_cannot_work_are_refused(lab: &Lab) -> Result<()> {
    for (values, says) in CANNOT_WORK {
        let values: Value = serde_saphyr::from_str(values).with_context(|| values.to_owned())?;
        let done = render(lab, &values).await?;
        ensure!(!done.succeeded() && done.stderr.contains(says), "{values} exits with {}: {}", done.code, done.stderr);
    }
    Ok(())
}

/// What is refused, and how the text names it.
const CANNOT_WORK: &[(&str, &str)] = &[
    ("global: {imageRegistry: 'https://registry.example.com'}", "/global/imageRegistry"),
    ("global: {imagePullSecrets: [{}]}", "/global/imagePullSecrets/0"),
    ("global: {imagePullSecrets: [{name: ''}]}", "/global/imagePullSecrets/0/name"),
    ("global: {commonLabels: {helm.sh/chart: x}}", "global.commonLabels has the key \"helm.sh/chart\""),
    ("global: {commonLabels: {singleton-guard.io/singleton: 'true'}}", "global.commonLabels has the key"),
    ("image: {repository: ''}", "/image/repository"),
    ("image: {repository: 'Registry Example'}", "/image/repository"),
    ("image: {tag: 'a b'}", "/image/tag"),
    ("image: {digest: 'sha1:00'}", "/image/digest"),
    ("image: {pullPolicy: Sometimes}", "/image/pullPolicy"),
    ("nameOverride: a/b", "nameOverride is \"a/b\""),
    ("fullnameOverride: 1st", "fullnameOverride"),
    ("replicaCount: 0", "replicaCount is 0"),
    ("customKinds: [{group: a.b, version: v1, resource: as, kind: a}]", "/customKinds/0/kind"),
    (
        "customKinds: [{group: a.b, version: v1, resource: as, kind: A, replicasPath: spec.x}]",
        "/customKinds/0/replicasPath",
    ),
    ("customKinds: [{group: a.b, version: v1, resource: as}]", "/customKinds/0"),
    (
        "customKinds: [{group: a.b, version: v1, resource: as, kind: A}, {group: a.b, version: v2, resource: as, kind: B}]",
        "customKinds has \"as.a.b\" twice",
    ),
    ("customKinds: [{group: apps, version: v1, resource: deployments, kind: D}]", "/customKinds/0/group"),
    ("replicaCount: -1", "/replicaCount"),
    ("replicaCount: 1.5", "/replicaCount"),
    ("mark: {key: Not A Key}", "mark.key is \"Not A Key\""),
    ("mark: {key: ''}", "mark.key is \"\""),
    ("exemptNamespaces: [Kube_System]", "exemptNamespaces has \"Kube_System\""),
    ("exemptNamespaces: [singleton-guard]", "it is in exemptNamespaces"),
    ("warnNamespaces: [Pay]", "warnNamespaces has \"Pay\""),
    ("warnNamespaces: [kube-system]", "warnNamespaces has \"kube-system\", which is in exemptNamespaces too"),
    ("warnNamespaces: [singleton-guard]", "it is in warnNamespaces"),
    ("release: never", "/release"),
    ("autoscalers: maybe", "/autoscalers"),
    ("strict: {nodeUsers: [{node: a}]}", "/strict/nodeUsers/0"),
    ("strict: {nodeUsers: [{user: a}, {}]}", "strict.nodeUsers[1] must have a user or a group"),
    ("strict: {nodeUsers: [{user: a, group: 'system:serviceaccounts:b'}]}", "strict.nodeUsers[0] must have a user or"),
    (
        "strict: {nodeUsers: [{user: 'system:serviceaccount:vk:*'}]}",
        "strict.nodeUsers[0].user is \"system:serviceaccount:vk:*\", which is no ServiceAccount",
    ),
    ("strict: {nodeUsers: [{user: 'virtual-*'}]}", "\"virtual-*\", which is not the whole name of a user"),
    ("strict: {nodeUsers: [{user: ''}]}", "strict.nodeUsers[0].user is \"\", which is not the whole name of a user"),
    ("strict: {nodeUsers: [{user: \"a\\tb\"}]}", "which is not the whole name of a user"),
    ("strict: {nodeUsers: [{user: 'system:masters'}]}", "\"system:masters\", which is a group"),
    ("strict: {nodeUsers: [{user: 'system:serviceaccounts:vk'}]}", "\"system:serviceaccounts:vk\", which is a group"),
    ("strict: {nodeUsers: [{user: 'system:anonymous'}]}", "which is everybody without credentials"),
    ("strict: {nodeUsers: [{user: 'system:node:worker-1'}]}", "which is the user of a kubelet"),
    (
        "strict: {nodeUsers: [{group: 'system:authenticated'}]}",
        "strict.nodeUsers[0].group is \"system:authenticated\", which is not the ServiceAccounts of one namespace: right is system:serviceaccounts:NAMESPACE",
    ),
    ("strict: {nodeUsers: [{group: 'system:serviceaccounts'}]}", "\"system:serviceaccounts\", which is not"),
    ("strict: {nodeUsers: [{group: 'system:serviceaccounts:'}]}", "\"system:serviceaccounts:\", which is not"),
    ("strict: {nodeUsers: [{group: 'system:masters'}]}", "\"system:masters\", which is not"),
    ("strict: {nodeUsers: [{user: a, nodeNamePrefixes: []}]}", "/strict/nodeUsers/0/nodeNamePrefixes"),
    ("strict: {nodeUsers: [{user: a, nodeNamePrefixes: ['']}]}", "/strict/nodeUsers/0/nodeNamePrefixes/0"),
    ("strict: {nodeUsers: [{user: a, nodeNamePrefixes: ['kwok-*']}]}", "nodeNamePrefixes has \"kwok-*\""),
    ("events: {denials: often}", "/events/denials"),
    ("events: {includeUsers: people}", "/events/includeUsers"),
    ("companions: {disruption: maybe}", "/companions/disruption"),
    ("companions: {block: never}", "/companions/block"),
    ("companions: {foreignNames: true}", "/companions/foreignNames"),
    ("companions: {disruption: block, block: deny}", "companions.disruption is block, which companions.block denies"),
    ("companions: {consentWindowMax: 1d}", "/companions/consentWindowMax"),
    ("companions: {consentWindowMax: 745h}", "companions.consentWindowMax is \"745h\""),
    ("companions: {consentWindowMax: 44641m}", "companions.consentWindowMax is \"44641m\""),
    ("tls: {selfManaged: {certificateLife: 5s}}", "tls.selfManaged.certificateLife is \"5s\""),
    ("tls: {selfManaged: {certificateLife: 3651d}}", "tls.selfManaged.certificateLife is \"3651d\""),
    ("tls: {selfManaged: {certificateLife: 1h, authorityLife: 239m}}", "tls.selfManaged.authorityLife is \"239m\""),
    ("tls: {selfManaged: {authorityLife: 36501d}}", "tls.selfManaged.authorityLife is \"36501d\""),
    ("webhook: {port: 443}", "/webhook/port"),
    ("webhook: {port: 8080}", "webhook.port and operationsPort are both 8080"),
    ("operationsPort: 80", "/operationsPort"),
    ("hostNetwork: true", "webhook.port is 10250, which the kubelet of every node has"),
    ("dnsPolicy: Maybe", "/dnsPolicy"),
    ("service: {ipFamilyPolicy: Both}", "/service/ipFamilyPolicy"),
    ("namespaceOverride: Guard", "/namespaceOverride"),
    ("namespaceOverride: kube-system", "singleton-guard cannot be installed into \"kube-system\""),
    ("revisionHistoryLimit: -1", "/revisionHistoryLimit"),
    ("podSecurityContext: {runAsUsr: 1}", "/podSecurityContext"),
    ("securityContext: {privileged: maybe}", "/securityContext/privileged"),
    ("extraVolumes: [{emptyDir: {}}]", "/extraVolumes/0"),
    ("extraVolumes: [{name: certificate, emptyDir: {}}]", "extraVolumes has the name \"certificate\""),
    ("extraVolumeMounts: [{name: ca, mountPath: ca}]", "/extraVolumeMounts/0/mountPath"),
    ("extraObjects: [{kind: Secret, metadata: {name: x}}]", "/extraObjects/0"),
    ("global: {commonAnnotations: {helm.sh/hook: test}}", "global.commonAnnotations has the key \"helm.sh/hook\""),
    ("metrics: {serviceMonitor: {scrapeTimeout: 1m}}", "metrics.serviceMonitor.scrapeTimeout is \"1m\", longer than"),
    ("metrics: {podMonitor: {scrapeTimeout: 30001ms}}", "metrics.podMonitor.scrapeTimeout is \"30001ms\", longer than"),
    ("metrics: {serviceMonitor: {relabelings: [{sourceLabel: a}]}}", "/metrics/serviceMonitor/relabelings/0"),
    ("metrics: {prometheusRule: {enabled: true, disabled: [Down]}}", "has \"Down\", which is no alert of this chart"),
    ("metrics: {prometheusRule: {runbookBaseUrl: docs}}", "/metrics/prometheusRule/runbookBaseUrl"),
    ("webhook: {port: 65536}", "/webhook/port"),
    ("webhook: {timeoutSeconds: 0}", "/webhook/timeoutSeconds"),
    ("webhook: {timeoutSeconds: 11}", "/webhook/timeoutSeconds"),
    ("webhook: {failurePolicy: Maybe}", "/webhook/failurePolicy"),
    ("webhook: {url: 'http://guard.example.com'}", "webhook.url is \"http://guard.example.com\""),
    ("webhook: {url: 'https://guard.example.com/path'}", "webhook.url is \"https://guard.example.com/path\""),
    ("tls: {mode: none}", "/tls/mode"),
    ("tls: {selfManaged: {certificateLife: 1y}}", "/tls/selfManaged/certificateLife"),
    ("tls: {selfManaged: {authorityLife: 0d}}", "/tls/selfManaged/authorityLife"),
    ("tls: {certManager: {issuerRef: {name: platform}}}", "tls.certManager.issuerRef is set, but tls.mode is"),
    ("tls: {mode: cert-manager, certManager: {issuerRef: {kind: Issuer}}}", "tls.certManager.issuerRef has no name"),
    ("tls: {mode: cert-manager, certManager: {duration: 90d}}", "/tls/certManager/duration"),
    ("tls: {provided: {secretName: guard-tls}}", "tls.provided.secretName is set, but tls.mode is"),
    ("tls: {mode: cert-manager, provided: {caBundle: x}}", "tls.provided.caBundle is set, but tls.mode is"),
    ("tls: {mode: provided}", "tls.provided.secretName is empty"),
    ("tls: {mode: provided, provided: {secretName: guard-tls}}", "tls.provided.caBundle is empty"),
    (
        "tls: {mode: provided, provided: {secretName: guard-tls, caBundle: hello}}",
        "tls.provided.caBundle holds no certificate",
    ),
    (
        "tls: {mode: provided, provided: {secretName: guard-tls, caBundle: '-----BEGIN PRIVATE KEY-----'}}",
        "tls.provided.caBundle holds a private key",
    ),
    ("log: {format: xml}", "/log/format"),
    ("log: {level: loud}", "/log/level"),
    ("metrics: {serviceMonitor: {enabled: true}, podMonitor: {enabled: true}}", "metrics.podMonitor.enabled"),
    ("metrics: {serviceMonitor: {interval: often}}", "/metrics/serviceMonitor/interval"),
    ("metrics: {podMonitor: {interval: '30'}}", "/metrics/podMonitor/interval"),
    ("metrics: {serviceMonitor: {labels: {helm.sh/chart: x}}}", "metrics.serviceMonitor.labels has the key"),
    ("metrics: {podMonitor: {labels: {helm.sh/chart: x}}}", "metrics.podMonitor.labels has the key"),
    ("metrics: {prometheusRule: {labels: {helm.sh/chart: x}}}", "metrics.prometheusRule.labels has the key"),
    ("metrics: {grafanaDashboard: {labels: {helm.sh/chart: x}}}", "metrics.grafanaDashboard.labels has the key"),
    ("networkPolicy: {metricsFrom: [{}]}", "/networkPolicy/metricsFrom/0"),
    ("networkPolicy: {metricsFrom: [{ipBlock: {}}]}", "/networkPolicy/metricsFrom/0/ipBlock"),
    ("networkPolicy: {apiServerPorts: []}", "networkPolicy.apiServerPorts is empty"),
    ("networkPolicy: {apiServerPorts: [0]}", "/networkPolicy/apiServerPorts/0"),
    ("startupCheck: {timeoutSeconds: 0}", "/startupCheck/timeoutSeconds"),
    ("drainSeconds: -1", "/drainSeconds"),
    ("drainSeconds: 301", "/drainSeconds"),
    ("resources: {requests: {cpus: 1}}", "/resources/requests"),
    ("resources: {limits: {memory: 1 GB}}", "/resources/limits/memory"),
    ("serviceAccount: {create: false}", "serviceAccount.name is empty"),
    ("serviceAccount: {name: Guard}", "/serviceAccount/name"),
    ("podDisruptionBudget: {maxUnavailable: 0}", "/podDisruptionBudget/maxUnavailable"),
    ("podDisruptionBudget: {maxUnavailable: 0%}", "/podDisruptionBudget/maxUnavailable"),
    ("priorityClassName: Very High", "/priorityClassName"),
    ("tolerations: [{operator: Is}]", "/tolerations/0/operator"),
    ("topologySpreadConstraints: [{maxSkew: 1}]", "/topologySpreadConstraints/0"),
    ("affinity: {nodes: {}}", "/affinity"),
    ("podLabels: {app.kubernetes.io/name: x}", "podLabels has the key \"app.kubernetes.io/name\""),
    ("extraArgs: ['']", "/extraArgs/0"),
    ("extraEnv: [{value: x}]", "/extraEnv/0"),
    ("extraEnv: [{name: X, valeu: x}]", "/extraEnv/0"),
];

/// The fields that hold no other field.
fn leaves(entries: &[Entry]) -> impl Iterator<Item = &Entry> {
    let inner = |entry: &Entry| {
        entries.iter().any(|other| other.path.len() > entry.path.len() && other.path.starts_with(&entry.path))
    };
    entries.iter().filter(move |entry| !inner(entry))
}

fn wrong_type(default: &Value) -> Value {
    match default {
        Value::String(_) => json!([1]),
        _ => json!("neither this nor that"),
    }
}

fn set(values: &mut Value, path: &[String], value: Value) {
    let mut place = values;
    for key in path {
        place = &mut place[key];
    }
    *place = value;
}

/// A path as the schema's messages write it (RFC 6901).
fn pointer(path: &[String]) -> String {
    path.iter().fold(String::new(), |pointer, key| pointer + "/" + &key.replace('/', "~1"))
}

/// The paths of the maps that name their keys, and so have to take no other.
fn closed_maps(schema: &Value, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    if schema.get("properties").is_some() {
        found.push(path.clone());
    }
    for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
        path.push(key.clone());
        closed_maps(inner, path, found);
        path.pop();
    }
}

async fn render(lab: &Lab, values: &Value) -> Result<Outcome> {
    let chart = chart().display().to_string();
    let arguments = ["template", "candidate", &chart, "--namespace", NAMESPACE, "--values", "-"];
    lab.helm_with_input(&arguments, &values.to_string()).await
}
