//! The metrics: what each is called, what it says, and what changes it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry, Unit};

use super::exposition::Exposition;
use super::gauges::{Moment, UnderWay};
use super::labels;
use super::log::About;
use super::process::Process;
use crate::policy::decision::Decision;
use crate::policy::lookup::{Found, Unknown};
use crate::policy::request::Phase;

/// All metrics of the process. Clones share them.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    requests: Family<labels::Request, Counter>,
    validated: Histogram,
    mutated: Histogram,
    in_flight: Gauge,
    lookups: Family<labels::Outcome, Counter>,
    lookup_duration: Histogram,
    proofs: Family<labels::Outcome, Counter>,
    panics: Counter,
    connections: Gauge,
    ready: Gauge,
    certificate_expiry: Moment,
    singletons: Family<labels::Resource, Gauge>,
    above_one: Family<labels::Resource, Gauge>,
    consent_windows: Gauge,
    blocked: Gauge,
    blocked_longest: Gauge,
    companion_writes: Family<labels::Write, Counter>,
    reconciles: Family<labels::Reconcile, Counter>,
    stamps: Counter,
    reloads: Family<labels::Outcome, Counter>,
    reload_is_good: Gauge,
    reloaded_at: Moment,
    synced: Family<labels::Resource, Gauge>,
    unreadable: Family<labels::Resource, Gauge>,
    events: Family<labels::Outcome, Counter>,
}

impl Metrics {
    /// Registers all of them, at zero.
    #[must_use]
    #[allow(clippy::too_many_lines, reason = "a list: what each is called, and what it says")]
    pub fn new() -> Self {
        let mut root = Registry::default();
        root.register_collector(Box::new(Process));
        let own = root.sub_registry_with_prefix("singleton_guard");
        let duration = Family::<labels::Phase, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        let help = "Time from the end of a review's headers to its answer";
        own.register_with_unit("admission_duration", help, Unit::Seconds, duration.clone());
        let lookup_duration = Histogram::new(BUCKETS);
        let help = "Time from a question to the API server to its answer, or until it is no longer waited for";
        own.register_with_unit("parent_lookup_duration", help, Unit::Seconds, lookup_duration.clone());
        let build = Family::<labels::Build, Gauge>::default();
        build.get_or_create(&labels::Build::THIS).set(1);
        own.register("build_info", "Always 1; the labels say which build this is", build);
        Self {
            requests: add(own, "admission_requests", "Reviews answered", Family::default()),
            validated: duration.get_or_create_owned(&labels::Phase { phase: "validate" }),
            mutated: duration.get_or_create_owned(&labels::Phase { phase: "mutate" }),
            in_flight: add(own, "admission_requests_in_flight", "Reviews being answered now", Gauge::default()),
            lookups: add(
                own,
                "parent_lookups",
                "Questions to the API server whether the workload behind a Scale or a ReplicaSet is marked, by result",
                Family::default(),
            ),
            lookup_duration,
            proofs: add(
                own,
                "freshness_proofs",
                "Attempts to know without a question whether the workload behind a Scale is marked, by result",
                Family::default(),
            ),
            panics: add(own, "panics", "Reviews that ended in a panic", Counter::default()),
            connections: add(own, "connections_open", "Open connections to the webhook port", Gauge::default()),
            ready: add(own, "ready", "1 if this replica should be sent reviews, else 0", Gauge::default()),
            certificate_expiry: add(
                own,
                "certificate_expiry_timestamp_seconds",
                "When the certificate in use expires, in seconds since 1970; absent while there is none",
                Moment::default(),
            ),
            singletons: add(
                own,
                "singletons",
                "Marked workloads, without those that another marked workload controls. Each replica counts all of them: \
                 use max, not sum",
                Family::default(),
            ),
            above_one: add(
                own,
                "singletons_above_one",
                "Singletons with more than one replica, in spec or status. Each replica counts all of them: use max, not \
                 sum",
                Family::default(),
            ),
            blocked: add(
                own,
                "strict_singletons_blocked",
                "Strict singletons that cannot start because another Pod has their name. Each replica counts all of them: \
                 use max, not sum",
                Gauge::default(),
            ),
            blocked_longest: add(
                own,
                "strict_singletons_blocked_longest_seconds",
                "How long the one that was blocked first has been blocked; 0 if none is",
                Gauge::default(),
            ),
            consent_windows: add(
                own,
                "consent_windows_open",
                "Singletons whose Pod may be evicted now, because somebody has allowed it until a certain time. Each \
                 replica counts all of them: use max, not sum",
                Gauge::default(),
            ),
            companion_writes: add(
                own,
                "companion_writes",
                "Writes of the Services and PodDisruptionBudgets that belong to singletons, by result",
                Family::default(),
            ),
            reconciles: add(
                own,
                "companion_reconciles",
                "Times that the Service and the PodDisruptionBudget of a singleton were looked after, by result",
                Family::default(),
            ),
            stamps: add(
                own,
                "replica_set_stamps",
                "Times that a ReplicaSet was given the mark of its Deployment",
                Counter::default(),
            ),
            reloads: add(
                own,
                "config_reloads",
                "Times that a changed configuration file was read, by result",
                Family::default(),
            ),
            reload_is_good: add(
                own,
                "config_last_reload_successful",
                "1 if the configuration file as it is now is in force, else 0",
                Gauge::default(),
            ),
            reloaded_at: add(
                own,
                "config_last_reload_success_timestamp_seconds",
                "When the configuration in force was read, in seconds since 1970",
                Moment::default(),
            ),
            events: add(own, "denial_events", "Refusals to be told in an Event, by result", Family::default()),
            synced: add(own, "cache_synced", "1 if the watch of a resource is up to date, else 0", Family::default()),
            unreadable: add(
                own,
                "unreadable_objects",
                "Objects in a watch that cannot be read and are left out",
                Family::default(),
            ),
            registry: Arc::new(root),
        }
    }

    /// Counts an answer.
    pub fn answered(&self, about: &About<'_>, decision: &Decision, latency: Duration) {
        let labels = labels::Request {
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

    /// Counts a question to the API server, and how long it took.
    pub fn asked(&self, answer: &Result<Found, Unknown>, took: Duration) {
        self.lookup_duration.observe(took.as_secs_f64());
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
        self.lookups.get_or_create(&labels::Outcome { result }).inc();
    }

    /// Counts an attempt to do without a question.
    pub fn proved(&self, result: &'static str) {
        self.proofs.get_or_create(&labels::Outcome { result }).inc();
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
        self.certificate_expiry.set(ends);
    }

    /// How many marked workloads of a kind there are, and how many of them are above one replica.
    pub fn singletons(&self, resource: &'static str, count: usize, above: usize) {
        let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
        self.singletons.get_or_create(&labels::Resource { resource }).set(number(count));
        self.above_one.get_or_create(&labels::Resource { resource }).set(number(above));
    }

    /// How many windows of consent are open.
    pub fn consent_windows(&self, count: usize) {
        self.consent_windows.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A companion was written, or was not.
    pub fn wrote(&self, companion: &'static str, result: &'static str) {
        self.companion_writes.get_or_create(&labels::Write { companion, result }).inc();
    }

    /// A workload was worked on.
    pub fn reconciled(&self, resource: &'static str, result: &'static str) {
        self.reconciles.get_or_create(&labels::Reconcile { resource, result }).inc();
    }

    /// ReplicaSets were stamped.
    pub fn stamped(&self, count: usize) {
        self.stamps.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// A denial was told of in an Event, or was not.
    pub fn event(&self, result: &'static str) {
        self.events.get_or_create(&labels::Outcome { result }).inc();
    }

    /// The configuration file was read again, or was wrong.
    pub fn reloaded(&self, is_good: bool) {
        let result = if is_good { "success" } else { "failure" };
        self.reloads.get_or_create(&labels::Outcome { result }).inc();
        self.reload_is_good(is_good);
    }

    /// Whether the configuration file as it is now is in force.
    pub fn reload_is_good(&self, is_good: bool) {
        self.reload_is_good.set(is_good.into());
        if is_good {
            self.reloaded_at.set(SystemTime::now());
        }
    }

    /// So many strict singletons wait for another Pod, the first of them for so long.
    pub fn blocked(&self, count: usize, longest: Duration) {
        self.blocked.set(i64::try_from(count).unwrap_or(i64::MAX));
        self.blocked_longest.set(i64::try_from(longest.as_secs()).unwrap_or(i64::MAX));
    }

    /// Whether a watch is up to date.
    pub fn synced(&self, resource: &'static str, is_synced: bool) {
        self.synced.get_or_create(&labels::Resource { resource }).set(is_synced.into());
    }

    /// These are watched no more.
    pub fn unwatched(&self, resources: impl IntoIterator<Item = &'static str>) {
        for resource in resources {
            self.synced.remove(&labels::Resource { resource });
            self.unreadable.remove(&labels::Resource { resource });
        }
    }

    /// So many objects of a watch cannot be read.
    pub fn unreadable(&self, resource: &'static str, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.unreadable.get_or_create(&labels::Resource { resource }).set(count);
    }

    /// Companions are kept no more.
    pub fn without_companions(&self) {
        self.consent_windows.set(0);
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

fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

/// Seconds. A decision without a question takes tens of microseconds, which the API server's own histogram (from
/// 5 ms) cannot show; 10 s is the longest that the value `webhook.timeoutSeconds` allows.
const BUCKETS: [f64; 17] =
    [50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
