//! What is remembered of a workload from one pass to the next.

use std::time::Duration;

use tokio::time::Instant;

use super::backoff::Backoff;
use crate::events::{Event, SAY_AGAIN};

/// What was said and done about a workload, so that it is not said and done again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// The uid of the workload.
    pub(super) uid: String,
    /// The states that were said.
    pub(super) said: Vec<Event>,
    /// Since when there have been states to say, so that they are said again after a while.
    said_at: Option<Instant>,
    /// The revision up to which a Deployment's ReplicaSets are stamped.
    pub(super) stamped: Option<String>,
    /// What was written for the workload of late.
    pub(super) backoff: Backoff,
}

impl Memory {
    /// A pass over the workload of this uid begins: what is known of another one is forgotten, and what was said long ago is to
    /// be said again. Otherwise tells how long that has time.
    pub(super) fn begin(&mut self, uid: &str) -> Option<Duration> {
        if self.uid != uid {
            *self = Self { uid: uid.to_owned(), ..Self::default() };
        }
        let rest = SAY_AGAIN.saturating_sub(self.said_at?.elapsed());
        if rest.is_zero() {
            (self.said, self.said_at) = (Vec::new(), None);
            return None;
        }
        Some(rest)
    }

    /// These states were said. Tells when they are to be said again, where that is news.
    pub(super) fn said(&mut self, said: Vec<Event>) -> Option<Duration> {
        if self.said == said {
            return None;
        }
        // What is added is said again with the rest, or one that changes would keep the others from it.
        let said_at = self.said_at.unwrap_or_else(Instant::now);
        self.said_at = (!said.is_empty()).then_some(said_at);
        self.said = said;
        self.said_at.map(|at| SAY_AGAIN.saturating_sub(at.elapsed()))
    }
}
