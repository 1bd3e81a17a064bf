//! Events (`events.k8s.io/v1`): what this process has to say where people look first, in `kubectl describe`.
//!
//! An Event is never what something depends on: one that cannot be written is a line in the log.

mod denials;
pub mod doubt;
pub mod fold;
mod voice;

use std::time::Duration;

pub use denials::{Asked, Denials, Known, Teller, said};
pub use voice::{Saying, Voice};

/// When a state is said again while it lasts. The API server forgets an Event an hour after it was made (`--event-ttl`;
/// etcd's leases add up to a minute), and until then saying it again changes nothing: the third time is soon after.
pub(crate) const SAY_AGAIN: Duration = Duration::from_secs(21 * 60);
