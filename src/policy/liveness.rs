//! What a strict singleton that waits for its Pod needs: pure, from who holds the name and for how long that has been so.
//! That there is only one Pod never depends on it.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::holder::{Holder, State};

/// What is to be done for a workload that wants a Pod and has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing yet.
    Wait,
    /// Delete the Pod that holds the name: it has ended.
    Delete,
    /// Remind the workload's controller that the name is free: after many refusals it tries again only every few minutes.
    Nudge,
    /// Say who holds the name.
    Tell,
}

/// The next step. `waited` is for how long the workload has wanted a Pod under this holder, or under none.
#[must_use]
pub fn step(holder: Option<&Holder>, waited: Duration) -> Step {
    match holder {
        None if waited < A_MOMENT => Step::Wait,
        None => Step::Nudge,
        Some(Holder { is_strict: false, .. }) => Step::Tell,
        Some(Holder { state: State::Ended, .. }) => Step::Delete,
        Some(_) if waited < LONG => Step::Wait,
        Some(_) => Step::Tell,
    }
}

/// How long to wait after so many reminders in vain.
#[must_use]
pub fn pause(nudges: u32) -> Duration {
    A_MOMENT.saturating_mul(2_u32.saturating_pow(nudges)).min(LONG)
}

/// What people are told about a workload that waits for the Pod of this name. The same from every replica: no time in it
/// but the one at which the Pod was asked to end.
#[must_use]
pub fn blocked(holder: &Holder, name: &str, now: SystemTime) -> String {
    let node = if holder.node.is_empty() { "without a node".to_owned() } else { format!("on node {}", holder.node) };
    let does = match holder.state {
        _ if !holder.is_strict => "is none of a strict singleton".to_owned(),
        State::Stays => "is there".to_owned(),
        State::Ended => "has ended".to_owned(),
        State::Ends(since) => {
            let asked = now.checked_sub(since).and_then(|asked| OffsetDateTime::from(asked).format(&Rfc3339).ok());
            format!("terminates since {}", asked.unwrap_or_default())
        }
    };
    format!("waits for the name of Pod {name} {node}, which {does}: {}", holder.remedy())
}

/// A controller that was told of the end of a Pod has made the next one by then.
const A_MOMENT: Duration = Duration::from_secs(1);
/// Twice the grace period that Pods have by default.
const LONG: Duration = Duration::from_secs(60);
