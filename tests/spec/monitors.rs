//! The kinds of the Prometheus Operator that the chart can render, as far as it uses them. Strict: a field that is not
//! here is an error of the chart.

use anyhow::Result;
use serde_json::{Value, json};

use crate::lab::Lab;

/// Makes the kinds known to the API server, if they are not yet.
pub async fn install(lab: &Lab) -> Result<()> {
    let text = json!({"type": "string"});
    let selector = json!({"type": "object", "properties": {"matchLabels": map(&text)}});
    let duration = json!({"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"});
    let texts = json!({"type": "array", "items": text});
    let relabelings = json!({"type": "array", "items": {"type": "object", "properties": {
        "action": text, "regex": text, "replacement": text, "sourceLabels": texts, "targetLabel": text,
    }}});
    let endpoints = json!({"type": "array", "items": {"type": "object", "properties": {
        "port": text, "path": text, "interval": duration, "scrapeTimeout": duration,
        "relabelings": relabelings, "metricRelabelings": relabelings,
    }, "required": ["port"]}});
    let namespaces = json!({"type": "object", "properties": {"matchNames": texts}});
    let rule = json!({"type": "object", "required": ["alert", "expr"], "properties": {
        "alert": text, "expr": text, "for": text, "labels": map(&text), "annotations": map(&text),
    }});
    let group = json!({"type": "object", "required": ["name", "rules"], "properties": {
        "name": text, "rules": {"type": "array", "items": rule},
    }});
    let kinds = [
        ("ServiceMonitor", json!({"selector": selector, "namespaceSelector": namespaces, "endpoints": endpoints})),
        (
            "PodMonitor",
            json!({"selector": selector, "namespaceSelector": namespaces, "podMetricsEndpoints": endpoints}),
        ),
        ("PrometheusRule", json!({"groups": {"type": "array", "items": group}})),
    ];
    let definitions: Vec<Value> = kinds.iter().map(|(kind, spec)| definition(kind, spec)).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": definitions}).to_string();
    lab.kubectl_with_input(&["apply", "--server-side", "-f", "-"], &list).await?.success()?;
    lab.kubectl_with_input(&["wait", "--for=condition=Established", "--timeout=30s", "-f", "-"], &list)
        .await?
        .success()?;
    Ok(())
}

fn definition(kind: &str, spec: &Value) -> Value {
    let plural = format!("{}s", kind.to_lowercase());
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.monitoring.coreos.com")},
        "spec": {
            "group": "monitoring.coreos.com",
            "names": {"kind": kind, "listKind": format!("{kind}List"), "plural": plural, "singular": kind.to_lowercase()},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {
                "type": "object",
                "required": ["spec"],
                "properties": {"spec": {"type": "object", "properties": spec}},
            }}}],
        },
    })
}

fn map(value: &Value) -> Value {
    json!({"type": "object", "additionalProperties": value})
}
