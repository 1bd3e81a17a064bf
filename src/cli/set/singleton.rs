//! A marked workload of a set, and how something is said of an object. Pure.

use std::time::UNIX_EPOCH;

use serde_json::{Value, json};

use super::topic::Topic;
use crate::api::key::KEY;
use crate::api::kind::Kind;
use crate::cli::finding::{At, Finding, Spot, Subject};
use crate::cli::manifest::Manifest;
use crate::companions::plan::Workload;
use crate::index::marked::Marked;
use crate::settings::Settings;

/// A marked workload.
#[derive(Debug)]
pub(super) struct Singleton {
    pub(super) kind: Kind,
    pub(super) subject: Subject,
    pub(super) spot: Spot,
    /// Of a strict one, the name of its Pod, and where that is written.
    pub(super) key: Option<(String, Spot)>,
    /// As its companions are planned for it; none where too large to be read.
    pub(super) workload: Option<Box<Workload>>,
}

/// Something that is said of an object.
pub(super) fn said(topic: Topic, message: String, subject: Subject, field: &str, spot: Spot) -> Finding {
    Finding {
        level: topic.level(),
        code: topic.name(),
        message,
        help: Some(topic.help().to_owned()).filter(|help| !help.is_empty()),
        subject: Some(subject),
        field: field.to_owned(),
        spot,
        other: None,
    }
}

/// A value of an object; `null` where there is none.
pub(super) fn at_pointer<'v>(value: &'v Value, pointer: &str) -> &'v Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}

impl Singleton {
    pub(super) fn of(
        at: &At<'_, '_>,
        manifest: &Manifest<'_, '_>,
        kind: Kind,
        object: &Value,
        settings: &Settings,
        number: usize,
    ) -> Option<Self> {
        let label = |path: &str, key: &str| object.pointer(path)?.get(key)?.as_str();
        label("/metadata/labels", settings.mark.as_str())?;
        let workload = workload(kind, object, settings, number).map(Box::new);
        let key = workload.as_ref().and_then(|workload| workload.key.clone()).map(|key| {
            let field = format!("spec.template.metadata.labels[{KEY}]");
            (key, at.spot(manifest.node.locate(&field)))
        });
        let spot = at.spot(manifest.node.locate("metadata.name"));
        Some(Self { kind, subject: manifest.subject(), spot, key, workload })
    }
}

/// A marked workload as the guard reads it; none where it is larger than that.
fn workload(kind: Kind, object: &Value, settings: &Settings, number: usize) -> Option<Workload> {
    let mut object = object.clone();
    // Each has one in a cluster, and they are told apart by it.
    *object.pointer_mut("/metadata")?.as_object_mut()?.entry("uid").or_insert(Value::Null) = json!(number.to_string());
    let text = object.to_string();
    let seen = serde_json::from_str(&text).ok()?;
    Marked::read(seen, kind, &settings.mark, "", UNIX_EPOCH).ok().map(|marked| marked.workload)
}

/// The other object, to be shown beside.
pub(super) fn beside(subject: &Subject, spot: &Spot) -> (String, Spot) {
    (format!("{subject} is here"), spot.clone())
}
