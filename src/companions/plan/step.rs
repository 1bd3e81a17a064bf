//! What a plan says is to be done.

use std::time::SystemTime;

use serde_json::Value;

use super::words::{Companion, Why};
use crate::api::kind::Kind;
use crate::api::names;

/// What is to be done for a workload, in this order. Nothing where all is as it should be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The writes.
    pub steps: Vec<Step>,
    /// The companions that it does not get.
    pub skipped: Vec<(Companion, Why)>,
    /// Until when a disruption is let through that would be blocked otherwise.
    pub window: Option<SystemTime>,
    /// When to plan again, though nothing may have happened.
    pub again: Option<SystemTime>,
}

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// To be applied (server-side), without force: what somebody else has set is left to them.
    Apply {
        /// Which companion.
        companion: Companion,
        /// Its name.
        name: String,
        /// What we demand of it. Where it exists, with its uid and revision as preconditions.
        body: Value,
        /// Whether it exists already.
        exists: bool,
    },
    /// To be deleted, if it still is what was seen.
    Remove {
        /// Which companion.
        companion: Companion,
        /// Its name.
        name: String,
        /// Its uid.
        uid: String,
        /// Its revision.
        resource_version: String,
        /// Why.
        why: Why,
    },
    /// To be let go of, if it still is what was seen: somebody else has written to it.
    LetGo {
        /// Which companion.
        companion: Companion,
        /// Its name.
        name: String,
        /// The uid of the workload that owned it.
        owner: String,
        /// Who has written to it.
        by: String,
        /// A JSON patch.
        patch: Value,
    },
}

impl Plan {
    /// Plans again at this time, if nothing happens before.
    pub(super) fn look_again(&mut self, at: SystemTime) {
        self.again = Some(self.again.map_or(at, |again| again.min(at)));
    }

    /// Takes this step, or plans again at the time from which on it may be taken.
    pub(super) fn step(&mut self, waits: Option<SystemTime>, step: impl FnOnce() -> Step) {
        match waits {
            Some(at) => self.look_again(at),
            None => self.steps.push(step()),
        }
    }
}

impl Step {
    /// Whether it makes a Service under a name that the user wrote.
    #[must_use]
    pub fn takes_a_written_name(&self, workload: &str, kind: Kind) -> bool {
        matches!(self, Self::Apply { companion: Companion::Service, name, .. } if !names::is_given(workload, kind, name))
    }

    /// Which companion it is about.
    #[must_use]
    pub const fn companion(&self) -> Companion {
        let (Self::Apply { companion, .. } | Self::Remove { companion, .. } | Self::LetGo { companion, .. }) = self;
        *companion
    }
}
