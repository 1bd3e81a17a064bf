//! What is remembered of a workload from one pass to the next.

use tokio::time::Instant;

use super::patience::Patience;
use crate::events::Saying;

/// What was said and done about a workload, so that it is not said and done again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Memory {
    /// The uid of the workload.
    pub(super) uid: String,
    /// The states that were said.
    pub(super) said: Vec<Saying>,
    /// Since when there have been states to say, so that they are said again after a while.
    pub(super) said_at: Option<Instant>,
    /// The revision up to which a Deployment's ReplicaSets are stamped.
    pub(super) stamped: Option<String>,
    /// What was written for the workload of late.
    pub(super) patience: Patience,
}
