//! Questions to the cluster: the one thing a request may wait for; and watches, for the rooms that keep something.
//!
//! A decision asks at most once ([`Lookup`](crate::policy::lookup::Lookup)); whoever answers says
//! [`Unknown`](crate::policy::lookup::Unknown) instead of failing. A look-up reads only metadata, except of the Pod
//! that holds a name, which it reads whole, and it keeps nothing: the answer is as exact as the API server's own
//! store. A watch reads and keeps what the room behind it asks for. Nothing is written from here; `call` is for the
//! rooms that do.
//!
//! Everything that is watched comes by one machine:
//!
//! ```text
//! exchange -> sieve -> seen -> follow -> feed -> store
//! a GET      what     an      the       what    what was told,
//! streams    is kept  object  loop      is kept and who hears of it
//! ```

pub mod line;
pub mod revision;
pub mod seen;
pub mod sieve;

#[cfg(feature = "server")]
mod api_server;
#[cfg(feature = "server")]
pub(crate) mod call;
#[cfg(feature = "server")]
mod client;
#[cfg(feature = "server")]
pub(crate) mod clock;
#[cfg(feature = "server")]
pub(crate) mod exchange;
#[cfg(feature = "server")]
pub(crate) mod feed;
#[cfg(feature = "server")]
pub(crate) mod follow;
#[cfg(feature = "server")]
mod gate;
#[cfg(feature = "server")]
pub(crate) mod list;
#[cfg(feature = "server")]
pub(crate) mod listener;
#[cfg(feature = "server")]
pub(crate) mod metadata;
#[cfg(feature = "server")]
mod progress;
#[cfg(feature = "server")]
pub mod store;

#[cfg(feature = "server")]
pub use api_server::{ApiServer, Cluster};
#[cfg(feature = "server")]
pub(crate) use client::root_cause;
#[cfg(feature = "server")]
pub use client::{ConnectError, connect, words};
#[cfg(feature = "server")]
pub use clock::Clock;
#[cfg(feature = "server")]
pub use gate::Gate;
#[cfg(feature = "server")]
pub(crate) use metadata::{PARTIAL_OBJECT_METADATA, has_uid};
