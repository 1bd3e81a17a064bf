//! What a strict singleton that waits for its Pod needs: pure, from who holds the name and for how long that has been so.
//! That there is only one Pod never depends on it.

use std::time::Duration;

use time::OffsetDateTime;

use crate::policy::holder::{Holder, State};

/// What is to be done for a workload that wants a Pod and has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing yet.
    Wait,
    /// Delete the Pod that holds the name: it has ended, and its kubelet has had time to take it away.
    Delete,
    /// Remind the workload's controller that the name is free: after many refusals it tries again only every few minutes.
    Remind,
    /// Say who holds the name.
    Tell,
}

/// The next step. `waited` is for how long the workload has wanted a Pod under this holder, or under none,
/// less what the caller grants.
#[must_use]
pub fn step(holder: Option<&Holder>, waited: Duration) -> Step {
    match holder {
        None if waited < A_MOMENT => Step::Wait,
        None => Step::Remind,
        Some(Holder { is_strict: false, .. }) => Step::Tell,
        Some(holder) if waited < granted(holder) => Step::Wait,
        Some(Holder { state: State::Ended | State::Lingers(_), .. }) => Step::Delete,
        Some(_) => Step::Tell,
    }
}

/// For how long a Pod of a strict singleton is its kubelet's alone.
const fn granted(holder: &Holder) -> Duration {
    match holder.state {
        State::Ended if holder.node.is_empty() => Duration::ZERO,
        State::Ended => A_WHILE,
        State::Stays | State::Ends(_) | State::Lingers(_) | State::Finalizes(_) => LONG,
    }
}

/// The reminders of a workload's controller while the workload waits, whoever gave them: replicas see each other's by
/// the annotation that each writes.
#[derive(Debug, Clone)]
pub struct Reminders {
    /// When the last one known of was given.
    last: Option<OffsetDateTime>,
    count: u32,
}

impl Reminders {
    /// None yet. `last` is what the annotation says when the workload begins to wait.
    #[must_use]
    pub const fn none_since(last: Option<OffsetDateTime>) -> Self {
        Self { last, count: 0 }
    }

    /// Counts one that was given now, by ourselves.
    pub fn give(&mut self, at: OffsetDateTime) {
        self.last = self.last.max(Some(at));
        self.count = self.count.saturating_add(1);
    }

    /// Counts the one that the annotation tells of, if it is later than all that are known, and says whether it is. A
    /// watch may still show an older one than our own; one from a clock far behind is never seen, and comes on top.
    pub fn see(&mut self, annotation: Option<OffsetDateTime>) -> bool {
        let is_new = annotation > self.last;
        if is_new {
            self.last = annotation;
            self.count = self.count.saturating_add(1);
        }
        is_new
    }

    /// How long to wait for something to come of the last one.
    #[must_use]
    pub fn pause(&self) -> Duration {
        A_MOMENT.saturating_mul(2_u32.saturating_pow(self.count)).min(LONG)
    }
}

/// A controller that was told of the end of a Pod has made the next one by then.
const A_MOMENT: Duration = Duration::from_secs(1);
/// A kubelet that has just started and does not take a Pod back, because its node's labels have changed, say, writes `Failed`
/// first and kills the containers a moment later: within 2 s, the period of its housekeeping, and with a grace of 1 s
/// (`HandlePodAdditions`, `HandlePodCleanups`).
const A_WHILE: Duration = Duration::from_secs(10);
/// Twice the grace period that Pods have by default.
const LONG: Duration = Duration::from_secs(60);
