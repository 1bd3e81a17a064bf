//! What the API server and the Deployment controller make of an object: defaults, Scales, ReplicaSets, and whether a Pod may
//! be deleted. Part of the model, and as faithful as the rules need.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use singleton_guard::api::autoscaler::{AUTOSCALERS, Autoscaler, PAUSED_REPLICAS};
use singleton_guard::api::key::KEY;
use singleton_guard::api::kind::{Kind, Kinds};
use singleton_guard::api::object::Object;
use singleton_guard::api::reference::{Regarding, WorkloadRef};
use singleton_guard::policy::denial::Denial;
use singleton_guard::policy::lookup::Scaler;
use singleton_guard::policy::rules::sg011_ending::{Ending, judge};
use singleton_guard::settings::Settings;

use super::case::{Delete, MARK, Outcome, User, api_version, with};

/// The API server's own defaults, as far as the rules read them.
pub fn defaulted(object: &Value, name: &str) -> Value {
    // A member that is null is absent.
    let mut stripped = json!({});
    json_patch::merge(&mut stripped, object);
    let mut object = stripped;
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let fill = |target: &mut Value, field: &str, default: Value| {
        if target.get(field).is_none() {
            target[field] = default;
        }
    };
    if matches!(kind.as_str(), "StatefulSet" | "ReplicaSet" | "Deployment" | "ReplicationController") {
        fill(&mut object["spec"], "replicas", json!(1));
    }
    if kind == "Deployment" {
        let strategy = &mut object["spec"]["strategy"];
        fill(strategy, "type", json!("RollingUpdate"));
        if strategy["type"] == "RollingUpdate" {
            fill(&mut strategy["rollingUpdate"], "maxSurge", json!("25%"));
            fill(&mut strategy["rollingUpdate"], "maxUnavailable", json!("25%"));
        } else if strategy.get("rollingUpdate").is_some() {
            // The internal type holds no absent bound: what the request left out is 0 by the time of admission.
            fill(&mut strategy["rollingUpdate"], "maxSurge", json!(0));
            fill(&mut strategy["rollingUpdate"], "maxUnavailable", json!(0));
        }
    }
    // A ReplicationController without labels takes its template's.
    if kind == "ReplicationController" && object["metadata"].get("labels").is_none() {
        object["metadata"]["labels"] = object["spec"]["template"]["metadata"]["labels"].clone();
    }
    object["metadata"]["name"] = json!(name);
    object
}

/// What its controller counts once it has done its work. All of a Deployment's ReplicaSets are one here.
pub fn counted(workload: &Value) -> Value {
    let replicas = &workload["spec"]["replicas"];
    json!({"replicas": replicas, "updatedReplicas": replicas})
}

/// Counts up the generation of an object that is stored over an older one, a Deployment's for annotations too, and lets its
/// controller see it.
pub fn observe(old: Option<&Value>, object: &mut Value) {
    let counts = |object: &Value| json!([object["spec"], object["metadata"]["annotations"]]);
    let before = old.map_or(0, |old| old["metadata"]["generation"].as_u64().unwrap_or_default());
    let generation = before + u64::from(old.is_none_or(|old| counts(old) != counts(object)));
    object["metadata"]["generation"] = json!(generation);
    object["status"]["observedGeneration"] = json!(generation);
}

/// What the API server shows of a parent on `/scale`, in the validating phase.
pub fn scale_of(parent: &Value) -> Value {
    let metadata = &parent["metadata"];
    let replicas = &parent["spec"]["replicas"];
    json!({
        "kind": "Scale", "apiVersion": api_version("Scale"),
        "metadata": {"name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]},
        "spec": if *replicas == json!(0) { json!({}) } else { json!({"replicas": replicas}) },
        "status": {"replicas": parent["status"]["replicas"], "selector": "app=x"},
    })
}

/// What the index of marked workloads says of an autoscaler's target: the target itself, or the Deployment that it is behind.
pub fn singleton(of: &WorkloadRef<'_>, objects: &BTreeMap<(String, String), Value>) -> Option<Regarding> {
    let (kind, name) = (of.kind, &*of.name);
    let find = |kind: Kind, name: &str| objects.get(&(kind.info().name.to_owned(), name.to_owned()));
    let owner = &find(kind, name)?["metadata"]["ownerReferences"][0];
    let deployment = owner["name"].as_str().filter(|_| owner["kind"] == "Deployment" && owner["controller"] == true);
    let (kind, name) = deployment.map_or((kind, name), |deployment| (Kind::DEPLOYMENT, deployment));
    let metadata = &find(kind, name)?["metadata"];
    let namespace = metadata["namespace"].as_str().unwrap_or_default();
    metadata["labels"].get(MARK).map(|_| Regarding::workload(kind, namespace, name, ""))
}

/// What the watch of autoscalers says of a workload: one that may ask for more than one replica of it.
pub fn scaler<'a>(workload: &WorkloadRef<'_>, mut objects: impl Iterator<Item = &'a Value>) -> Option<Scaler> {
    objects.find_map(|object| {
        let autoscaler = AUTOSCALERS.into_iter().find(|kind| object["kind"] == kind.info().name)?;
        let json = object.to_string();
        let read: Object<'_> = serde_json::from_str(&json).ok()?;
        let targets = autoscaler
            .target(&read, Kinds::BUILT_IN)
            .is_some_and(|(kind, name)| kind == workload.kind && name == workload.name);
        let spec = &object["spec"];
        let [max, min] = match autoscaler {
            Autoscaler::HorizontalPodAutoscaler => ["maxReplicas", "minReplicas"],
            Autoscaler::ScaledObject => ["maxReplicaCount", "minReplicaCount"],
        }
        .map(|field| spec[field].as_i64());
        let most = autoscaler.most(max, min, object["metadata"]["annotations"][PAUSED_REPLICAS].as_str());
        let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        (targets && most > 1).then_some(Scaler { autoscaler, name, most })
    })
}

/// The line with which the native policy refuses the deletion of a Pod by its name, if it does: the rule's own function,
/// beside which the conditions of that policy stand.
pub fn refuse_end(pod: &Value, delete: &Delete, user: Option<&User>, settings: &Settings) -> Option<Outcome> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // The policy looks at Pods with the key only.
    pod["metadata"]["labels"].get(KEY)?;
    let (node, phase) = (text(&pod["spec"]["nodeName"]), text(&pod["status"]["phase"]));
    let groups: Vec<&str> = user.map_or_else(Vec::new, |user| user.groups.iter().map(String::as_str).collect());
    let ending = Ending {
        grace: delete.grace.or_else(|| pod["spec"]["terminationGracePeriodSeconds"].as_i64()),
        written: pod["metadata"]["deletionGracePeriodSeconds"].as_i64(),
        node: &node,
        phase: &phase,
        user: user.map_or("kubernetes-admin", |user| &user.name),
        groups: &groups,
        is_of_many: false,
        namespace_ends: false,
    };
    let first = judge(&ending, &settings.node_users)?;
    let metadata = &pod["metadata"];
    let (namespace, name) = (text(&metadata["namespace"]), text(&metadata["name"]));
    let subject = Regarding { group: "", version: "v1", kind: "Pod", namespace, name, uid: String::new() };
    let denial = Denial::new(subject, settings.mark.clone(), first, [], None, "spec.replicas");
    let warnings = vec![format!("the policy: {}", denial.remedy(&denial.first().violation))];
    Some(Outcome { message: denial.first().line.clone(), warnings, ..Outcome::default() })
}

/// The ReplicaSet that the Deployment controller makes: the template's labels and its hash, and never the mark of the
/// Deployment's own metadata.
pub fn replica_set(deployment: &Value, number: u64) -> Value {
    let spec = &deployment["spec"];
    let (name, uid) = (&deployment["metadata"]["name"], &deployment["metadata"]["uid"]);
    let hash = json!({"pod-template-hash": HASH});
    let labels = with(&spec["template"]["metadata"]["labels"], hash.clone());
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": format!("{}-{HASH}", name.as_str().unwrap_or_default()), "namespace": deployment["metadata"]["namespace"], "labels": labels,
            "uid": format!("uid-rs-{number}"), "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": uid,
                "controller": true, "blockOwnerDeletion": true}],
        },
        "spec": {
            "replicas": spec["replicas"], "selector": {"matchLabels": with(&spec["selector"]["matchLabels"], hash)},
            "template": spec["template"],
        },
        "status": {"replicas": spec["replicas"]},
    })
}

/// The hash of every template.
pub const HASH: &str = "6bc4d";
