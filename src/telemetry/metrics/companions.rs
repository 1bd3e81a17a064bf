//! Metrics of what is written for singletons: their Services and budgets, and the mark on ReplicaSets.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::telemetry::labels;
use crate::telemetry::register::add;

/// Writes and passes of the companions' controller.
#[derive(Clone)]
pub struct Companions {
    writes: Family<labels::Write, Counter>,
    reconciles: Family<labels::Reconcile, Counter>,
    stamps: Counter,
}

impl Companions {
    pub(super) fn new(own: &mut Registry) -> Self {
        Self {
            writes: add(
                own,
                "companion_writes",
                "Writes of the Services and PodDisruptionBudgets that belong to singletons, by result",
            ),
            reconciles: add(
                own,
                "companion_reconciles",
                "Times that the Service and the PodDisruptionBudget of a singleton were looked after, by result",
            ),
            stamps: add(own, "replica_set_stamps", "Times that a ReplicaSet was given the mark of its Deployment"),
        }
    }

    /// A companion was written, or was not.
    pub fn wrote(&self, companion: &'static str, result: &'static str) {
        self.writes.get_or_create(&labels::Write { companion, result }).inc();
    }

    /// A workload was reconciled.
    pub fn reconciled(&self, resource: &'static str, result: &'static str) {
        self.reconciles.get_or_create(&labels::Reconcile { resource, result }).inc();
    }

    /// So many ReplicaSets were given the mark of their Deployment.
    pub fn stamped(&self, count: usize) {
        self.stamps.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }
}
