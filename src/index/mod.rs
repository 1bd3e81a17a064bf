//! The marked workloads, once: one watch a kind, and what each of its readers needs of every object. Its readers are the
//! list of namespaces, the companions, the strict singletons, the Events on denials and the metrics.

#[cfg(feature = "server")]
mod custom;
pub mod marked;

#[cfg(feature = "server")]
mod upkeep;

#[cfg(feature = "server")]
pub(crate) use upkeep::{Entry, Key, Reader, uid_of};
#[cfg(feature = "server")]
pub use upkeep::{Index, Upkeep};
