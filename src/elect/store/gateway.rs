//! What etcd's JSON gateway (`/v3/kv/`) is asked for a record, and what it answers: pure. Bytes are base64 in it, and
//! 64-bit numbers are text.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};

use super::Failed;
use crate::elect::record::{Cell, Record, Revision};

/// The body of `range`: a linearizable read of one key.
#[must_use]
pub fn range(key: &str) -> Value {
    json!({"key": BASE64_STANDARD.encode(key)})
}

/// The body of `txn`: writes the key if it was last written at this revision, or is absent.
#[must_use]
pub fn swap(key: &str, from: Option<Revision>, value: &str) -> Value {
    let key = BASE64_STANDARD.encode(key);
    // A key that is absent counts as written at 0.
    let from = from.map_or(0, |from| from.0).to_string();
    json!({
        "compare": [{"key": key, "target": "MOD", "result": "EQUAL", "mod_revision": from}],
        "success": [{"requestPut": {"key": key, "value": BASE64_STANDARD.encode(value)}}],
    })
}

/// What `range` has found.
pub fn found(body: &[u8]) -> Result<Cell, Failed> {
    let answer = parsed(body)?;
    // Every answer has one: without it this is no answer of etcd.
    revision(answer.pointer("/header/revision"))?;
    let Some(entry) = answer.pointer("/kvs/0") else { return Ok(Cell::Empty(None)) };
    let at = revision(entry.get("mod_revision"))?;
    // The value of an empty key is left out.
    let value = entry.get("value").and_then(Value::as_str).unwrap_or_default();
    let value = BASE64_STANDARD.decode(value).map_err(|error| Failed::Unreadable(error.to_string()))?;
    Ok(Record::read_json(&value, at))
}

/// Whether `txn` has written, and at which revision.
pub fn swapped(body: &[u8]) -> Result<Option<Revision>, Failed> {
    let answer = parsed(body)?;
    let at = revision(answer.pointer("/header/revision"))?;
    // What is false is left out.
    Ok(answer.get("succeeded").and_then(Value::as_bool).unwrap_or(false).then_some(at))
}

/// The token of `/v3/auth/authenticate`.
pub fn token(body: &[u8]) -> Result<String, Failed> {
    let answer = parsed(body)?;
    let token = answer.get("token").and_then(Value::as_str);
    token.map(str::to_owned).ok_or_else(|| Failed::Unreadable("it has no token".to_owned()))
}

fn parsed(body: &[u8]) -> Result<Value, Failed> {
    serde_json::from_slice(body).map_err(|error| Failed::Unreadable(error.to_string()))
}

fn revision(field: Option<&Value>) -> Result<Revision, Failed> {
    let number = field.and_then(Value::as_str).and_then(|text| text.parse().ok()).filter(|number| *number > 0);
    number.map(Revision).ok_or_else(|| Failed::Unreadable("it has no revision".to_owned()))
}
