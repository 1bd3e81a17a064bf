//! The kinds of the Prometheus Operator that the chart can render, as far as it uses them. Strict: a field that is not
//! here is an error of the chart.

use anyhow::Result;
use serde_json::{Value, json};

use crate::common::definitions::{definition, establish, of_spec};
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
    let definitions = kinds.map(|(kind, properties)| {
        let spec = json!({"type": "object", "properties": properties});
        definition("monitoring.coreos.com", kind, "Namespaced", of_spec(&spec))
    });
    establish(lab, &definitions).await
}

fn map(value: &Value) -> Value {
    json!({"type": "object", "additionalProperties": value})
}
