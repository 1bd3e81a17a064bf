//! The certificate this process serves with, and the trust the API server has in it.
//!
//! With nothing given, the process makes its own authority and a leaf, keeps both in one Secret that all replicas
//! share, and writes the authority into its own webhook configurations. [`plan`] and [`lifetimes`] decide,
//! and are pure; the others do. No private key is ever logged, and no Secret but the one named is ever read.

pub mod lifetimes;
pub mod plan;

#[cfg(feature = "server")]
pub mod authority;
#[cfg(feature = "server")]
mod bundle;
#[cfg(feature = "server")]
mod check;
#[cfg(feature = "server")]
pub mod controller;
#[cfg(feature = "server")]
mod directory;
#[cfg(feature = "server")]
pub mod facts;
#[cfg(feature = "server")]
mod handshake;
#[cfg(feature = "server")]
pub mod material;
#[cfg(feature = "server")]
mod provider;
#[cfg(feature = "server")]
mod secret;
#[cfg(feature = "server")]
mod self_signed;
#[cfg(feature = "server")]
pub mod serving;
#[cfg(feature = "server")]
mod x509;

#[cfg(feature = "server")]
pub use bundle::{WebhookConfiguration, WebhookConfigurationKind};
#[cfg(feature = "server")]
pub use controller::Controller;
#[cfg(feature = "server")]
pub use directory::Directory;
#[cfg(feature = "server")]
pub use provider::provider;
#[cfg(feature = "server")]
pub use secret::SecretRef;
#[cfg(feature = "server")]
pub use self_signed::SelfSigned;
