//! Starts and ends the controller: as the settings say it watches, and lets its workers reconcile what the watches report.

use std::sync::Arc;

use kube::Client;
use tokio::task::JoinSet;

use super::index::Around;
use super::watch;
use super::workers::{Context, Workers};
use crate::cluster::Clock;
use crate::configuration::Current;
use crate::events::Recorder;
use crate::index::Index;
use crate::settings::Settings;
use crate::telemetry::metrics::Metrics;

/// Keeps the companions of all singletons.
pub struct Controller {
    index: Index,
    settings: Current,
    context: Context,
}

impl Controller {
    /// `instance` names this replica in Events.
    #[must_use]
    pub fn new(client: Client, index: Index, settings: Current, metrics: Metrics, instance: String) -> Self {
        let recorder = Recorder::new(client.clone(), "singleton-guard.io/companions", "KeepCompanions", instance);
        let context = Context { client, metrics, recorder: Arc::new(recorder), clock: Clock::default() };
        Self { index, settings, context }
    }

    /// Times are judged by this clock.
    #[must_use]
    pub fn timed(mut self, clock: Clock) -> Self {
        self.context.clock = clock;
        self
    }

    /// Never ends.
    pub async fn run(mut self) {
        loop {
            let settings = self.settings.get();
            if settings.companions.enabled {
                self.work(settings).await;
            } else {
                self.settings.changed().await;
            }
        }
    }

    /// Until other things have to be watched, or none.
    async fn work(&self, settings: Arc<Settings>) {
        let Context { client, metrics, .. } = &self.context;
        let mut watches = JoinSet::new();
        let (services, budgets) = watch::start(client, &settings, metrics, &mut watches);
        let around = Around::new(&self.index, &services, &budgets);
        Workers::new(&self.context, settings).run(around, self.settings.clone(), &mut watches).await;
        watches.shutdown().await;
        metrics.watches.ended(watch::NAMES);
        metrics.singletons.consent_windows(0);
    }
}
