//! The configuration file: read at the start, and again whenever its bytes are others.
//!
//! Whoever works by the settings holds a `Current` and reads it once for each thing it does, so that one review is
//! never judged by two versions. What is wrong with a file ([`parse`]) never reaches it: `reload` keeps the old
//! settings. What the settings are is said in [`crate::settings`]. The program for people reads the file only.

#[cfg(feature = "server")]
mod current;
mod parse;
#[cfg(feature = "server")]
mod reload;

#[cfg(feature = "server")]
pub use current::Current;
pub use parse::{ConfigurationError, Fault, parse, read};
#[cfg(feature = "server")]
pub use reload::{OwnPod, Reloader};
