//! Every sentence that a person reads in an answer: what is wrong and what to do about it, one file a rule, and here what is
//! said beside that. `tests/messages.txt` shows every refusal with its remedy.
//!
//! Three things are said elsewhere: what Events say of companions in `companions/plan/words.rs`, what to do instead of
//! marking a kind in `api/kind.rs` (`instead`), and what the API server warns of by itself in `chart/warnings.rs`.

mod sg001;
mod sg002;
pub(super) mod sg003;
mod sg004;
mod sg005;
mod sg006;
mod sg007;
mod sg010;
mod sg011;
mod sg012;

use std::fmt;

use super::lookup::Unknown;
use super::surplus::Ending;
use crate::api::reference::Regarding;
use crate::api::text::{clip, line};

/// A workload is a singleton no longer.
pub(super) fn released(subject: &Regarding) -> String {
    line("", &subject.id(), " is no longer a singleton: nothing keeps it at one replica", WARNING_MAX)
}

/// A workload becomes a singleton and has Pods too many.
pub(super) fn ends_others(subject: &Regarding, ending: Ending) -> Vec<String> {
    let warning = line("SG001 ", &subject.id(), &format!(": {}", ending.sentence()), WARNING_MAX);
    [Some(warning), ending.remark().map(ToOwned::to_owned)].into_iter().flatten().collect()
}

/// The cluster could not be asked whether the workload is a singleton.
pub(super) fn unknown(subject: &Regarding, cause: &Unknown) -> String {
    let after = format!(" is a singleton: {}; nothing was changed", clip(&cause.to_string(), CAUSE_MAX));
    line("could not decide whether ", &subject.id(), &after, LINE_MAX)
}

/// A fault of ours, or a request that could not be understood.
pub(super) fn could_not_decide(cause: &str) -> String {
    line("could not decide ", cause, "; nothing was changed", LINE_MAX)
}

/// Completes "could not decide whether ... is a singleton: ...".
impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slow(limit) => write!(f, "the API server did not answer within {} ms", limit.as_millis()),
            Self::Unreachable(cause) => write!(f, "the API server could not be reached ({cause})"),
            Self::Refused { code, message } => write!(f, "the API server refused the look-up with {code} ({message})"),
            Self::NotFound => f.write_str("it was not found"),
            Self::Replaced => f.write_str("it was deleted and created again meanwhile"),
            Self::Unreadable(cause) => write!(f, "the API server's answer could not be read ({cause})"),
            Self::Busy => f.write_str("too many look-ups are under way"),
        }
    }
}

/// Where a Pod is.
fn on_node(node: &str) -> String {
    if node.is_empty() { "without a node yet".to_owned() } else { format!("on node {}", clip(node, NODE_MAX)) }
}

fn or_none(value: Option<&str>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("\"{}\"", clip(value, VALUE_MAX)))
}

/// A workload is strict no longer.
pub(super) const KEY_STAYS: &str =
    "its Pod template keeps label singleton-guard.io/key, so only one Pod can be: take it off for more (a rollout)";
/// A Deployment is given the strategy `Recreate`. It may be refused after that, and kubectl shows the warning all the same: it
/// tells what holds in general.
pub(super) const RECREATED: &str =
    "SG002: a singleton without a strategy of its own gets Recreate: a rolling update would run a second copy of it";
/// A released StatefulSet is given back the name of its Service.
pub(super) const SERVICE_NAME_KEPT: &str =
    "a StatefulSet keeps the spec.serviceName that is stored, where a request leaves it out: it is immutable";

/// kubectl and the events of the autoscaler show the message as one line.
pub(super) const LINE_MAX: usize = 250;
/// The API server asks for at most 120 characters a warning (`AdmissionResponse.warnings`).
pub(super) const WARNING_MAX: usize = 120;
/// In a warning a longer name would leave no room for what is wrong.
pub(super) const NAME_MAX: usize = 64;
// The longest sentence with these lengths leaves 16 of a line's characters for the object's name (tested).
const KEY_MAX: usize = 64;
const KEY_MAX_SHORT: usize = 48;
const NODE_MAX: usize = 48;
const VALUE_MAX: usize = 24;
const CAUSE_MAX: usize = 120;
