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
    /// What singleton-guard should reach, if something is to be reached.
    pub(crate) target: Option<Target>,
}

/// Bounds of the ratio "CPU of the floor / CPU of singleton-guard".
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    /// What is aimed at.
    pub(crate) aim: f64,
    /// Below this something is badly wrong, whatever the machine was doing: the program fails.
    pub(crate) gross: f64,
}

/// All of them, each answered with "allowed".
pub(crate) fn all() -> Result<Vec<Review>> {
    let review = |name, body, weight, target| Review { name, body, weight, target };
    let target = |aim, gross| Some(Target { aim, gross });
    Ok(vec![
        // Only an increase above one can be refused, so a decrease is decided from its bytes. The API server filters
        // such reviews out; this one shows what reading and answering cost.
        review("scale down", scale(3, 1), 1000, target(0.80, 0.40)),
        // What the API server does send. The parent is not marked, so the increase is allowed after one GET.
        review("scale up, one GET", scale(1, 2), 500, None),
        review("update of a StatefulSet", update(1)?, 600, target(0.65, 0.30)),
        review("update of a large one", update(19)?, 150, target(0.40, 0.20)),
    ])
}

/// What the API server answers to a metadata-only GET of the Scale's parent: no mark, and all its managed fields.
pub(crate) fn parent() -> Result<String> {
    let object: Value = serde_json::from_str(&statefulset(1)).context("reviews/statefulset.json")?;
    let mut metadata = object.get("metadata").cloned().context("reviews/statefulset.json has no metadata")?;
    if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
        labels.retain(|key, _| !MARK.contains(key.as_str()));
    }
    let parent = serde_json::json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
    });
    Ok(parent.to_string())
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

const SCALE: &str = include_str!("reviews/scale.json");
const UPDATE: &str = include_str!("reviews/update.json");
const STATEFUL_SET: &str = include_str!("reviews/statefulset.json");
const CONTAINER: &str = include_str!("reviews/container.json");
const CONTAINER_FIELDS: &str = include_str!("reviews/container-fields.json");
/// The last of the labels in the file.
const MARK: &str = r#","singleton-guard.io/singleton":"true""#;
