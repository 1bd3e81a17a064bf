//! The server: HTTPS for the API server, plain HTTP for the kubelet and Prometheus.
//!
//! It carries bytes to the decision and the answer back, within bounds of time and size, whatever the peer does.
//! What is allowed is not its business.

mod accept;
mod body;
mod budget;
mod connection;
pub mod deadline;
mod door;
mod guard;
mod limits;
pub mod operations;
mod places;
mod readiness;
mod router;
mod tls;

pub use accept::Server;
pub use door::{Door, Opened};
pub use guard::Guard;
pub use limits::Limits;
pub use readiness::{Condition, Missing, Readiness};
pub use router::router;
pub use tls::tls_config;
