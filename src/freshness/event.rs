//! One line of a watch of metadata, and a list, read no further than the proof needs: a watch of a busy
//! cluster has a thousand lines a second, and most of each is `managedFields`.
//!
//! What cannot be read is an error, never an event that says less: a change that was missed would make the proof wrong.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::revision::Revision;
use crate::policy::mark::MarkKey;
use crate::policy::object::Text;

/// What happened to one workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// It was written, or is one of the list.
    Is(Name<'a>, Version<'a>),
    /// It is gone.
    Gone(Name<'a>, Revision),
    /// Nothing, up to this revision (`BOOKMARK`).
    Nothing(Revision),
}

/// Namespace and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name<'a> {
    /// The namespace.
    pub namespace: Cow<'a, str>,
    /// The name.
    pub name: Cow<'a, str>,
}

/// One version of a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version<'a> {
    /// Its uid.
    pub uid: Cow<'a, str>,
    /// When it was written.
    pub revision: Revision,
    /// Whether it carries the mark.
    pub marked: bool,
}

/// A whole list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List<'a> {
    /// What is on it.
    pub items: Vec<(Name<'a>, Version<'a>)>,
    /// The revision that it shows.
    pub revision: Revision,
    /// The same as it is written, for the watch that goes on from there.
    pub from: Cow<'a, str>,
}

/// Why a line cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is not what an API server sends.
    #[error("the API server's answer could not be read ({0})")]
    Unreadable(String),
    /// The watch says itself that it cannot go on.
    #[error("the watch was ended by the API server with {code} ({message})")]
    Ended {
        /// HTTP status code, as in 410 for a revision that is forgotten.
        code: u16,
        /// The API server's words.
        message: String,
    },
}

/// Reads one line of a watch.
///
/// # Errors
/// [`Unusable`]: the watch must begin again.
pub fn read<'a>(line: &'a [u8], mark: &MarkKey) -> Result<Event<'a>, Unusable> {
    let Line { type_, object } = serde_json::from_slice(line).map_err(unreadable)?;
    match type_.as_ref() {
        "ADDED" | "MODIFIED" => object.version(mark).map(|(name, version)| Event::Is(name, version)),
        "DELETED" => object.version(mark).map(|(name, version)| Event::Gone(name, version.revision)),
        "BOOKMARK" => revision(&object.metadata.resource_version).map(Event::Nothing),
        "ERROR" => Err(Unusable::Ended { code: object.code, message: object.message.into_owned() }),
        other => Err(Unusable::Unreadable(format!("a line of the type {other:?}"))),
    }
}

/// Reads a list. One that is not whole would be wrong.
///
/// # Errors
/// [`Unusable`]: the list must begin again.
pub fn read_list<'a>(body: &'a [u8], mark: &MarkKey) -> Result<List<'a>, Unusable> {
    let Listed { metadata: ListMetadata { resource_version: from, r#continue }, items } =
        serde_json::from_slice(body).map_err(unreadable)?;
    if !r#continue.is_empty() {
        return Err(Unusable::Unreadable("a list that is not whole".to_owned()));
    }
    let items = items.unwrap_or_default().into_iter().map(|item| item.version(mark)).collect::<Result<_, _>>()?;
    Ok(List { items, revision: revision(&from)?, from })
}

#[derive(serde::Deserialize)]
struct Line<'a> {
    #[serde(rename = "type", borrow)]
    type_: Cow<'a, str>,
    #[serde(borrow)]
    object: Item<'a>,
}

#[derive(serde::Deserialize)]
struct Listed<'a> {
    #[serde(borrow)]
    metadata: ListMetadata<'a>,
    #[serde(borrow)]
    items: Option<Vec<Item<'a>>>,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListMetadata<'a> {
    #[serde(borrow)]
    resource_version: Cow<'a, str>,
    #[serde(borrow, default)]
    r#continue: Cow<'a, str>,
}

/// A `PartialObjectMetadata`, or the `Status` of an `ERROR`.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Item<'a> {
    #[serde(borrow)]
    metadata: ItemMetadata<'a>,
    code: u16,
    #[serde(borrow)]
    message: Cow<'a, str>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ItemMetadata<'a> {
    #[serde(borrow)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    uid: Cow<'a, str>,
    #[serde(borrow)]
    resource_version: Cow<'a, str>,
    /// Not read before it is looked into: nothing bounds how many labels an object that is no singleton may have.
    #[serde(borrow)]
    labels: Option<&'a RawValue>,
}

impl<'a> Item<'a> {
    fn version(self, mark: &MarkKey) -> Result<(Name<'a>, Version<'a>), Unusable> {
        let ItemMetadata { namespace, name, uid, resource_version, labels } = self.metadata;
        if namespace.is_empty() || name.is_empty() || uid.is_empty() {
            return Err(Unusable::Unreadable("an object without namespace, name or uid".to_owned()));
        }
        let revision = revision(&resource_version)?;
        let marked = labels.map(|labels| has_key(labels, mark.as_str())).transpose()?;
        Ok((Name { namespace, name }, Version { uid, revision, marked: marked.unwrap_or_default() }))
    }
}

/// Whether a map of labels has this key.
fn has_key(labels: &RawValue, key: &str) -> Result<bool, Unusable> {
    struct Key<'k>(&'k str);
    impl<'de> Visitor<'de> for Key<'_> {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map of strings")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<bool, M::Error> {
            let mut found = false;
            while let Some((Text(key), Text(_))) = map.next_entry()? {
                found |= key == self.0;
            }
            Ok(found)
        }
    }
    serde_json::Deserializer::from_str(labels.get()).deserialize_map(Key(key)).map_err(unreadable)
}

fn revision(text: &str) -> Result<Revision, Unusable> {
    Revision::parse(text).ok_or_else(|| Unusable::Unreadable(format!("{text:?} is not a revision")))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unreadable(error: serde_json::Error) -> Unusable {
    Unusable::Unreadable(error.to_string())
}
