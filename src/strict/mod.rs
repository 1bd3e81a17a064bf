//! Keeps strict singletons alive: a Pod that has ended and holds the name is deleted, a controller that has given up is
//! reminded, and who waits is told for whom ([`liveness`]).
//!
//! It runs in every replica, without a leader: each write names the uid that it is about, and doing it twice does nothing
//! more. That there is only one Pod does not depend on any of it.

#[cfg(feature = "server")]
mod actions;
#[cfg(feature = "server")]
mod controller;
pub mod liveness;
#[cfg(feature = "server")]
mod watch;

#[cfg(feature = "server")]
pub use controller::Controller;

/// The field manager of every write from here.
pub const FIELD_MANAGER: &str = "singleton-guard-strict";
