//! Which namespaces hold singletons, written into our own webhook configurations, so that an outage of ours refuses
//! there and lets everybody else work.
//!
//! ```text
//! index     -> plan    the list to come: grows at once, shrinks late
//! selectors            the list as the namespaceSelectors of the entries that are found in a configuration
//! upkeep               writes whatever is not as it should be
//! store                reads the configurations, and writes them by compare-and-swap
//! ```
//!
//! The list decides only what an outage does, never whether the guard holds: while a replica answers, an entry that
//! is called in the namespaces of the list and its twin for all others say the same. So whatever is uncertain makes the
//! list longer: until it is written everything is refused in an outage, also where a replica cannot follow the marked
//! workloads for long; and a namespace leaves it only when the API server's own store has just shown nothing marked there. Every replica may write; all come to the same list.

pub mod plan;
pub mod selectors;

#[cfg(feature = "server")]
mod store;
#[cfg(feature = "server")]
mod upkeep;

#[cfg(feature = "server")]
pub use upkeep::Upkeep;

/// The field manager of every write from here. Not the one of the certificate: each applies its own fields, and what
/// a manager leaves out of an apply it loses.
pub const FIELD_MANAGER: &str = "singleton-guard-namespaces";
