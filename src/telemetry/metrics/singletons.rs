//! Metrics of the singletons in the cluster. Every replica counts all of them, so a query takes the maximum of the replicas.

use std::time::Duration;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::telemetry::labels;
use crate::telemetry::register::{add, set};

/// How many singletons there are, and in which states.
#[derive(Clone)]
pub struct Singletons {
    all: Family<labels::Resource, Gauge>,
    above_one: Family<labels::Resource, Gauge>,
    autoscaled: Family<labels::Resource, Gauge>,
    blocked: Gauge,
    blocked_longest: Gauge,
    consent_windows: Gauge,
}

impl Singletons {
    pub(super) fn new(own: &mut Registry) -> Self {
        Self {
            all: add(
                own,
                "singletons",
                "Marked workloads, without those that another marked workload controls. Each replica counts all of them: \
                 use max, not sum",
            ),
            above_one: add(
                own,
                "singletons_above_one",
                "Singletons with more than one replica, in spec or status. Each replica counts all of them: use max, not \
                 sum",
            ),
            autoscaled: add(
                own,
                "autoscaled_singletons",
                "Singletons that an autoscaler could scale above one. Each replica counts all of them: use max, not sum",
            ),
            blocked: add(
                own,
                "strict_singletons_blocked",
                "Strict singletons that cannot start because another Pod has their name. Each replica counts all of them: \
                 use max, not sum",
            ),
            blocked_longest: add(
                own,
                "strict_singletons_blocked_longest_seconds",
                "How long the one that was blocked first has been blocked; 0 if none is",
            ),
            consent_windows: add(
                own,
                "consent_windows_open",
                "Singletons whose Pod may be evicted now, because somebody has allowed it until a certain time. Each \
                 replica counts all of them: use max, not sum",
            ),
        }
    }

    /// So many marked workloads of a kind there are, and so many of them are above one replica.
    pub fn count(&self, resource: &'static str, all: usize, above_one: usize) {
        set(&self.all.get_or_create(&labels::Resource { resource }), all);
        set(&self.above_one.get_or_create(&labels::Resource { resource }), above_one);
    }

    /// So many singletons of a kind are the target of an autoscaler that may ask for more than one.
    pub fn autoscaled(&self, resource: &'static str, count: usize) {
        set(&self.autoscaled.get_or_create(&labels::Resource { resource }), count);
    }

    /// So many windows of consent are open.
    pub fn consent_windows(&self, count: usize) {
        set(&self.consent_windows, count);
    }

    /// So many strict singletons wait for another Pod, the first of them for so long.
    pub fn blocked(&self, count: usize, longest: Duration) {
        set(&self.blocked, count);
        self.blocked_longest.set(i64::try_from(longest.as_secs()).unwrap_or(i64::MAX));
    }
}
