//! Metrics of the configuration file, named as Prometheus and Alertmanager name theirs.

use std::time::SystemTime;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::telemetry::gauges::Moment;
use crate::telemetry::labels;
use crate::telemetry::register::add;

/// Whether the configuration file is in force, and since when.
#[derive(Clone)]
pub struct Configuration {
    reloads: Family<labels::Outcome, Counter>,
    is_in_force: Gauge,
    read_at: Moment,
}

impl Configuration {
    pub(super) fn new(own: &mut Registry) -> Self {
        Self {
            reloads: add(own, "config_reloads", "Times that a changed configuration file was read, by result"),
            is_in_force: add(
                own,
                "config_last_reload_successful",
                "1 if the configuration file as it is now is in force, else 0",
            ),
            read_at: add(
                own,
                "config_last_reload_success_timestamp_seconds",
                "When the configuration in force was read, in seconds since 1970",
            ),
        }
    }

    /// A changed file was read, and is in force or is wrong.
    pub fn reloaded(&self, is_good: bool) {
        let result = if is_good { "success" } else { "failure" };
        self.reloads.get_or_create(&labels::Outcome { result }).inc();
        self.is_in_force(is_good);
    }

    /// Whether the file as it is now is in force.
    pub fn is_in_force(&self, is_good: bool) {
        self.is_in_force.set(is_good.into());
        if is_good {
            self.read_at.set(SystemTime::now());
        }
    }
}
