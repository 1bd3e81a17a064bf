//! The companions' controller: gives every singleton its headless Service and its PodDisruptionBudget, as [`plan`] plans
//! them, and stamps the mark on the ReplicaSets of marked Deployments.
//!
//! ```text
//! watch  -> index   what there is, reduced to what a plan reads: never whole objects
//! index  -> queue   which workloads a change concerns
//! queue  -> plan -> write, stamp, Events on the workload
//! ```
//!
//! It runs in every replica, without a leader: all come to the same plan, and server-side apply with one field manager
//! makes the second write of the same bytes no write at all. Their clock is the API server's, and of replicas that
//! disagree by configuration or version each waits ([`backoff`]) before it answers the other. A quiet cluster sees no
//! write. What is not ours is never touched: each write names the uid and the revision that it was planned for.

pub mod backoff;
#[cfg(feature = "server")]
mod controller;
#[cfg(feature = "server")]
mod deleted;
#[cfg(feature = "server")]
mod events;
#[cfg(feature = "server")]
mod index;
#[cfg(feature = "server")]
mod memory;
pub mod plan;
#[cfg(feature = "server")]
mod queue;
#[cfg(feature = "server")]
mod reconcile;
#[cfg(feature = "server")]
mod seen;
#[cfg(feature = "server")]
mod stamp;
#[cfg(feature = "server")]
mod watch;
#[cfg(feature = "server")]
mod workers;
#[cfg(feature = "server")]
mod write;

#[cfg(feature = "server")]
pub use controller::Controller;
