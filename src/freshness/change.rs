//! What the proof needs of a change: names and revisions. Pure.
//!
//! What cannot be read is an error, never an event that says less: a change that was missed would make the proof wrong.

use std::borrow::Cow;

use crate::api::mark::MarkKey;
use crate::cluster::revision::Revision;
use crate::cluster::seen::Meta;
use crate::cluster::sieve::Keep;

/// What happened to one workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<'a> {
    /// It was written, or is one of the list.
    Written(NamespacedName<'a>, Version<'a>),
    /// It is gone.
    Deleted(NamespacedName<'a>, Revision),
    /// Nothing, up to this revision (`BOOKMARK`).
    Bookmark(Revision),
}

/// Namespace and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespacedName<'a> {
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
    /// Of a marked one, the custom resource that controls it, as a text for a message.
    pub owner: Option<String>,
}

/// An object without a name, a uid or a revision is not what an API server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an object without namespace, name, uid or revision")]
pub struct Unusable;

/// What is kept of an object.
#[must_use]
pub fn keep(mark: &MarkKey) -> Keep {
    Keep::fields([("metadata", Meta::keep([("labels", Keep::shorts([mark.as_str()])), Meta::keep_owners()]))])
}

impl<'a> Change<'a> {
    /// Reads the metadata of an object that is there.
    ///
    /// # Errors
    /// [`Unusable`]: the watch must begin again.
    pub fn written(metadata: Meta<'a>, mark: &MarkKey) -> Result<Self, Unusable> {
        let marked = metadata.labels.get(mark.as_str()).is_some();
        let owner = if marked { metadata.owner() } else { None };
        let Meta { namespace, name, uid, resource_version, .. } = metadata;
        let revision = Revision::parse(&resource_version).ok_or(Unusable)?;
        if namespace.is_empty() || name.is_empty() || uid.is_empty() {
            return Err(Unusable);
        }
        Ok(Self::Written(NamespacedName { namespace, name }, Version { uid, revision, marked, owner }))
    }

    /// Reads the metadata of one that is gone.
    ///
    /// # Errors
    /// As above.
    pub fn deleted(metadata: Meta<'a>, mark: &MarkKey) -> Result<Self, Unusable> {
        match Self::written(metadata, mark)? {
            Self::Written(name, version) => Ok(Self::Deleted(name, version.revision)),
            other => Ok(other),
        }
    }

    /// Reads a bookmark.
    ///
    /// # Errors
    /// As above.
    pub fn bookmark(revision: &str) -> Result<Self, Unusable> {
        Revision::parse(revision).map(Self::Bookmark).ok_or(Unusable)
    }
}
