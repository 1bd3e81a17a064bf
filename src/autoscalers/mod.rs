//! The autoscalers that could scale a singleton above one, also those that were there before its mark or came while nobody
//! was asked: told of in Events on both, counted, and named to whoever puts the mark on.
//!
//! ```text
//! watch -> found   of each autoscaler what it scales, and up to how many
//! found -> words   which of them target a singleton, and what there is to say
//! ```
//!
//! HorizontalPodAutoscalers are watched in the whole cluster, and the ScaledObjects of KEDA where they are served. Nothing is
//! written but Events.

pub mod found;
pub mod seen;

#[cfg(feature = "server")]
mod watcher;

#[cfg(feature = "server")]
pub use watcher::{Known, Watcher};
