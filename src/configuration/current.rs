//! The settings in force, for whoever works by them.

use std::future::pending;
use std::sync::Arc;

use tokio::sync::watch;

use crate::settings::Settings;

/// The settings in force. Clones see the same.
#[derive(Debug, Clone)]
pub struct Current(pub(super) watch::Receiver<Arc<Settings>>);

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
