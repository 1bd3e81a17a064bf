//! The bodies that are sent: AdmissionReviews with the field order, the managed fields and the sizes of real ones.
//!
//! They are put together from the JSON files beside this one, as text, because a parser would sort the fields. Nothing
//! is sent from here.

use anyhow::{Context as _, Result};
use serde_json::Value;

/// The body of one review, and what is known about it.
#[derive(Debug, Clone)]
pub(crate) struct Review {
    /// What the report calls it.
    pub(crate) name: &'static str,
    /// The `AdmissionReview`, minified.
    pub(crate) body: String,
    /// How many of them make one measurement, in the short form.
    pub(crate) weight: usize,
}

/// All of them, each answered with "allowed".
pub(crate) fn all() -> Result<Vec<Review>> {
    let review = |name, body, weight| Review { name, body, weight };
    Ok(vec![
        // Only an increase above one can be refused, so a decrease is decided from its bytes. The API server filters
        // such reviews out; this one shows what reading and answering cost.
        review(SCALE_DOWN, scale(3, 1), 500),
        // What the API server does send. The parent is not marked: singleton-guard can prove it, the others have to ask.
        review(SCALE_UP, scale(1, 2), 200),
        review(UPDATE_SMALL, update(1)?, 200),
        review(UPDATE_LARGE, update(19)?, 50),
    ])
}

/// What the API server answers to a metadata-only GET of the Scale's parent: no mark, and all its managed fields.
pub(crate) fn parent() -> Result<String> {
    metadata(1)
}

fn metadata(containers: usize) -> Result<String> {
    let object: Value = serde_json::from_str(&statefulset(containers)).context("reviews/statefulset.json")?;
    let mut metadata = object.get("metadata").cloned().context("reviews/statefulset.json has no metadata")?;
    if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
        labels.retain(|key, _| !MARK.contains(key.as_str()));
    }
    let parent = serde_json::json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
    });
    Ok(parent.to_string())
}

/// What a watch of metadata says of a write to a workload without the mark: 4 KB.
pub(crate) fn metadata_line() -> Result<String> {
    Ok(format!(r#"{{"type":"MODIFIED","object":{}}}"#, metadata(3)?) + "\n")
}

/// What a watch says of a write to a marked StatefulSet: 9 KB.
pub(crate) fn object_line() -> String {
    format!(r#"{{"type":"MODIFIED","object":{}}}"#, statefulset(3)) + "\n"
}

fn scale(from: u32, to: u32) -> String {
    minify(SCALE).replace(r#""@from""#, &from.to_string()).replace(r#""@to""#, &to.to_string())
}

/// Somebody marks a StatefulSet with one replica: a rule reads both objects and has nothing to say.
fn update(containers: usize) -> Result<String> {
    let new = statefulset(containers);
    let old = new.replacen(MARK, "", 1);
    anyhow::ensure!(new != old, "reviews/statefulset.json lacks the mark {MARK}");
    Ok(minify(UPDATE).replace(r#""@object""#, &new).replace(r#""@oldObject""#, &old))
}

/// A StatefulSet grows with its containers, and so do its managed fields.
fn statefulset(containers: usize) -> String {
    let (container, fields) = (minify(CONTAINER), minify(CONTAINER_FIELDS));
    let names: Vec<String> = (0..containers).map(|number| format!("ledger-{number}")).collect();
    let containers: Vec<String> = names.iter().map(|name| container.replace("@name", name)).collect();
    let fields: Vec<String> = names.iter().map(|name| format!(r#""k:{{\"name\":\"{name}\"}}":{fields}"#)).collect();
    minify(STATEFUL_SET)
        .replace(r#""@containers""#, &format!("[{}]", containers.join(",")))
        .replace(r#""@fields""#, &format!("{{{}}}", fields.join(",")))
}

/// JSON without the white space between its tokens, as Go writes it.
fn minify(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let keep = |c: &char| {
        match (in_string, escaped, *c) {
            (true, true, _) => escaped = false,
            (true, false, '\\') => escaped = true,
            (_, _, '"') => in_string = !in_string,
            _ => {}
        }
        in_string || !c.is_whitespace()
    };
    json.chars().filter(keep).collect()
}

/// The names of the reviews.
pub(crate) const SCALE_DOWN: &str = "scale down";
pub(crate) const SCALE_UP: &str = "scale up";
pub(crate) const UPDATE_SMALL: &str = "update of a StatefulSet";
pub(crate) const UPDATE_LARGE: &str = "update of a large one";

const SCALE: &str = include_str!("reviews/scale.json");
const UPDATE: &str = include_str!("reviews/update.json");
const STATEFUL_SET: &str = include_str!("reviews/statefulset.json");
const CONTAINER: &str = include_str!("reviews/container.json");
const CONTAINER_FIELDS: &str = include_str!("reviews/container-fields.json");
/// The last of the labels in the file.
const MARK: &str = r#","singleton-guard.io/singleton":"true""#;
