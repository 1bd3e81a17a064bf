//! A record as a Lease of `coordination.k8s.io/v1`: pure. `kubectl get lease` shows who holds it; what the lock rests on
//! are annotations of ours, because everybody else may write the fields.

use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Map, Value, json};

use super::Failed;
use crate::elect::record::{Cell, Record, Revision, lease, timestamp};

/// What the API server said about a Lease: what is in it, and the whole object, of which most is others'.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// What is in it.
    pub cell: Cell,
    /// Its revision.
    pub revision: Revision,
    /// The object.
    pub object: Object,
}

/// An object in JSON.
pub type Object = Map<String, Value>;

/// Reads a Lease.
pub fn read(body: &[u8]) -> Result<Read, Failed> {
    let unreadable = |what: &str| Failed::Unreadable(what.to_owned());
    let object: Object = serde_json::from_slice(body).map_err(|error| unreadable(&error.to_string()))?;
    if object.get("kind").and_then(Value::as_str) != Some("Lease") {
        return Err(unreadable("it is no Lease"));
    }
    let revision = text(&object, "metadata", "resourceVersion").and_then(|revision| revision.parse().ok());
    let revision = Revision(revision.ok_or_else(|| unreadable("its resourceVersion is no number"))?);
    Ok(Read { cell: cell(&object, revision), revision, object })
}

/// The object that says this record: everything that is not of the lock stays as it was.
#[must_use]
pub fn written(old: Option<&Object>, namespace: &str, name: &str, record: &Record, now: SystemTime) -> Object {
    let mut object = old.cloned().unwrap_or_default();
    object.entry("apiVersion").or_insert_with(|| json!("coordination.k8s.io/v1"));
    object.entry("kind").or_insert_with(|| json!("Lease"));
    let now = timestamp(now);
    let mut is_new_term = true;
    if let Some(metadata) = part(&mut object, "metadata") {
        metadata.insert("namespace".to_owned(), json!(namespace));
        metadata.insert("name".to_owned(), json!(name));
        // The API server keeps them itself.
        metadata.remove("managedFields");
        is_new_term = part(metadata, "annotations").is_none_or(|annotations| annotate(annotations, record));
    }
    if let Some(spec) = part(&mut object, "spec") {
        let holder = record.holder.as_deref().filter(|_| !record.is_released);
        spec.remove("holderIdentity");
        if let Some(holder) = holder {
            spec.insert("holderIdentity".to_owned(), json!(holder));
        }
        if is_new_term && holder.is_some() {
            let before = spec.get("leaseTransitions").and_then(Value::as_i64).unwrap_or(0);
            spec.insert("leaseTransitions".to_owned(), json!(before.saturating_add(1).clamp(0, i64::from(i32::MAX))));
            spec.insert("acquireTime".to_owned(), json!(now));
        }
        spec.insert("leaseDurationSeconds".to_owned(), json!(record.lease.as_secs().max(1)));
        spec.insert("renewTime".to_owned(), json!(now));
    }
    object
}

/// Whether the term is another one than before.
fn annotate(annotations: &mut Object, record: &Record) -> bool {
    annotations.remove(RELEASED);
    if record.is_released {
        annotations.insert(RELEASED.to_owned(), json!(record.beat.to_string()));
    }
    annotations.insert(BEAT.to_owned(), json!(record.beat.to_string()));
    let term = json!(record.term.to_string());
    annotations.insert(TERM.to_owned(), term.clone()) != Some(term)
}

fn cell(object: &Object, revision: Revision) -> Cell {
    let holder = text(object, "spec", "holderIdentity").filter(|holder| !holder.is_empty());
    let (term, beat) = (annotation(object, TERM), annotation(object, BEAT));
    if (term, beat) == (None, None) {
        return match holder {
            None => Cell::Empty(Some(revision)),
            Some(holder) => Cell::Foreign(format!("the Lease is held by {holder:?}, which is not elect").into()),
        };
    }
    let (term, beat) = (term.and_then(|term| term.parse().ok()), beat.and_then(|beat| beat.parse().ok()));
    let (Some(term), Some(beat)) = (term, beat) else {
        return Cell::Foreign("the Lease's annotations of elect were edited".into());
    };
    // Nobody releases it who does not name the write.
    let released = annotation(object, RELEASED).and_then(|released| released.parse::<u64>().ok());
    let seconds =
        object.get("spec").and_then(|spec| spec.get("leaseDurationSeconds")).and_then(Value::as_u64).unwrap_or(0);
    let record = Record {
        holder: holder.map(Arc::from),
        term,
        beat,
        is_released: released == Some(beat),
        lease: lease(seconds),
    };
    Cell::Record(record, revision)
}

fn text<'o>(object: &'o Object, part: &str, name: &str) -> Option<&'o str> {
    object.get(part)?.get(name)?.as_str()
}

fn annotation<'o>(object: &'o Object, name: &str) -> Option<&'o str> {
    object.get("metadata")?.get("annotations")?.get(name)?.as_str()
}

/// This part of an object, which it gets if it has none.
fn part<'o>(object: &'o mut Object, name: &str) -> Option<&'o mut Object> {
    let part = object.entry(name).or_insert_with(|| json!({}));
    if !part.is_object() {
        *part = json!({});
    }
    part.as_object_mut()
}

/// The acquisition that a Lease belongs to.
pub const TERM: &str = "singleton-guard.io/elect-term";
/// Which write of its holder it is.
pub const BEAT: &str = "singleton-guard.io/elect-beat";
/// The beat of the write that released it.
pub const RELEASED: &str = "singleton-guard.io/elect-released";
