//! What the API server does to a new object before it asks a webhook, as far as a verdict depends on it: the namespace of
//! the request, defaults of the types (`pkg/apis/{apps,core}/v1/defaults.go` in kubernetes/kubernetes), and a name where it
//! is generated. What has another type than Kubernetes gives it is left alone: the review of it cannot be read. Pure.

use serde_json::{Map, Value, json};

use super::manifest::Manifest;
use crate::api::kind::{Resource, Rollout, SelectorForm};

/// The object as a webhook is shown it first: before a name is generated.
#[must_use]
pub fn object(manifest: &Manifest<'_, '_>, resource: Resource) -> Value {
    let mut object = manifest.node.json();
    if let Some(fields) = object.as_object_mut() {
        fields.entry("kind").or_insert_with(|| json!(manifest.kind));
        if let Some(metadata) = child(fields, "metadata") {
            metadata.insert("namespace".to_owned(), json!(manifest.namespace));
        }
        if matches!(resource, Resource::Guarded(kind) if kind.info().selector == SelectorForm::Labels) {
            labels_of_template(fields);
        }
        if let (Resource::Guarded(kind), Some(spec)) = (resource, fields.get_mut("spec").and_then(Value::as_object_mut))
        {
            default(spec, "replicas", json!(1));
            if kind.info().rollout == Some(Rollout::Strategy) {
                strategy(spec);
            }
        }
    }
    object
}

/// Gives it a name where that is generated. The API server does so between the two phases of admission.
pub fn name(object: &mut Value, manifest: &Manifest<'_, '_>) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    let is_named = metadata.get("name").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    if !is_named && !manifest.name.is_empty() {
        metadata.insert("name".to_owned(), Value::String(format!("{}{GENERATED}", manifest.name)));
    }
}

/// `SetDefaults_Deployment`.
fn strategy(spec: &mut Map<String, Value>) {
    let Some(strategy) = child(spec, "strategy") else { return };
    if strategy.get("type").is_none_or(|it| it.is_null() || it == "") {
        strategy.insert("type".to_owned(), json!("RollingUpdate"));
    }
    if strategy.get("type").is_some_and(|it| it == "RollingUpdate")
        && let Some(bounds) = child(strategy, "rollingUpdate")
    {
        default(bounds, "maxUnavailable", json!("25%"));
        default(bounds, "maxSurge", json!("25%"));
    }
}

/// `SetDefaults_ReplicationController`: labels and a selector that are absent are those of its template.
fn labels_of_template(fields: &mut Map<String, Value>) {
    let template = fields.get("spec").and_then(|spec| spec.pointer("/template/metadata/labels")).cloned();
    let Some(labels) = template.filter(|labels| labels.as_object().is_some_and(|labels| !labels.is_empty())) else {
        return;
    };
    for (parent, key) in [("metadata", "labels"), ("spec", "selector")] {
        let Some(fields) = child(fields, parent) else { continue };
        if fields.get(key).is_none_or(|it| it.is_null() || *it == json!({})) {
            fields.insert(key.to_owned(), labels.clone());
        }
    }
}

/// The mapping below a key, made where there is none; none where something else is.
fn child<'m>(fields: &'m mut Map<String, Value>, key: &str) -> Option<&'m mut Map<String, Value>> {
    let value = fields.entry(key).or_insert(Value::Null);
    if value.is_null() {
        *value = json!({});
    }
    value.as_object_mut()
}

fn default(fields: &mut Map<String, Value>, key: &str, value: Value) {
    let found = fields.entry(key).or_insert(Value::Null);
    if found.is_null() {
        *found = value;
    }
}

/// The API server appends five characters that are its own secret.
const GENERATED: &str = "xxxxx";
