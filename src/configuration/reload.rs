//! The loop that follows the file. Its bytes are read again and again instead of being watched: a mounted ConfigMap
//! changes by exchanging a symbolic link above the file, which a watch of the file never sees.
//!
//! A file that is wrong changes nothing: the old settings stay in force, and that is said once for each wrong version,
//! counted, and shown by a gauge for as long as it lasts. Readiness does not depend on it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use super::Current;
use super::parse::{ConfigurationError, parse};
use crate::api::reference::Regarding;
use crate::events::{Event, Recorder};
use crate::settings::Settings;
use crate::telemetry::log::Level;
use crate::telemetry::metrics::Metrics;

/// Follows the file.
pub struct Reloader {
    path: PathBuf,
    /// What was read last: the bytes, or why there are none.
    last: Result<Vec<u8>, String>,
    settings: watch::Sender<Arc<Settings>>,
    level: Level,
    metrics: Metrics,
    own: Option<OwnPod>,
}

/// Our own Pod, and who speaks about it.
pub struct OwnPod {
    /// The Pod.
    pub pod: Regarding,
    /// Who says so.
    pub recorder: Recorder,
}

impl Reloader {
    /// `bytes` are those that the settings were read from.
    #[must_use]
    pub fn new(path: PathBuf, bytes: Vec<u8>, settings: Settings, level: Level, metrics: Metrics) -> Self {
        level.set(settings.log_level);
        metrics.configuration.is_in_force(true);
        let settings = watch::channel(Arc::new(settings)).0;
        Self { path, last: Ok(bytes), settings, level, metrics, own: None }
    }

    /// What is wrong is said in an Event, too.
    #[must_use]
    pub fn recording(self, own: Option<OwnPod>) -> Self {
        Self { own, ..self }
    }

    /// The settings, for whoever works by them.
    #[must_use]
    pub fn current(&self) -> Current {
        Current(self.settings.subscribe())
    }

    /// Never ends.
    pub async fn run(mut self) {
        loop {
            sleep(EVERY).await;
            self.look().await;
        }
    }

    /// Looks once, and puts the file's settings in force if it is another one and right.
    pub async fn look(&mut self) {
        let path = self.path.clone();
        let read = match tokio::fs::read(&path).await {
            Ok(bytes) => Ok(bytes),
            Err(cause) => Err(ConfigurationError::Read { path: path.clone(), cause }.to_string()),
        };
        if read == self.last {
            return;
        }
        self.last = read;
        let outcome = match &self.last {
            Ok(bytes) => parse(bytes).map_err(|fault| ConfigurationError::Wrong { path, fault }.to_string()),
            Err(problem) => Err(problem.clone()),
        };
        match outcome {
            Ok(settings) => self.adopt(settings),
            Err(problem) => self.reject(problem).await,
        }
    }

    fn adopt(&self, mut settings: Settings) {
        // What is watched, counted and written down is made from the table at start.
        let kinds = self.settings.borrow().kinds;
        if settings.kinds != kinds {
            tracing::warn!("customKinds have changed, which takes a restart: the ones of the start stay in force");
            settings.kinds = kinds;
        }
        self.metrics.configuration.reloaded(true);
        self.level.set(settings.log_level);
        tracing::info!(?settings, "the configuration was read again");
        // Those who work by it are not woken for a comment.
        self.settings.send_if_modified(|current| {
            let differs = **current != settings;
            *current = Arc::new(settings);
            differs
        });
    }

    async fn reject(&self, problem: String) {
        self.metrics.configuration.reloaded(false);
        tracing::error!(cause = problem, "the new configuration is wrong; the old one stays in force");
        if let Some(OwnPod { pod, recorder }) = &self.own {
            let note = format!("the old configuration stays in force: {problem}");
            let reason = "ConfigurationRejected";
            recorder.record(pod, &Event { reason, note, is_warning: true, is_state: false }).await;
        }
    }
}

/// A kubelet takes up to a minute to bring a ConfigMap into a Pod; reading a small file costs nothing beside that.
const EVERY: Duration = Duration::from_secs(1);
