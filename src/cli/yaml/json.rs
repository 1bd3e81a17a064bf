//! JSON that cannot be read as YAML, which kubectl takes too. Its values have no place of their own.

use serde_json::{Deserializer, Value};
use serde_saphyr::granit_parser::Parser;

use super::tree::{Content, Key, Node, Place};

/// JSON that is no YAML: several objects one behind the other, or tabs where YAML wants spaces.
pub(super) fn other_json(text: &str) -> Option<Vec<Node<'_>>> {
    let is_yaml = Parser::new_from_str(text).all(|event| event.is_ok());
    if is_yaml {
        return None;
    }
    let values: Vec<Value> =
        Deserializer::from_str(text.trim_start_matches('\u{feff}')).into_iter().collect::<Result<_, _>>().ok()?;
    Some(values.into_iter().map(|value| from_json(value, Place { line: 1, column: 1, end: 1 })).collect())
}

fn from_json<'a>(value: Value, place: Place) -> Node<'a> {
    let content = match value {
        Value::Null => Content::Null,
        Value::Bool(is) => Content::Bool(is),
        Value::Number(number) => Content::Number(number.to_string()),
        Value::String(text) => Content::Text(text.into()),
        Value::Array(items) => Content::List(items.into_iter().map(|item| from_json(item, place)).collect()),
        Value::Object(entries) => Content::Map(
            entries
                .into_iter()
                .map(|(key, value)| (Key { text: key.into(), place }, from_json(value, place)))
                .collect(),
        ),
    };
    Node { place, content }
}
