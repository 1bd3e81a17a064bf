//! Real AdmissionReviews, as an API server sent them: they keep the model's hand-made ones honest. A live story records them
//! (`tests/live/stories/recorded.rs`).

use std::path::Path;

use serde_json::{Value, json};
use singleton_guard::api::kind::Kinds;
use singleton_guard::policy::request::Phase;
use singleton_guard::policy::{Step, evaluate};
use singleton_guard::review;
use singleton_guard::settings::Settings;

use super::shapes;

/// Each recorded review is read, decided and answered as the file says.
#[test]
fn reviews_are_decided_as_they_say() -> Result<(), String> {
    let mut seen = 0;
    for scene in scenes() {
        let recorded = load(crate::root(), &scene.name)?;
        let body = recorded["review"].to_string();
        let review =
            review::read(body.as_bytes(), Kinds::BUILT_IN).map_err(|error| format!("{}: {error}", scene.name))?;
        let uid = review.uid.to_string();
        let verdict =
            match evaluate(Phase::Validate, review.request, &Settings::default(), std::time::SystemTime::now()) {
                Step::Decided(decision) if decision.allowed() => "allow".to_owned(),
                Step::Decided(decision) => decision.code().map_or("undecided".to_owned(), |code| code.to_string()),
                Step::Ask(lookup, _) => {
                    format!("ask {}", format!("{lookup:?}").split([' ', '(']).next().unwrap_or_default().to_lowercase())
                }
            };
        if recorded["verdict"] != verdict || recorded["review"]["request"]["uid"] != uid {
            return Err(format!("{}: recorded as {}, decided as {verdict}", scene.name, recorded["verdict"]));
        }
        seen += 1;
    }
    if seen == SCENES.len() * KINDS.len() { Ok(()) } else { Err(format!("only {seen} recorded reviews")) }
}

/// Every field that the model puts into a Scale is in the recorded one, with a value of the same type.
#[test]
fn the_models_scales_are_like_the_real_ones() -> Result<(), String> {
    for kind in KINDS {
        let recorded = load(crate::root(), &format!("{}-scale", kind.to_lowercase()))?;
        let request = &recorded["review"]["request"];
        let parent = json!({"metadata": {"name": "ledger", "namespace": "pay", "uid": "u"}, "spec": {"replicas": 1}, "status": {"replicas": 1}});
        for (side, object) in [("object", &request["object"]), ("oldObject", &request["oldObject"])] {
            missing(&shapes::scale_of(&parent), object, side)
                .map_or(Ok(()), |path| Err(format!("{kind}: no such field in a real Scale: {path}")))?;
        }
        if request["object"]["metadata"].get("labels").is_some() {
            return Err(format!("{kind}: a real Scale carries labels: it could be judged without asking"));
        }
    }
    Ok(())
}

/// A request that is recorded.
pub struct Scene {
    pub name: String,
    pub kind: &'static str,
    pub what: &'static str,
}

/// All of them.
pub fn scenes() -> Vec<Scene> {
    let of =
        |kind: &'static str| SCENES.map(|what| Scene { name: format!("{}-{what}", kind.to_lowercase()), kind, what });
    KINDS.into_iter().flat_map(of).collect()
}

/// The review as it was recorded, with its verdict.
pub fn load(root: &Path, name: &str) -> Result<Value, String> {
    let text = std::fs::read_to_string(root.join(path(name))).map_err(|error| format!("{name}: {error}"))?;
    serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))
}

/// Where it is kept.
pub fn path(name: &str) -> String {
    format!("tests/recorded/{name}.json")
}

/// The first path of the pattern that the value lacks or has with another type.
fn missing(pattern: &Value, value: &Value, path: &str) -> Option<String> {
    match pattern {
        Value::Object(members) => members.iter().find_map(|(key, member)| {
            missing(member, value.get(key).unwrap_or(&Value::Null), &format!("{path}.{key}"))
        }),
        leaf => (type_of(leaf) != type_of(value)).then(|| path.to_owned()),
    }
}

pub const fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

const KINDS: [&str; 4] = ["StatefulSet", "ReplicaSet", "Deployment", "ReplicationController"];
const SCENES: [&str; 3] = ["create", "update", "scale"];
