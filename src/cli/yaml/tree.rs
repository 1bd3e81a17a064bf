//! A document as a tree, each value with its place, and ways to look into it. Pure.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

/// Where something stands. Lines and columns count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column of its first character.
    pub column: usize,
    /// The column behind its last character, where that is on the same line.
    pub end: usize,
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node<'a> {
    /// Where it begins.
    pub place: Place,
    /// What it is.
    pub content: Content<'a>,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Content<'a> {
    /// `null`.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number, as JSON.
    Number(String),
    /// A string.
    Text(Cow<'a, str>),
    /// A sequence.
    List(Vec<Node<'a>>),
    /// A mapping, in its order.
    Map(Vec<(Key<'a>, Node<'a>)>),
}

/// A key of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key<'a> {
    /// As a string: JSON has no others.
    pub text: Cow<'a, str>,
    /// Where it stands.
    pub place: Place,
}

impl<'a> Node<'a> {
    /// The value of a key, and where the key stands.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&(Key<'a>, Node<'a>)> {
        match &self.content {
            Content::Map(entries) => entries.iter().find(|(found, _)| found.text == key),
            _ => None,
        }
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.entry(key).map(|(_, value)| value)
    }

    /// The value at the end of these keys.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Node<'a>> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The string at the end of these keys.
    #[must_use]
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        match &self.at(path)?.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Where a field of this object stands, in the notation of `StatusCause.field`; of one that is not there, the last on the
    /// way to it that is. A collection stands where its key does.
    #[must_use]
    pub fn locate(&self, field: &str) -> Place {
        let (mut node, mut place) = (self, self.place);
        for key in keys(field) {
            let Some((key, value)) = node.entry(key) else { break };
            place = match value.content {
                Content::List(_) | Content::Map(_) | Content::Null => key.place,
                _ => value.place,
            };
            node = value;
        }
        place
    }

    /// The same as JSON. A number that JSON cannot hold is a string.
    #[must_use]
    pub fn json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Bool(is) => Value::Bool(*is),
            Content::Number(number) => {
                number.parse::<Number>().map_or_else(|_| Value::String(number.clone()), Value::Number)
            }
            Content::Text(text) => Value::String(text.clone().into_owned()),
            Content::List(items) => Value::Array(items.iter().map(Node::json).collect()),
            Content::Map(entries) => Value::Object(
                entries.iter().map(|(key, value)| (key.text.clone().into_owned(), value.json())).collect::<Map<_, _>>(),
            ),
        }
    }
}

/// The keys of a path such as `metadata.labels[example.com/a.b]`.
fn keys(field: &str) -> impl Iterator<Item = &str> {
    let mut rest = field;
    std::iter::from_fn(move || {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if rest.is_empty() {
            return None;
        }
        let (key, after) = match rest.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']').unwrap_or((bracketed, "")),
            None => rest.find(['.', '[']).map_or((rest, ""), |end| rest.split_at(end)),
        };
        rest = after;
        Some(key)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_read_key_by_key() {
        let all = |field| keys(field).collect::<Vec<_>>();
        assert_eq!(all("spec.replicas"), ["spec", "replicas"]);
        assert_eq!(all("metadata.labels[example.com/a.b]"), ["metadata", "labels", "example.com/a.b"]);
        assert_eq!(all("a[b].c"), ["a", "b", "c"]);
        assert!(all("").is_empty());
    }
}
