//! The server: HTTPS for the API server, plain HTTP for the kubelet and Prometheus.
//!
//! It carries bytes to the decision and the answer back, within bounds of time and size, whatever the peer does.
//! What is allowed is not its business.

mod accept;
mod body;
mod body_memory;
mod connection;
pub mod deadline;
mod handler;
mod limits;
mod listener;
pub mod operations;
mod readiness;
mod router;
mod slots;
mod tls;

pub use accept::Server;
pub use handler::Handler;
pub use limits::Limits;
pub use listener::{GatedListener, PendingListener};
pub use readiness::{Condition, Missing, Readiness};
pub use router::router;
pub use tls::tls_config;
