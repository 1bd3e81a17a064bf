//! Kinds of others, made known to the API server as far as a test uses them.

use anyhow::Result;
use serde_json::{Value, json};

use crate::lab::Lab;

/// A kind in version `v1` of its group; `version` has its schema, and its subresources if there are any.
pub fn definition(group: &str, kind: &str, scope: &str, mut version: Value) -> Value {
    let singular = kind.to_lowercase();
    let plural = format!("{singular}s");
    for (field, value) in [("name", json!("v1")), ("served", json!(true)), ("storage", json!(true))] {
        version[field] = value;
    }
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group,
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": singular},
            "scope": scope,
            "versions": [version],
        },
    })
}

/// The version of a kind that consists of its `spec`, which has this schema and must be there.
pub fn of_spec(spec: &Value) -> Value {
    json!({"schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {"spec": spec}}}})
}

/// KEDA's ScaledObject, as far as the guard and the cases read it (`config/crd` of KEDA has all of it).
pub fn scaled_object() -> Value {
    let free = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let (text, count) = (json!({"type": "string"}), json!({"type": "integer", "format": "int32"}));
    let target =
        json!({"type": "object", "required": ["name"], "properties": {"apiVersion": text, "kind": text, "name": text}});
    let spec = json!({"type": "object", "required": ["scaleTargetRef", "triggers"], "properties": {
        "scaleTargetRef": target, "minReplicaCount": count, "maxReplicaCount": count, "idleReplicaCount": count,
        "fallback": free, "triggers": {"type": "array", "items": free},
    }});
    let mut version = of_spec(&spec);
    version["subresources"] = json!({"status": {}});
    let mut definition = definition("keda.sh", "ScaledObject", "Namespaced", version);
    definition["spec"]["versions"][0]["name"] = json!("v1alpha1");
    definition
}

/// Makes them known, if they are not yet, and waits until they are.
pub async fn establish(lab: &Lab, definitions: &[Value]) -> Result<()> {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": definitions}).to_string();
    lab.kubectl_with_input(&["apply", "--server-side", "-f", "-"], &list).await?.success()?;
    let wait = ["wait", "--for=condition=Established", "--timeout=30s", "-f", "-"];
    lab.kubectl_with_input(&wait, &list).await?.success().map(drop)
}
