//! The configuration file: read at the start, and again whenever its bytes are others.
//!
//! Whoever works by the settings holds a [`Current`] and reads it once for each thing it does, so that one review is
//! never judged by two versions. What is wrong with a file ([`parse`]) never reaches it: `reload` keeps the old
//! settings. What the settings are is said in [`crate::settings`].

mod parse;
mod reload;

use std::future::pending;
use std::sync::Arc;

use tokio::sync::watch;

pub use parse::{ConfigurationError, Fault, parse, read};
pub use reload::{OwnPod, Reloader};

use crate::settings::Settings;

/// The settings in force. Clones see the same.
#[derive(Debug, Clone)]
pub struct Current(watch::Receiver<Arc<Settings>>);

impl Current {
    /// The settings as of now.
    #[must_use]
    pub fn get(&self) -> Arc<Settings> {
        Arc::clone(&self.0.borrow())
    }

    /// Waits until they are others than when this was last called.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody is left who could change them.
            pending::<()>().await;
        }
    }
}

/// Settings that stay as they are.
impl From<Settings> for Current {
    fn from(settings: Settings) -> Self {
        Self(watch::channel(Arc::new(settings)).1)
    }
}
