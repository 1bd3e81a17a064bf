//! The metrics. Every label has a bounded set of values: no name, no namespace, no text that a user can choose.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};

use super::log::About;
use super::process::Process;
use crate::policy::decision::Decision;
use crate::policy::lookup::{Found, Unknown};
use crate::policy::request::Phase;

/// All metrics of the process. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<RequestLabels, Counter>,
    validated: Histogram,
    mutated: Histogram,
    in_flight: Gauge,
    lookups: Family<ResultLabel, Counter>,
    proofs: Family<ResultLabel, Counter>,
    panics: Counter,
    connections: Gauge,
    ready: Gauge,
    certificate_expiry: Gauge<f64, AtomicU64>,
    singletons: Family<ResourceLabel, Gauge>,
    above_one: Family<ResourceLabel, Gauge>,
    consent_windows: Gauge,
    blocked: Gauge,
    blocked_seconds: Gauge,
    companion_writes: Family<WriteLabels, Counter>,
    reconciles: Family<ReconcileLabels, Counter>,
    stamps: Counter,
    reloads: Family<ResultLabel, Counter>,
    reload_is_good: Gauge,
    synced: Family<ResourceLabel, Gauge>,
    unreadable: Family<ResourceLabel, Gauge>,
    events: Family<ResultLabel, Counter>,
}

/// Something counted as under way until it is dropped.
#[derive(Debug)]
pub struct UnderWay(Gauge);

impl Metrics {
    /// Registers all of them, at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut root = Registry::default();
        root.register_collector(Box::new(Process));
        let own = root.sub_registry_with_prefix("singleton_guard");
        let duration = Family::<PhaseLabel, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        let help = "From the end of a review's headers to its answer";
        own.register_with_unit("admission_duration", help, Unit::Seconds, duration.clone());
        own.register("build", "Which build this is", Info::new([("version", env!("CARGO_PKG_VERSION"))].to_vec()));
        Self {
            requests: add(own, "admission_requests", "Reviews answered", Family::default()),
            validated: duration.get_or_create_owned(&PhaseLabel { phase: "validate" }),
            mutated: duration.get_or_create_owned(&PhaseLabel { phase: "mutate" }),
            in_flight: add(own, "admission_in_flight", "Reviews under way", Gauge::default()),
            lookups: add(own, "parent_lookups", "Questions to the API server, by outcome", Family::default()),
            proofs: add(
                own,
                "freshness_proofs",
                "Parents of a Scale whose mark was to be proven without a question, by outcome",
                Family::default(),
            ),
            panics: add(own, "panics", "Reviews that ended in a panic", Counter::default()),
            connections: add(own, "connections", "Open connections to the webhook port", Gauge::default()),
            ready: add(own, "ready", "1 if reviews should be sent here, else 0", Gauge::default()),
            certificate_expiry: add(
                own,
                "certificate_expiry_timestamp_seconds",
                "When the certificate in use ends, in seconds since 1970; 0 without one",
                Gauge::default(),
            ),
            singletons: add(own, "singletons", "Marked workloads that nothing marked controls", Family::default()),
            above_one: add(
                own,
                "above_one",
                "Singletons with more than one replica, by spec or status",
                Family::default(),
            ),
            blocked: add(
                own,
                "strict_blocked",
                "Strict singletons that wait for another Pod to give their name free, and were told so",
                Gauge::default(),
            ),
            blocked_seconds: add(
                own,
                "strict_blocked_seconds",
                "For how long the one of them has waited that waits longest",
                Gauge::default(),
            ),
            consent_windows: add(
                own,
                "consent_windows",
                "Singletons whose blocked disruption is let through now",
                Gauge::default(),
            ),
            companion_writes: add(
                own,
                "companion_writes",
                "Writes of companions, by what came of them",
                Family::default(),
            ),
            reconciles: add(own, "companion_reconciles", "Workloads worked on, by outcome", Family::default()),
            stamps: add(
                own,
                "replica_set_stamps",
                "ReplicaSets that were given the mark of their Deployment",
                Counter::default(),
            ),
            reloads: add(own, "config_reloads", "Changed configuration files read, by outcome", Family::default()),
            reload_is_good: add(
                own,
                "config_last_reload_successful",
                "1 if the configuration file as it is now is in force, else 0",
                Gauge::default(),
            ),
            events: add(own, "denial_events", "Denials to be told of in Events, by what came of it", Family::default()),
            synced: add(own, "cache_synced", "1 if the watch of a resource is up to date, else 0", Family::default()),
            unreadable: add(
                own,
                "unreadable_objects",
                "Objects of a watch that cannot be read, and are left out",
                Family::default(),
            ),
            registry: Arc::new(root),
        }
    }

    /// Counts an answer.
    pub fn answered(&self, about: &About<'_>, decision: &Decision, latency: Duration) {
        let labels = RequestLabels {
            phase: about.phase(),
            resource: about.resource,
            operation: about.operation,
            decision: decision.outcome(),
            code: decision.code().map_or("", |code| code.as_str()),
            dry_run: if about.dry_run { "true" } else { "false" },
        };
        self.requests.get_or_create(&labels).inc();
        let duration = match about.phase {
            Phase::Validate => &self.validated,
            Phase::Mutate => &self.mutated,
        };
        duration.observe(latency.as_secs_f64());
    }

    /// Counts a question to the API server.
    pub fn asked(&self, answer: &Result<Found, Unknown>) {
        let result = match answer {
            Ok(_) => "found",
            Err(Unknown::Slow(_)) => "slow",
            Err(Unknown::Unreachable(_)) => "unreachable",
            Err(Unknown::Refused { .. }) => "refused",
            Err(Unknown::NotFound) => "not_found",
            Err(Unknown::Replaced) => "replaced",
            Err(Unknown::Unreadable(_)) => "unreadable",
            Err(Unknown::Busy) => "busy",
        };
        self.lookups.get_or_create(&ResultLabel { result }).inc();
    }

    /// Counts an attempt to do without a question.
    pub fn proved(&self, result: &'static str) {
        self.proofs.get_or_create(&ResultLabel { result }).inc();
    }

    /// Counts a panic.
    pub fn panicked(&self) {
        self.panics.inc();
    }

    /// A review is under way.
    #[must_use]
    pub fn review(&self) -> UnderWay {
        UnderWay::new(&self.in_flight)
    }

    /// A connection is open.
    #[must_use]
    pub fn connection(&self) -> UnderWay {
        UnderWay::new(&self.connections)
    }

    /// Another certificate is in use.
    pub fn certificate(&self, ends: SystemTime) {
        let ends = ends.duration_since(UNIX_EPOCH).unwrap_or_default();
        self.certificate_expiry.set(ends.as_secs_f64());
    }

    /// How many marked workloads of a kind there are, and how many of them are above one replica.
    pub fn singletons(&self, resource: &'static str, count: usize, above: usize) {
        let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.singletons.get_or_create(&ResourceLabel { resource }).set(number(count));
        self.above_one.get_or_create(&ResourceLabel { resource }).set(number(above));
    }

    /// How many windows of consent are open.
    pub fn consent_windows(&self, count: usize) {
        self.consent_windows.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A companion was written, or was not.
    pub fn wrote(&self, companion: &'static str, result: &'static str) {
        self.companion_writes.get_or_create(&WriteLabels { companion, result }).inc();
    }

    /// A workload was worked on.
    pub fn reconciled(&self, resource: &'static str, result: &'static str) {
        self.reconciles.get_or_create(&ReconcileLabels { resource, result }).inc();
    }

    /// ReplicaSets were stamped.
    pub fn stamped(&self, count: usize) {
        self.stamps.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// A denial was told of in an Event, or was not.
    pub fn event(&self, result: &'static str) {
        self.events.get_or_create(&ResultLabel { result }).inc();
    }

    /// The configuration file was read again, or was wrong.
    pub fn reloaded(&self, is_good: bool) {
        let result = if is_good { "success" } else { "failure" };
        self.reloads.get_or_create(&ResultLabel { result }).inc();
        self.reload_is_good(is_good);
    }

    /// Whether the configuration file as it is now is in force.
    pub fn reload_is_good(&self, is_good: bool) {
        self.reload_is_good.set(is_good.into());
    }

    /// So many strict singletons wait for another Pod, the first of them for so long.
    pub fn blocked(&self, count: usize, longest: Duration) {
        self.blocked.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.blocked_seconds.set(i64::try_from(longest.as_secs()).unwrap_or(i64::MAX));
    }

    /// Whether a watch is up to date.
    pub fn synced(&self, resource: &'static str, is_synced: bool) {
        self.synced.get_or_create(&ResourceLabel { resource }).set(is_synced.into());
    }

    /// These are watched no more.
    pub fn unwatched(&self, resources: impl IntoIterator<Item = &'static str>) {
        for resource in resources {
            self.synced.remove(&ResourceLabel { resource });
            self.unreadable.remove(&ResourceLabel { resource });
        }
    }

    /// So many objects of a watch cannot be read.
    pub fn unreadable(&self, resource: &'static str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.unreadable.get_or_create(&ResourceLabel { resource }).set(count);
    }

    /// Companions are kept no more.
    pub fn without_companions(&self) {
        self.consent_windows.set(0);
    }

    /// Everything in the `OpenMetrics` text format.
    ///
    /// # Errors
    /// Only if a metric cannot be written, which none of ours can.
    pub fn encode(&self, ready: bool) -> Result<String, fmt::Error> {
        self.ready.set(i64::from(ready));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
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

impl UnderWay {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    phase: &'static str,
    resource: &'static str,
    operation: &'static str,
    decision: &'static str,
    code: &'static str,
    dry_run: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabel {
    phase: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResourceLabel {
    resource: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReconcileLabels {
    resource: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WriteLabels {
    companion: &'static str,
    result: &'static str,
}

/// Seconds. A decision without a question takes tens of microseconds, which the API server's own histogram (from
/// 5 ms) cannot show; the last bucket is beyond what a user accepts.
const BUCKETS: [f64; 14] =
    [50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1.0];
