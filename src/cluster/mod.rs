//! Questions to the cluster: the one thing a request may wait for; and watches, for the rooms that keep something.
//!
//! A decision asks at most once ([`Lookup`]); whoever answers says [`Unknown`] instead of failing. Only metadata is
//! read, but of a Pod that holds a name, and nothing is remembered: the answer is as exact as the API server's own
//! store. Nothing is written from here; `call` is for the rooms that do.

mod api_server;
pub(crate) mod call;
mod client;
pub(crate) mod follow;
mod gate;
mod metadata;
pub(crate) mod shelf;

use std::future::Future;

use tokio::time::Instant;

use crate::policy::lookup::{Found, Lookup, Unknown};
use crate::policy::mark::MarkKey;

pub use api_server::ApiServer;
pub use client::{ConnectError, connect, words};
pub(crate) use client::{resource, root_cause};
pub use gate::Gate;
pub(crate) use metadata::PARTIAL_OBJECT_METADATA;

/// Something that can say what a look-up asks.
pub trait Cluster: Send + Sync + 'static {
    /// Answers before the deadline, in the shape of the question. `mark` is the label key to look for.
    fn answer(
        &self,
        lookup: &Lookup<'_>,
        mark: &MarkKey,
        deadline: Instant,
    ) -> impl Future<Output = Result<Found, Unknown>> + Send;
}
