//! The kinds of cert-manager that the chart can render, as far as it uses them. Strict: a field that is not here is an
//! error of the chart.

use anyhow::Result;
use serde_json::{Value, json};

use crate::lab::Lab;

/// Makes the kinds known to the API server, if they are not yet.
pub async fn install(lab: &Lab) -> Result<()> {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": text});
    let issuer =
        json!({"type": "object", "required": ["name"], "properties": {"name": text, "kind": text, "group": text}});
    let key = json!({"type": "object", "properties": {
        "algorithm": {"type": "string", "enum": ["RSA", "ECDSA", "Ed25519"]},
        "size": {"type": "integer"},
        "rotationPolicy": {"type": "string", "enum": ["Never", "Always"]},
    }});
    let certificate = json!({"type": "object", "required": ["secretName", "issuerRef"], "properties": {
        "isCA": {"type": "boolean"}, "commonName": text, "secretName": text, "duration": text, "privateKey": key,
        "usages": texts, "dnsNames": texts, "ipAddresses": texts, "issuerRef": issuer,
    }});
    let issuer = json!({"type": "object", "properties": {
        "selfSigned": {"type": "object"},
        "ca": {"type": "object", "required": ["secretName"], "properties": {"secretName": text}},
    }});
    let kinds = [
        ("Certificate", "Namespaced", &certificate),
        ("Issuer", "Namespaced", &issuer),
        ("ClusterIssuer", "Cluster", &issuer),
    ];
    let definitions: Vec<Value> = kinds.iter().map(|(kind, scope, spec)| definition(kind, scope, spec)).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": definitions}).to_string();
    lab.kubectl_with_input(&["apply", "--server-side", "-f", "-"], &list).await?.success()?;
    lab.kubectl_with_input(&["wait", "--for=condition=Established", "--timeout=30s", "-f", "-"], &list)
        .await?
        .success()?;
    Ok(())
}

fn definition(kind: &str, scope: &str, spec: &Value) -> Value {
    let singular = kind.to_lowercase();
    let plural = format!("{singular}s");
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.cert-manager.io")},
        "spec": {
            "group": "cert-manager.io",
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": singular},
            "scope": scope,
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object",
                "required": ["spec"],
                "properties": {"spec": spec},
            }}}],
        },
    })
}
