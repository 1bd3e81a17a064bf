//! One object of a list and one line of a watch, as they come out of the [`sieve`](super::sieve). Pure.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::seen::{Meta, Nothing, Seen};
use super::sieve::Keep;

/// An object that the API server has sent.
#[derive(Debug)]
pub enum Object<'a, S = Nothing, T = Nothing> {
    /// It could be read.
    Read(Seen<'a, S, T>),
    /// It could not, for this reason, but is this one. The reason names no content: it is for the log.
    Unread(Meta<'a>, &'static str),
}

/// A line of a watch.
#[derive(Debug)]
pub enum Line<'a, S = Nothing, T = Nothing> {
    /// An object is new or has changed (`ADDED`, `MODIFIED`).
    Is(Object<'a, S, T>),
    /// An object is gone, or no longer selected (`DELETED`).
    Gone(Meta<'a>),
    /// Nothing has happened up to the version in there (`BOOKMARK`).
    Nothing(Meta<'a>),
    /// The watch says itself that it cannot go on (`ERROR`).
    Ended {
        /// HTTP status code, as in 410 for a revision that is forgotten.
        code: u16,
        /// The API server's words.
        message: String,
    },
}

/// It is no line that an API server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a line of the watch is not what an API server sends")]
pub struct NoLine;

/// The line of an object that can be read: nearly every one.
#[derive(serde::Deserialize)]
#[serde(bound(deserialize = "S: serde::Deserialize<'de> + Default, T: serde::Deserialize<'de> + Default"))]
struct Usual<'a, S, T> {
    #[serde(rename = "type", borrow)]
    type_: Cow<'a, str>,
    #[serde(borrow)]
    object: Seen<'a, S, T>,
}

/// Any other.
#[derive(serde::Deserialize)]
struct Unusual<'a> {
    #[serde(rename = "type", borrow)]
    type_: Cow<'a, str>,
    #[serde(borrow)]
    object: &'a RawValue,
}

/// The `Status` of an `ERROR`.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Status {
    code: u16,
    message: String,
}

impl<'a, S: DeserializeOwned + Default, T: DeserializeOwned + Default> Object<'a, S, T> {
    /// Reads one.
    #[must_use]
    pub fn read(object: &'a [u8]) -> Self {
        if let Some(seen) = read(object) {
            return Self::Read(seen);
        }
        match serde_json::from_slice::<Seen<'a>>(object) {
            Ok(Seen { metadata, .. }) => Self::Unread(metadata, "its spec or its status is not of the expected form"),
            Err(_) => Self::Unread(Meta::head(object), "its metadata is not of the expected form"),
        }
    }

    /// Its metadata, as far as they could be read.
    #[must_use]
    pub const fn metadata(&self) -> &Meta<'a> {
        match self {
            Self::Read(seen) => &seen.metadata,
            Self::Unread(metadata, _) => metadata,
        }
    }

    /// The same, to keep.
    #[must_use]
    pub fn into_metadata(self) -> Meta<'a> {
        match self {
            Self::Read(seen) => seen.metadata,
            Self::Unread(metadata, _) => metadata,
        }
    }
}

impl<'a, S: DeserializeOwned + Default, T: DeserializeOwned + Default> Line<'a, S, T> {
    /// What is kept of a line, given what is of an object.
    #[must_use]
    pub fn keep(object: &Keep) -> Keep {
        let status = [("code", Keep::short()), ("message", Keep::whole(MESSAGE_MAX))];
        Keep::fields([("type", Keep::short()), ("object", object.clone().and(status))])
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`NoLine`].
    pub fn read(line: &'a [u8]) -> Result<Self, NoLine> {
        if let Some(Usual { type_, object }) = read(line)
            && let Some(line) = Self::of(&type_, Object::Read(object))
        {
            return Ok(line);
        }
        let Unusual { type_, object } = serde_json::from_slice(line).map_err(|_| NoLine)?;
        let object = object.get().as_bytes();
        if type_ == "ERROR" {
            let Status { code, message } = serde_json::from_slice(object).unwrap_or_default();
            return Ok(Self::Ended { code, message });
        }
        Self::of(&type_, Object::read(object)).ok_or(NoLine)
    }

    fn of(type_: &str, object: Object<'a, S, T>) -> Option<Self> {
        match type_ {
            "ADDED" | "MODIFIED" => Some(Self::Is(object)),
            "DELETED" => Some(Self::Gone(object.into_metadata())),
            "BOOKMARK" => Some(Self::Nothing(object.into_metadata())),
            _ => None,
        }
    }

    /// The version that it tells of, as it is written; empty where there is none.
    #[must_use]
    pub fn version(&self) -> &str {
        match self {
            Self::Is(object) => &object.metadata().resource_version,
            Self::Gone(metadata) | Self::Nothing(metadata) => &metadata.resource_version,
            Self::Ended { .. } => "",
        }
    }
}

/// Checks the encoding once, which costs less than at every text.
fn read<'a, T: serde::Deserialize<'a>>(json: &'a [u8]) -> Option<T> {
    str::from_utf8(json).ok().and_then(|json| serde_json::from_str(json).ok())
}

const MESSAGE_MAX: usize = 4_096;
