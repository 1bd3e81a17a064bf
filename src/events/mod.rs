//! Events (`events.k8s.io/v1`): what this process has to say where people look first, in `kubectl describe`.
//!
//! An Event is never what something depends on: one that cannot be written is a line in the log.

pub mod aggregator;
mod denials;
pub mod lookup_limit;
mod recorder;

use std::time::Duration;

pub use denials::{Denials, IsKnown, RefusedRequest, Writer, denied_event};
pub use recorder::{Event, Recorder};

/// When a state is said again while it lasts. The API server forgets an Event an hour after it was made (`--event-ttl`;
/// etcd's leases add up to a minute), and until then saying it again changes nothing: the third time is soon after.
pub(crate) const SAY_AGAIN: Duration = Duration::from_secs(21 * 60);
