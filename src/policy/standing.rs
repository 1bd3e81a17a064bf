//! Whether a workload is a singleton before and after a change: by its own mark, or by what the cluster said of those
//! that it belongs to. What follows from it is for the rules.

use super::change::{Change, Via};
use super::lookup::{Found, Lookup, Owner};
use crate::api::kind::Resource;
use crate::api::reference::ObjectRef;

/// Whether the workload is a singleton, before and after the change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// It was one.
    pub before: bool,
    /// It will be one.
    pub after: bool,
    /// It is a ReplicaSet, and the Deployment that controls it so far exists and is marked.
    pub behind_singleton: bool,
}

impl Standing {
    /// Where only the workload's own mark counts.
    pub(super) fn own(change: &Change<'_>) -> Self {
        let guarded = matches!(change.workload.resource, Resource::Guarded(_));
        Self {
            before: guarded && change.mark_before().is_present(),
            after: guarded && change.mark_after().is_present(),
            behind_singleton: false,
        }
    }

    /// By an answer, if it is one to the question.
    pub(super) fn by(change: &Change<'_>, found: &Found) -> Option<Self> {
        match *found {
            Found::Parent { marked, owner, .. } if change.via == Via::Scale => Some(Self::scaled(marked, owner)),
            Found::Owners { before, after } if change.via != Via::Scale => Some(Self::owned(change, before, after)),
            _ => None,
        }
    }

    /// By every answer that the cluster could give.
    pub(super) fn possible(change: &Change<'_>, lookup: &Lookup<'_>) -> Vec<Self> {
        let options = |owner: &Option<ObjectRef<'_>>| {
            if owner.is_some() { [Owner::Marked, Owner::Unmarked, Owner::Gone].map(Some).to_vec() } else { vec![None] }
        };
        match lookup {
            // Asked for what is said about it, whatever it is.
            Lookup::Holder(_) | Lookup::Target(_) | Lookup::Autoscaler(_) => Vec::new(),
            Lookup::Parent(_) => [true, false].map(|marked| Self::scaled(marked, None)).to_vec(),
            // One and the same owner cannot be two things.
            Lookup::Owners { before, after } if before == after => {
                options(after).into_iter().map(|owner| Self::owned(change, owner, owner)).collect()
            }
            Lookup::Owners { before, after } => {
                let after = options(after);
                let each = |before| after.iter().map(move |after| Self::owned(change, before, *after));
                options(before).into_iter().flat_map(each).collect()
            }
        }
    }

    /// Of the parent of a Scale, which itself says nothing.
    fn scaled(marked: bool, owner: Option<Owner>) -> Self {
        let singleton = judged_by(owner, marked);
        Self { before: singleton, after: singleton, behind_singleton: owner == Some(Owner::Marked) }
    }

    /// Of a ReplicaSet that has a Deployment before or after the change.
    fn owned(change: &Change<'_>, before: Option<Owner>, after: Option<Owner>) -> Self {
        let own = Self::own(change);
        Self {
            before: judged_by(before, own.before),
            after: judged_by(after, own.after),
            behind_singleton: before == Some(Owner::Marked),
        }
    }

    /// It exists, and becomes one.
    #[must_use]
    pub const fn becomes(self, change: &Change<'_>) -> bool {
        change.from.is_some() && !self.before && self.after
    }

    /// It is one no longer.
    #[must_use]
    pub const fn releases(self) -> bool {
        self.before && !self.after
    }

    /// It was one or will be one.
    #[must_use]
    pub const fn ever(self) -> bool {
        self.before || self.after
    }
}

/// A ReplicaSet with a Deployment is a singleton exactly if that Deployment is; its own mark counts only without one.
const fn judged_by(owner: Option<Owner>, own_mark: bool) -> bool {
    match owner {
        Some(Owner::Marked) => true,
        Some(Owner::Unmarked) => false,
        Some(Owner::Gone) | None => own_mark,
    }
}
