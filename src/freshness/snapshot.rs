//! The marked workloads of one kind, up to a revision, and what that proves. Pure: no IO, no clock.
//!
//! Two things are kept: the marked workloads, and the revision up to which that is all of them. They hold together:
//! whatever is not told in the order of revisions makes everything unknown until the next list.

use std::collections::BTreeMap;

use super::change::{Change, NamespacedName, Version};
use crate::api::mark::MarkKey;
use crate::cluster::revision::Revision;
use crate::policy::lookup::Parent;

/// The marked workloads of one kind, up to a revision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// By namespace, then by name.
    marked: BTreeMap<String, BTreeMap<String, Marked>>,
    /// Every change up to here is in `marked`. None: nothing is known.
    until: Option<Revision>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Marked {
    uid: String,
    revision: Revision,
    owner: Option<String>,
}

/// The snapshot of one kind, and which label counts as the mark in it.
#[derive(Debug, Default)]
pub struct Observed {
    pub(super) mark: MarkKey,
    pub(super) snapshot: Snapshot,
}

/// What is proven about one version of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It does not carry the mark.
    Unmarked,
    /// It carries the mark.
    Marked,
    /// Nothing yet: it was written after the last change that was seen.
    Behind,
    /// Nothing: the name is marked, but in another version than the one that is meant.
    Other,
    /// Nothing: no watch is at work.
    Blind,
}

/// A watch told something older than what it had told before, as after etcd was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the watch went back from revision {from:?} to {to:?}")]
pub struct Backwards {
    from: Revision,
    to: Revision,
}

impl Observed {
    /// What is proven about a parent, for whoever takes this label for the mark.
    #[must_use]
    pub fn verdict(&self, parent: &Parent<'_>, revision: Revision, mark: &MarkKey) -> Verdict {
        if self.mark != *mark {
            return Verdict::Blind;
        }
        self.snapshot.verdict(&parent.object.namespace, &parent.object.name, &parent.object.uid, revision)
    }
}

impl Snapshot {
    /// What a list shows takes the place of all that was known.
    #[must_use]
    pub fn listed<'a>(items: impl IntoIterator<Item = (NamespacedName<'a>, Version<'a>)>, revision: Revision) -> Self {
        let mut known = Self { marked: BTreeMap::new(), until: Some(revision) };
        for (name, version) in items {
            known.put(name, version);
        }
        known
    }

    /// The watch is over, so nothing that happens from now on is seen.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// Takes in one change of the watch.
    ///
    /// # Errors
    /// [`Backwards`]; then nothing is known any more.
    pub fn apply(&mut self, change: Change<'_>) -> Result<(), Backwards> {
        // Each write has a revision of its own; a bookmark may repeat the last.
        let (to, is_told_again) = match &change {
            Change::Written(_, Version { revision, .. }) | Change::Deleted(_, revision) => (*revision, false),
            Change::Bookmark(revision) => (*revision, true),
        };
        let Some(from) = self.until else { return Ok(()) };
        if to < from || (to == from && !is_told_again) {
            self.forget();
            return Err(Backwards { from, to });
        }
        match change {
            Change::Written(name, version) if version.marked => self.put(name, version),
            Change::Written(name, _) | Change::Deleted(name, _) => self.take(&name),
            Change::Bookmark(_) => {}
        }
        self.until = Some(to);
        Ok(())
    }

    /// What is proven about the version of this workload that was written at this revision, and is the one that
    /// a write will replace.
    #[must_use]
    pub fn verdict(&self, namespace: &str, name: &str, uid: &str, revision: Revision) -> Verdict {
        match (self.until, self.marked.get(namespace).and_then(|names| names.get(name))) {
            (None, _) => Verdict::Blind,
            (Some(until), _) if until < revision => Verdict::Behind,
            // If it is not marked now but was then, it has been written since: the write that is judged cannot be
            // stored, and comes again with the newer version.
            (Some(_), None) => Verdict::Unmarked,
            (Some(_), Some(marked)) if marked.uid == uid && marked.revision == revision => Verdict::Marked,
            (Some(_), Some(_)) => Verdict::Other,
        }
    }

    /// The custom resource that controls a marked workload, as a text for a message.
    #[must_use]
    pub fn owner(&self, namespace: &str, name: &str) -> Option<&str> {
        self.marked.get(namespace)?.get(name)?.owner.as_deref()
    }

    fn put(
        &mut self,
        NamespacedName { namespace, name }: NamespacedName<'_>,
        Version { uid, revision, owner, .. }: Version<'_>,
    ) {
        let marked = Marked { uid: uid.into_owned(), revision, owner };
        self.marked.entry(namespace.into_owned()).or_default().insert(name.into_owned(), marked);
    }

    fn take(&mut self, NamespacedName { namespace, name }: &NamespacedName<'_>) {
        if let Some(names) = self.marked.get_mut(namespace.as_ref()) {
            names.remove(name.as_ref());
            if names.is_empty() {
                self.marked.remove(namespace.as_ref());
            }
        }
    }
}
