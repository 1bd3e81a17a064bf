//! Reviews with something wrong in them: recorded ones, with a value, a key or a byte that no API server would send.
//!
//! As bytes, because what is wrong may be the writing: a key that comes twice, a number with a point. Nothing is judged
//! here.

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;
use proptest::strategy::BoxedStrategy;
use serde_json::{Value, json};
use singleton_guard::api::key::KEY;

use super::case::MARK;

/// The recorded reviews, each of them again with the mark on it and with more replicas asked for, and the creation of a
/// strict singleton's Pod.
pub fn recorded(root: &Path) -> Result<Vec<Value>, String> {
    let mut reviews = Vec::new();
    let mut paths: Vec<_> = std::fs::read_dir(root.join("tests/recorded"))
        .map_err(|error| error.to_string())?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    paths.sort();
    for path in paths {
        let text = std::fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let recorded: Value = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        let review = recorded["review"].clone();
        for (marked, replicas) in [(false, 1), (true, 1), (true, 3)] {
            let mut review = review.clone();
            review["request"]["object"]["spec"]["replicas"] = json!(replicas);
            if marked {
                review["request"]["object"]["metadata"]["labels"][MARK] = json!("true");
            }
            reviews.push(review);
        }
        if path.ends_with("deployment-create.json") {
            reviews.push(pod(review));
        }
    }
    if reviews.len() < 36 { Err(format!("only {} recorded reviews", reviews.len())) } else { Ok(reviews) }
}

/// The review of a Pod, as somebody who creates what a workload's template says would cause it.
fn pod(mut review: Value) -> Value {
    let request = &mut review["request"];
    let mut pod = request["object"]["spec"]["template"].take();
    pod["metadata"]["name"] = json!("ledger");
    pod["metadata"]["labels"][KEY] = json!("ledger");
    request["resource"] = json!({"group": "", "version": "v1", "resource": "pods"});
    request["object"] = pod;
    review
}

/// One of the reviews with one to three faults.
pub fn mangled(reviews: Vec<Value>) -> BoxedStrategy<Vec<u8>> {
    let fault = prop_oneof![
        (place(), prop::sample::select(VALUES.to_vec())).prop_map(|(path, value)| Fault::Value(path, value)),
        (place(), prop::sample::select(VALUES.to_vec()), any::<bool>())
            .prop_map(|(path, value, first)| Fault::Twice(path, value, first)),
        (place(), prop::sample::select(SPELLINGS.to_vec())).prop_map(|(path, spell)| Fault::Spelled(path, spell)),
        place().prop_map(Fault::Gone),
        (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(at, byte)| Fault::Byte(at, byte)),
        (any::<prop::sample::Index>(), prop::sample::select(b"[]{}\",:0-.eE\\ \xff".to_vec()))
            .prop_map(|(at, byte)| Fault::Byte(at, byte)),
    ];
    (prop::sample::select(reviews), prop::collection::vec(fault, 1..4))
        .prop_map(|(review, faults)| write(review, &faults))
        .boxed()
}

/// One thing that is wrong.
#[derive(Debug, Clone)]
enum Fault {
    /// At this place stands this JSON.
    Value(&'static str, &'static str),
    /// The key comes twice, the second time, or the first, with this JSON.
    Twice(&'static str, &'static str, bool),
    /// The key is written in another way.
    Spelled(&'static str, Spelling),
    /// There is nothing at this place.
    Gone(&'static str),
    /// A byte is another one.
    Byte(prop::sample::Index, u8),
}

type Spelling = fn(&str) -> String;

fn place() -> impl Strategy<Value = &'static str> {
    // What decides is hit as often as all the rest.
    prop_oneof![prop::sample::select(DECISIVE.to_vec()), prop::sample::select(OTHERS.to_vec())]
}

/// Each place gets a name of its own first, which is then replaced in the text: a parser would put it right.
fn write(mut review: Value, faults: &[Fault]) -> Vec<u8> {
    let mut edits = Vec::new();
    for (number, fault) in faults.iter().enumerate() {
        let (Fault::Value(path, _) | Fault::Twice(path, ..) | Fault::Spelled(path, _) | Fault::Gone(path)) = fault
        else {
            continue;
        };
        let (parent, key) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(parent) = review.pointer_mut(parent).and_then(Value::as_object_mut) else { continue };
        let key = key.replace("~1", "/");
        let before = parent.remove(&key).unwrap_or(Value::Null).to_string();
        let name = format!("@{number}@");
        parent.insert(name.clone(), Value::Null);
        let quoted = json!(key).to_string();
        let written = match fault {
            Fault::Value(_, value) => format!("{quoted}:{value}"),
            Fault::Twice(_, value, true) => format!("{quoted}:{value},{quoted}:{before}"),
            Fault::Twice(_, value, false) => format!("{quoted}:{before},{quoted}:{value}"),
            Fault::Spelled(_, spell) => format!("\"{}\":{before}", spell(&key)),
            Fault::Gone(_) | Fault::Byte(..) => "\"gone\":null".to_owned(),
        };
        edits.push((format!("\"{name}\":null"), written));
    }
    let mut text = review.to_string();
    // Backwards, because a later one may stand in what an earlier one took away and kept.
    for (name, written) in edits.into_iter().rev() {
        text = text.replace(&name, &written);
        text = text.replace(&name.replace('"', "\\\""), "");
    }
    let mut bytes = text.into_bytes();
    for fault in faults {
        if let Fault::Byte(at, byte) = fault {
            let at = at.index(bytes.len());
            bytes[at] = *byte;
        }
    }
    bytes
}

const DECISIVE: [&str; 6] = [
    "/request/object/spec/replicas",
    "/request/oldObject/spec/replicas",
    "/request/object/metadata/labels/singleton-guard.io~1singleton",
    "/request/object/spec",
    "/request/object/metadata/labels",
    "/request/subResource",
];
const OTHERS: [&str; 20] = [
    "/kind",
    "/request",
    "/request/uid",
    "/request/resource",
    "/request/resource/group",
    "/request/resource/resource",
    "/request/namespace",
    "/request/name",
    "/request/operation",
    "/request/userInfo",
    "/request/userInfo/username",
    "/request/userInfo/groups",
    "/request/object",
    "/request/object/metadata",
    "/request/object/metadata/name",
    "/request/object/metadata/ownerReferences",
    "/request/object/metadata/labels/singleton-guard.io~1key",
    "/request/oldObject",
    "/request/oldObject/spec",
    "/request/oldObject/metadata",
];
const VALUES: [&str; 34] = [
    "0",
    "1",
    "2",
    "3",
    "-1",
    "-0",
    "1.0",
    "2.0",
    "0.5",
    "2e0",
    "1E400",
    "01",
    "2147483648",
    "4294967297",
    "9223372036854775808",
    "99999999999999999999999",
    "null",
    "true",
    "\"\"",
    "\"1\"",
    "\"2\"",
    "\"scale\"",
    "\"status\"",
    "\"CREATE\"",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "{}",
    "[]",
    "[1]",
    "[{}]",
    "[null]",
    r#"{"replicas":3}"#,
    r#"{"replicas":1,"replicas":3}"#,
    r#"{"singleton-guard.io/singleton":null}"#,
];
const SPELLINGS: [Spelling; 4] = [
    |key| key.to_uppercase(),
    |key| {
        let (first, rest) = key.split_at(1);
        first.to_uppercase() + rest
    },
    |key| {
        key.chars().fold(String::new(), |mut text, c| {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
            text
        })
    },
    |key| format!("{key} "),
];
