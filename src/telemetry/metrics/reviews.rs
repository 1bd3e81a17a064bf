//! Metrics of reviews: what was answered, how long it took, what was asked for it, and what an Event says of it.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::policy::decision::Decision;
use crate::policy::lookup::{Found, Unknown};
use crate::policy::request::Phase;
use crate::telemetry::gauges::UnderWay;
use crate::telemetry::labels;
use crate::telemetry::log::About;
use crate::telemetry::register::add;

/// Reviews and the connections that they come by.
#[derive(Clone)]
pub struct Reviews {
    requests: Family<labels::Request, Counter>,
    validated: Histogram,
    mutated: Histogram,
    in_flight: Gauge,
    lookups: Family<labels::Outcome, Counter>,
    lookup_duration: Histogram,
    proofs: Family<labels::Outcome, Counter>,
    panics: Counter,
    connections: Gauge,
    events: Family<labels::Outcome, Counter>,
}

impl Reviews {
    pub(super) fn new(own: &mut Registry) -> Self {
        let duration = Family::<labels::Phase, Histogram>::new_with_constructor(|| Histogram::new(BUCKETS));
        let help = "Time from the end of a review's headers to its answer";
        own.register_with_unit("admission_duration", help, Unit::Seconds, duration.clone());
        let lookup_duration = Histogram::new(BUCKETS);
        let help = "Time from a question to the API server to its answer, or until it is no longer waited for";
        own.register_with_unit("parent_lookup_duration", help, Unit::Seconds, lookup_duration.clone());
        Self {
            requests: add(own, "admission_requests", "Reviews answered"),
            validated: duration.get_or_create_owned(&labels::Phase { phase: "validate" }),
            mutated: duration.get_or_create_owned(&labels::Phase { phase: "mutate" }),
            in_flight: add(own, "admission_requests_in_flight", "Reviews being answered now"),
            lookups: add(
                own,
                "parent_lookups",
                "Questions to the API server whether the workload behind a Scale or a ReplicaSet is marked, by result",
            ),
            lookup_duration,
            proofs: add(
                own,
                "freshness_proofs",
                "Attempts to know without a question whether the workload behind a Scale is marked, by result",
            ),
            panics: add(own, "panics", "Reviews that ended in a panic"),
            connections: add(own, "connections_open", "Open connections to the webhook port"),
            events: add(own, "denial_events", "Refusals to be told in an Event, by result"),
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

    /// A review is being answered, until what is returned is dropped.
    #[must_use]
    pub fn review(&self) -> UnderWay {
        UnderWay::new(&self.in_flight)
    }

    /// A connection is open, until what is returned is dropped.
    #[must_use]
    pub fn connection(&self) -> UnderWay {
        UnderWay::new(&self.connections)
    }

    /// A denial was recorded in an Event, or was not.
    pub fn event(&self, result: &'static str) {
        self.events.get_or_create(&labels::Outcome { result }).inc();
    }
}

/// Seconds. A decision without a question takes tens of microseconds, which the API server's own histogram (from
/// 5 ms) cannot show; 10 s is the longest that the value `webhook.timeoutSeconds` allows.
const BUCKETS: [f64; 17] =
    [50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
