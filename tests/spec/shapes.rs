//! What the API server and the Deployment controller make of an object: defaults, Scales, ReplicaSets. Part of the
//! model, and as faithful as the rules need.

use serde_json::{Value, json};

use super::case::{api_version, with};

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
