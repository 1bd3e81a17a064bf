//! Why the process cannot start, or has to end.

use std::io;
use std::net::SocketAddr;

use crate::certs::lifetimes::LifetimesError;
use crate::cluster::ConnectError;
use crate::configuration::ConfigurationError;
use crate::telemetry::log::LevelError;

/// Why the process could not start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The log level.
    #[error(transparent)]
    Level(#[from] LevelError),
    /// The configuration file.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// A flag that is needed is missing.
    #[error("--{0} is missing: it is needed unless --certificate-directory is given")]
    Missing(&'static str),
    /// The lifetimes of certificates.
    #[error(transparent)]
    Lifetimes(#[from] LifetimesError),
    /// The API server.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A port is taken, or the address is not one of this machine.
    #[error("--{flag}: cannot listen on {address}: {cause}")]
    Listen {
        /// Which of the two.
        flag: &'static str,
        /// Address and port.
        address: SocketAddr,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The cryptography cannot do what is needed.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The operating system refuses something that every program needs.
    #[error("{what}: {cause}")]
    System {
        /// What was wanted.
        what: &'static str,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// A task that the process cannot do without has ended.
    #[error("the task {0:?} has ended, so the process cannot go on")]
    TaskEnded(&'static str),
}
