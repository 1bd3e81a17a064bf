//! The metrics: what each is called, what it says, and what changes it. Each part of the process has a group of its own.

mod companions;
mod configuration;
mod reviews;
mod singletons;
mod watches;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::exposition::Exposition;
use super::gauges::Moment;
use super::labels;
use super::process::Process;
use super::register::add;
use companions::Companions;
use configuration::Configuration;
use reviews::Reviews;
use singletons::Singletons;
use watches::Watches;

/// All metrics of the process. Clones share them.
#[derive(Clone)]
#[expect(missing_docs, reason = "each group says what it is about")]
pub struct Metrics {
    registry: Arc<Registry>,
    ready: Gauge,
    certificate_expiry: Moment,
    pub reviews: Reviews,
    pub singletons: Singletons,
    pub companions: Companions,
    pub configuration: Configuration,
    pub watches: Watches,
}

impl Metrics {
    /// Registers all of them, at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut root = Registry::default();
        root.register_collector(Box::new(Process));
        let own = root.sub_registry_with_prefix("singleton_guard");
        let build: Family<labels::Build, Gauge> =
            add(own, "build_info", "Always 1; the labels say which build this is");
        build.get_or_create(&labels::Build::THIS).set(1);
        Self {
            reviews: Reviews::new(own),
            ready: add(own, "ready", "1 if this replica should be sent reviews, else 0"),
            certificate_expiry: add(
                own,
                "certificate_expiry_timestamp_seconds",
                "When the certificate in use expires, in seconds since 1970; absent while there is none",
            ),
            singletons: Singletons::new(own),
            companions: Companions::new(own),
            configuration: Configuration::new(own),
            watches: Watches::new(own),
            registry: Arc::new(root),
        }
    }

    /// Another certificate is in use, until this time.
    pub fn certificate(&self, ends: SystemTime) {
        self.certificate_expiry.set(ends);
    }

    /// Everything, in this form.
    ///
    /// # Errors
    /// Only if a metric cannot be written, which none of ours can.
    pub fn encode(&self, ready: bool, form: Exposition) -> Result<String, fmt::Error> {
        self.ready.set(i64::from(ready));
        form.encode(&self.registry)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
