//! What a watch tells whoever listens to it.

use std::borrow::Cow;

use serde::de::DeserializeOwned;

use super::line::Object;
use super::seen::Meta;

/// What a watch says.
#[derive(Debug)]
pub(crate) enum Heard<'a, S, T> {
    /// A list begins.
    Begin,
    /// An object of the list, or one that is new or has changed.
    Is(Object<'a, S, T>),
    /// An object is gone, or no longer selected.
    Gone(Meta<'a>),
    /// The list is whole, and shows this revision.
    Whole(&'a str),
    /// Nothing has happened up to this revision.
    Nothing(Cow<'a, str>),
    /// Whether the watch is at work from now on.
    Follows(bool),
}

/// Why a listener does not take what it hears.
#[derive(Debug)]
pub(crate) enum Refused {
    /// This object cannot be used, for this reason, which names no content. The watch goes on.
    Unread { namespace: String, name: String, why: &'static str },
    /// What comes does not follow on what came: it has to begin with a list.
    Lost(String),
}

/// Who listens to a watch.
pub(crate) trait Listener: Send {
    /// The part of `spec` that is read.
    type Spec: DeserializeOwned + Default + Send;
    /// The part of `status` that is read.
    type Status: DeserializeOwned + Default + Send;

    /// Takes in what is heard.
    fn hear(&mut self, heard: Heard<'_, Self::Spec, Self::Status>) -> Result<(), Refused>;
}
