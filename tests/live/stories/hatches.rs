//! The chart's values for what a platform has rules about: each reaches the objects that it is about, and no two renders
//! differ.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::common::installed::chart;
use crate::harness::stories;
use crate::lab::Lab;

stories!(every_value_for_a_platform_reaches_its_objects, no_value_for_a_platform_changes_anything_else);

/// What each value does can be seen in the render, and is not there without it.
async fn every_value_for_a_platform_reaches_its_objects(lab: &Lab) -> Result<()> {
    for (values, kind, pointer, expected) in REACHES {
        let expected: Value = serde_saphyr::from_str(expected).with_context(|| format!("{values}: {expected}"))?;
        let reached = |objects: &[Value]| {
            let mut of_kind = objects.iter().filter(|object| *kind == EVERY || object["kind"] == *kind).peekable();
            let there = |object: &Value| object.pointer(pointer).unwrap_or(&Value::Null) == &expected;
            of_kind.peek().is_some() && of_kind.all(there)
        };
        let text = render(lab, values).await?;
        ensure!(text == render(lab, values).await?, "{values}: two renders differ");
        ensure!(reached(&objects(&text)?), "{values}: {pointer} of {kind} is not {expected}\n{text}");
        let usual = render(lab, USUAL).await?;
        ensure!(!reached(&objects(&usual)?), "{pointer} of {kind} is {expected} without {values}");
    }
    Ok(())
}

/// Roles and bindings are all that goes with `rbac.create`; the dashboard is where it is wanted; and nothing stays in the
/// namespace of the release.
async fn no_value_for_a_platform_changes_anything_else(lab: &Lab) -> Result<()> {
    let grants = |object: &Value| {
        let kind = object["kind"].as_str().unwrap_or_default();
        kind.ends_with("Role") || kind.ends_with("RoleBinding")
    };
    let (rights, others): (Vec<_>, Vec<_>) = objects(&render(lab, "{}").await?)?.into_iter().partition(grants);
    let left = objects(&render(lab, "rbac: {create: false}").await?)?;
    ensure!(rights.len() >= 8 && left == others, "without {rights:?} there are {left:?}");

    let dashboard =
        "metrics: {grafanaDashboard: {enabled: true, namespace: m, annotations: {grafana_folder: Platform}}}";
    let found = objects(&render(lab, dashboard).await?)?;
    let found = found.iter().find(|object| object["metadata"]["name"] == "c-singleton-guard-dashboard");
    let metadata = &found.context("no dashboard")?["metadata"];
    ensure!(metadata["namespace"] == "m" && metadata["annotations"]["grafana_folder"] == "Platform", "{metadata}");

    let all = std::fs::read_to_string(chart().join("ci/all-options-values.yaml"))?;
    for values in ["tls: {mode: cert-manager}", &all] {
        let moved = render(lab, &format!("{values}\nnamespaceOverride: guard")).await?;
        ensure!(!moved.contains(PLACE) && moved.contains("\"guard\""), "{PLACE} is in {moved}");
        ensure!(render(lab, values).await?.contains(PLACE), "{PLACE} is nowhere");
    }
    Ok(())
}

fn objects(text: &str) -> Result<Vec<Value>> {
    Ok(serde_saphyr::from_multiple(text)?)
}

async fn render(lab: &Lab, values: &str) -> Result<String> {
    let chart = chart().display().to_string();
    lab.helm_with_input(&["template", "c", &chart, "--namespace", PLACE, "--values", "-"], values).await?.success()
}

/// Namespace of the release.
const PLACE: &str = "whereabouts";
/// Stands for all kinds.
const EVERY: &str = "*";
/// What the values below are compared with.
const USUAL: &str =
    "metrics: {serviceMonitor: {enabled: true}, prometheusRule: {enabled: true}, grafanaDashboard: {enabled: true}}";

/// Values, the kind that they are about, a place in each object of that kind, and what stands there.
const REACHES: &[(&str, &str, &str, &str)] = &[
    ("global: {commonAnnotations: {wave: '-5'}}", EVERY, "/metadata/annotations/wave", "'-5'"),
    ("webhook: {annotations: {wave: '1'}}\nglobal: {commonAnnotations: {wave: '-5'}}", WEBHOOKS, ANNOTATED, "'1'"),
    ("namespaceOverride: guard", "Deployment", "/metadata/namespace", "guard"),
    ("revisionHistoryLimit: 0", "Deployment", "/spec/revisionHistoryLimit", "0"),
    ("deploymentAnnotations: {wave: '1'}", "Deployment", ANNOTATED, "'1'"),
    ("service: {annotations: {wave: '1'}}", "Service", ANNOTATED, "'1'"),
    ("service: {ipFamilyPolicy: PreferDualStack}", "Service", "/spec/ipFamilyPolicy", "PreferDualStack"),
    ("podSecurityContext: {runAsUser: null}", "Deployment", "/spec/template/spec/securityContext/runAsUser", "null"),
    ("podSecurityContext: {runAsUser: null}", "Job", "/spec/template/spec/securityContext/runAsUser", "null"),
    ("podSecurityContext: {runAsUser: null}", "Pod", "/spec/securityContext/runAsUser", "null"),
    ("podSecurityContext: {fsGroup: 7}", "Job", "/spec/template/spec/securityContext/fsGroup", "7"),
    (
        "securityContext: {runAsUser: 7}",
        "Deployment",
        "/spec/template/spec/containers/0/securityContext/runAsUser",
        "7",
    ),
    ("securityContext: {runAsUser: 7}", "Job", "/spec/template/spec/containers/0/securityContext/runAsUser", "7"),
    ("securityContext: {runAsUser: 7}", "Pod", "/spec/containers/0/securityContext/runAsUser", "7"),
    ("extraVolumes: [{name: ca, emptyDir: {}}]", "Deployment", "/spec/template/spec/volumes/1/name", "ca"),
    (
        "extraVolumeMounts: [{name: ca, mountPath: /ca}]",
        "Deployment",
        "/spec/template/spec/containers/0/volumeMounts/1",
        "{name: ca, mountPath: /ca}",
    ),
    (ON_NODE, "Deployment", "/spec/template/spec/hostNetwork", "true"),
    (ON_NODE, "Deployment", "/spec/template/spec/dnsPolicy", "ClusterFirstWithHostNet"),
    // Two replicas and two nodes: a third Pod would find no port.
    (ON_NODE, "Deployment", "/spec/strategy/rollingUpdate", "{maxSurge: 0, maxUnavailable: 1}"),
    ("dnsPolicy: Default", "Deployment", "/spec/template/spec/dnsPolicy", "Default"),
    ("operationsPort: 9090", "Deployment", "/spec/template/spec/containers/0/ports/1/containerPort", "9090"),
    ("operationsPort: 9090", "Deployment", "/spec/template/spec/containers/0/args/3", "--operations-port=9090"),
    (
        "extraObjects: [{apiVersion: v1, kind: Secret, metadata: {name: '{{ .Release.Name }}-more'}}]\ntls: {mode: cert-manager}",
        "Secret",
        "/metadata/name",
        "c-more",
    ),
    (
        "exemptNamespaces: [b, a, b]",
        WEBHOOKS,
        "/webhooks/0/matchConditions/0/expression",
        "\"!(request.namespace in ['a', 'b'])\"",
    ),
    (
        "metrics: {serviceMonitor: {enabled: true, scrapeTimeout: 5s}}",
        "ServiceMonitor",
        "/spec/endpoints/0/scrapeTimeout",
        "5s",
    ),
    (
        "metrics: {serviceMonitor: {enabled: true, relabelings: [{targetLabel: a}], metricRelabelings: [{regex: b}]}}",
        "ServiceMonitor",
        "/spec/endpoints/0",
        "{port: operations, path: /metrics, interval: 30s, relabelings: [{targetLabel: a}], metricRelabelings: [{regex: b}]}",
    ),
    ("metrics: {serviceMonitor: {enabled: true, namespace: m}}", "ServiceMonitor", "/metadata/namespace", "m"),
    (
        "metrics: {serviceMonitor: {enabled: true, namespace: m}}",
        "ServiceMonitor",
        "/spec/namespaceSelector",
        "{matchNames: [whereabouts]}",
    ),
    (
        "metrics: {podMonitor: {enabled: true, namespace: m, scrapeTimeout: 5s}}",
        "PodMonitor",
        "/spec/podMetricsEndpoints/0/scrapeTimeout",
        "5s",
    ),
    ("metrics: {podMonitor: {enabled: true, namespace: m}}", "PodMonitor", "/metadata/namespace", "m"),
    (
        "metrics: {podMonitor: {enabled: true, namespace: m}}",
        "PodMonitor",
        "/spec/namespaceSelector",
        "{matchNames: [whereabouts]}",
    ),
    ("metrics: {prometheusRule: {enabled: true, namespace: m}}", "PrometheusRule", "/metadata/namespace", "m"),
    (
        "metrics: {prometheusRule: {enabled: true, ruleLabels: {team: a, severity: page}}}",
        "PrometheusRule",
        "/spec/groups/0/rules/0/labels",
        "{team: a, severity: page}",
    ),
    (
        "metrics: {prometheusRule: {enabled: true, disabled: [SingletonGuardDown]}}",
        "PrometheusRule",
        "/spec/groups/0/rules/0/alert",
        "SingletonGuardFailedOpen",
    ),
    (
        "metrics: {prometheusRule: {enabled: true, runbookBaseUrl: 'https://git.example.com/guard/'}}",
        "PrometheusRule",
        "/spec/groups/0/rules/0/annotations/runbook_url",
        "https://git.example.com/guard/docs/monitoring.md#singletonguarddown",
    ),
];
const ON_NODE: &str = "hostNetwork: true\nwebhook: {port: 9443}";
const WEBHOOKS: &str = "ValidatingWebhookConfiguration";
const ANNOTATED: &str = "/metadata/annotations/wave";
