//! The kinds of cert-manager that the chart can render, as far as it uses them. Strict: a field that is not here is an
//! error of the chart.

use anyhow::Result;
use serde_json::json;

use crate::common::definitions::{definition, establish, of_spec};
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
    let definitions = kinds.map(|(kind, scope, spec)| definition("cert-manager.io", kind, scope, of_spec(spec)));
    establish(lab, &definitions).await
}
