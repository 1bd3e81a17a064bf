//! What only a set shows: each topic once where it is true, and once beside it where it is not.

use singleton_guard::cli::finding::{Level, UNDECIDED};
use singleton_guard::cli::set::TOPICS;
use singleton_guard::configuration;

use super::{checked, checked_with};

#[test]
fn each_topic_is_seen_and_nothing_beside_it() {
    let mut met = std::collections::BTreeSet::new();
    for (manifests, topic) in [
        // The mark where it does nothing.
        (vec![object("argoproj.io/v1alpha1", "Rollout", "web", MARKED, "{replicas: 1}")], "mark-without-effect"),
        (vec![object("v1", "Pod", "web", MARKED, "{containers: []}")], "mark-without-effect"),
        (
            vec![object(
                "apps/v1",
                "StatefulSet",
                "web",
                "",
                &format!("{{template: {{metadata: {{labels: {{{MARKED}}}}}}}}}"),
            )],
            "mark-without-effect",
        ),
        (vec![object("v1", "Service", "web", MARKED, "{ports: []}")], ""),
        (vec![object("v1", "ConfigMap", "web", MARKED, "{}")], ""),
        // Autoscalers.
        (vec![deployment("web", MARKED), autoscaler("Deployment", "web", 5)], "SG003"),
        (vec![autoscaler("Deployment", "web", 5), deployment("web", MARKED)], "SG003"),
        (vec![deployment("web", MARKED), keda("maxReplicaCount: 3, ")], "SG003"),
        (vec![deployment("web", MARKED), keda("")], "SG003"),
        (vec![deployment("web", MARKED), keda("maxReplicaCount: 1, ")], ""),
        (vec![deployment("web", MARKED), autoscaler("Deployment", "web", 1)], ""),
        (vec![deployment("web", ""), autoscaler("Deployment", "web", 5)], ""),
        (vec![deployment("web", MARKED), autoscaler("StatefulSet", "web", 5)], "undecided"),
        (
            vec![
                deployment("web", MARKED),
                autoscaler("Deployment", "web", 5).replace("{name: web}", "{name: web, namespace: other}"),
            ],
            "undecided",
        ),
        // Budgets.
        (vec![deployment("web", MARKED), budget("minAvailable: 1", "web")], "budget-of-singleton"),
        (vec![deployment("web", MARKED), budget("maxUnavailable: 0", "web")], "budget-of-singleton"),
        (vec![deployment("web", MARKED), budget("maxUnavailable: 1", "web")], ""),
        (vec![deployment("web", MARKED), budget("minAvailable: 1", "other")], ""),
        (vec![deployment("web", ""), budget("minAvailable: 1", "web")], ""),
        (
            vec![
                deployment("web", MARKED)
                    .replace("labels:", "annotations: {singleton-guard.io/disruption: none}, labels:"),
                budget("minAvailable: 1", "web"),
            ],
            "",
        ),
        // Services.
        (
            vec![stateful("web", MARKED, "serviceName: front, "), service("front", "clusterIP: 10.0.0.1, ", "web")],
            "service-of-singleton",
        ),
        (vec![stateful("web", MARKED, "serviceName: front, "), service("front", "clusterIP: None, ", "web")], ""),
        (vec![stateful("web", MARKED, ""), service("web", "", "web")], ""),
        (vec![deployment("web", MARKED), service("web-singleton", "", "other")], "service-of-singleton"),
        (vec![deployment("web", MARKED), service("web", "", "web")], ""),
        // Keys and names of Services.
        (vec![with_key("Deployment", "one"), with_key("ReplicaSet", "one")], "shared-key"),
        (vec![with_key("Deployment", "one"), with_key("ReplicaSet", "two")], ""),
        (vec![stateful("a", MARKED, "serviceName: s, "), stateful("b", "", "serviceName: s, ")], "shared-service-name"),
        (vec![stateful("a", "", "serviceName: s, "), stateful("b", "", "serviceName: s, ")], ""),
        (vec![stateful("a", MARKED, "serviceName: s, "), stateful("b", MARKED, "serviceName: t, ")], ""),
        // A Deployment of one with a volume of one node.
        (vec![claim("ReadWriteOnce"), deployment("web", "").replace("containers:", VOLUME)], "unmarked-writer"),
        (vec![claim("ReadWriteMany"), deployment("web", "").replace("containers:", VOLUME)], ""),
        (vec![claim("ReadWriteOnce"), deployment("web", MARKED).replace("containers:", VOLUME)], ""),
        (
            vec![
                claim("ReadWriteOnce"),
                deployment("web", "")
                    .replace("containers:", VOLUME)
                    .replace("{selector", "{strategy: {type: Recreate}, selector"),
            ],
            "",
        ),
        (
            vec![
                claim("ReadWriteOnce"),
                deployment("web", "").replace("containers:", VOLUME).replace("{selector", "{replicas: 2, selector"),
            ],
            "",
        ),
        (vec![deployment("web", "").replace("containers:", VOLUME)], ""),
    ] {
        let text = manifests.join("---\n");
        let report = checked(&text);
        // What is filled in is told of each Deployment without a strategy.
        let said: Vec<_> = report.findings.iter().filter(|finding| finding.code != "SG002").collect();
        let codes: Vec<_> = said.iter().map(|finding| finding.code).collect();
        let wanted: Vec<_> = Some(topic).filter(|topic| !topic.is_empty()).into_iter().collect();
        assert_eq!(codes, wanted, "{text}\n{said:#?}");
        met.extend(codes.into_iter().filter(|code| TOPICS.iter().any(|topic| topic.name() == *code)));
    }
    let all: std::collections::BTreeSet<_> = TOPICS.iter().map(|topic| topic.name()).collect();
    assert_eq!(met, all);
}

/// The settings count: another key, a namespace where nothing is judged, one where it is only warned.
#[test]
fn the_configuration_counts() {
    let settings = configuration::parse(
        b"{apiVersion: singleton-guard.io/v1, kind: GuardConfiguration, mark: {key: example.com/one}, exemptNamespaces: [free], warnNamespaces: [soft]}",
    )
    .unwrap();
    let two = |namespace: &str| {
        stateful("a", "example.com/one: enabled", "replicas: 2, ")
            .replace("name: a,", &format!("name: a, namespace: {namespace},"))
    };
    let level =
        |text: &str| checked_with(&settings, text).findings.first().map(|finding| (finding.level, finding.code));
    assert_eq!(level(&two("pay")), Some((Level::Refused, "SG001")));
    assert_eq!(level(&two("soft")), Some((Level::Warning, "SG001")));
    assert_eq!(level(&two("free")), None);
    assert_eq!(level(&stateful("a", MARKED, "replicas: 2, ")), None);
}

/// What only the cluster knows is left to it, with the reason.
#[test]
fn what_the_cluster_knows_is_undecided() {
    let owner =
        "ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: '1', controller: true}], labels:";
    let behind =
        object("apps/v1", "ReplicaSet", "web-1", MARKED, "{replicas: 3, template: {}}").replace("labels:", owner);
    let pod = object("v1", "Pod", "a-0", "singleton-guard.io/key: a-0", "{containers: []}");
    for (text, why) in [(behind, "its owner, Deployment web"), (pod, "whether there is a Pod pay/a-0 already")] {
        let report = checked(&text);
        let found = report.findings.iter().find(|finding| finding.code == UNDECIDED);
        assert!(
            found.is_some_and(|it| it.level == Level::Undecided && it.message.contains(why)),
            "{:#?}",
            report.findings
        );
    }
}

fn object(api_version: &str, kind: &str, name: &str, labels: &str, spec: &str) -> String {
    format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: {name}, labels: {{{labels}}}}}\nspec: {spec}\n")
}

fn deployment(name: &str, labels: &str) -> String {
    object("apps/v1", "Deployment", name, labels, &format!("{{{}}}", pods(name)))
}

fn stateful(name: &str, labels: &str, more: &str) -> String {
    object("apps/v1", "StatefulSet", name, labels, &format!("{{{more}{}}}", pods(name)))
}

fn pods(app: &str) -> String {
    format!(
        "selector: {{matchLabels: {{app: {app}}}}}, template: {{metadata: {{labels: {{app: {app}}}}}, spec: {{containers: []}}}}"
    )
}

fn with_key(kind: &str, key: &str) -> String {
    let strategy = if kind == "Deployment" { "strategy: {type: Recreate}, " } else { "" };
    let template =
        format!("template: {{metadata: {{labels: {{app: {key}, singleton-guard.io/key: {key}}}}}, spec: {{}}}}");
    let spec = format!("{{{strategy}selector: {{matchLabels: {{app: {key}}}}}, {template}}}");
    object("apps/v1", kind, "a", "singleton-guard.io/singleton: strict", &spec)
}

fn autoscaler(kind: &str, name: &str, max: u32) -> String {
    let target = format!("{{apiVersion: apps/v1, kind: {kind}, name: {name}}}");
    format!(
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: web}}\nspec: {{maxReplicas: {max}, scaleTargetRef: {target}}}\n"
    )
}

fn keda(max: &str) -> String {
    format!(
        "apiVersion: keda.sh/v1alpha1\nkind: ScaledObject\nmetadata: {{name: web}}\nspec: {{{max}scaleTargetRef: {{name: web}}}}\n"
    )
}

fn budget(bound: &str, app: &str) -> String {
    format!(
        "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {{name: own}}\nspec: {{{bound}, selector: {{matchLabels: {{app: {app}}}}}}}\n"
    )
}

fn service(name: &str, more: &str, app: &str) -> String {
    format!("apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{{more}selector: {{app: {app}}}}}\n")
}

fn claim(mode: &str) -> String {
    format!("apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: data}}\nspec: {{accessModes: [{mode}]}}\n")
}

const MARKED: &str = "singleton-guard.io/singleton: enabled";
const VOLUME: &str = "volumes: [{name: v, persistentVolumeClaim: {claimName: data}}], containers:";
