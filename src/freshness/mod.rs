//! The freshness proof: that the parent of a scale request is, or is not, a singleton, without asking the API server.
//!
//! A Scale carries no labels, but its old object has the `resourceVersion` of the workload that the write will replace,
//! and the write is stored only if that is still the version. So it is enough to know of *that version* whether it is
//! marked. For each kind the marked workloads are listed, and then every change of the kind is watched from the list's
//! revision on: once a change as new as that version was seen, and the name is not among the marked ones, it is proven
//! not to be marked. Nothing is kept about workloads that are not.
//!
//! * [`change`]: a change of a workload, read no further than the proof needs.
//! * [`snapshot`]: what is known of a kind, and the proof itself.
//! * `watch` says what is watched, and keeps it; `proof` is asked by `server`.
//!
//! Whatever is not proven is asked for, as if this room were not there: [`snapshot::Verdict`] has no other way to say no.
//! Nothing is written from here. The table of kinds says which are proven. A ReplicaSet never is: its Deployment decides, and
//! a Scale does not name it.

pub mod change;
#[cfg(feature = "server")]
mod proof;
pub mod snapshot;
#[cfg(feature = "server")]
mod watch;

#[cfg(feature = "server")]
pub use proof::{Freshness, Upkeep};
