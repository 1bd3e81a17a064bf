//! Metrics of the watches, by resource.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::telemetry::labels;
use crate::telemetry::register::{add, set};

/// Whether watches are up to date, and what they leave out.
#[derive(Clone)]
pub struct Watches {
    synced: Family<labels::Resource, Gauge>,
    unreadable: Family<labels::Resource, Gauge>,
}

impl Watches {
    pub(super) fn new(own: &mut Registry) -> Self {
        Self {
            synced: add(own, "cache_synced", "1 if the watch of a resource is up to date, else 0"),
            unreadable: add(own, "unreadable_objects", "Objects in a watch that cannot be read and are left out"),
        }
    }

    /// Whether a watch is up to date.
    pub fn synced(&self, resource: &'static str, is_synced: bool) {
        self.synced.get_or_create(&labels::Resource { resource }).set(is_synced.into());
    }

    /// So many objects of a watch cannot be read.
    pub fn unreadable(&self, resource: &'static str, count: usize) {
        set(&self.unreadable.get_or_create(&labels::Resource { resource }), count);
    }

    /// These are watched no more.
    pub fn ended(&self, resources: impl IntoIterator<Item = &'static str>) {
        for resource in resources {
            self.synced.remove(&labels::Resource { resource });
            self.unreadable.remove(&labels::Resource { resource });
        }
    }
}
