//! The metrics of `elect`. What is counted is counted when it happens; what is a state is written when it is asked for.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::status::{Role, Status};

/// All of them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    role: Family<RoleLabel, Gauge>,
    token: Gauge,
    valid: Gauge<f64, std::sync::atomic::AtomicU64>,
    renewals: Family<ResultLabel, Counter>,
    renewal: Histogram,
    takeovers: Family<WhyLabel, Counter>,
    step_downs: Family<WhyLabel, Counter>,
}

/// How a write of the record ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Outcome {
    Written,
    Refused,
    Unanswered,
}

/// Why a replica became active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// The one before had released the lock.
    Released,
    /// It had not renewed it for the lease duration.
    Expired,
}

/// Why a replica's command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepDown {
    /// Somebody asked for it.
    Asked,
    /// The record is somebody else's, or gone.
    Taken,
    /// No renewal came through in time.
    Deadline,
    /// The command ended by itself.
    Ended,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Written => "written",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
        }
    }
}

impl Takeover {
    fn name(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }
}

impl StepDown {
    fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Taken => "taken",
            Self::Deadline => "deadline",
            Self::Ended => "ended",
        }
    }
}

impl Metrics {
    /// At zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("singleton_guard_elect");
        let metrics = Self {
            registry: Registry::default(),
            role: Family::default(),
            token: Gauge::default(),
            valid: Gauge::default(),
            renewals: Family::default(),
            renewal: Histogram::new(BUCKETS),
            takeovers: Family::default(),
            step_downs: Family::default(),
        };
        registry.register("role", "1 for what this replica is doing, 0 for the rest", metrics.role.clone());
        registry.register("token", "The fencing token of the command that runs, 0 without one", metrics.token.clone());
        let help = "For how long the lock is held if nothing more is heard from the store";
        registry.register_with_unit("valid", help, Unit::Seconds, metrics.valid.clone());
        registry.register("renewals", "Writes of the record while active, by result", metrics.renewals.clone());
        let help = "Time from the sending of such a write to its answer";
        registry.register_with_unit("renewal", help, Unit::Seconds, metrics.renewal.clone());
        let help = "How often this replica became active, by whether the lock was released or had expired";
        registry.register("takeovers", help, metrics.takeovers.clone());
        registry.register("step_downs", "How often its command was ended, by reason", metrics.step_downs.clone());
        Self { registry, ..metrics }
    }

    /// A write of the record while active.
    pub fn renewal(&self, outcome: Outcome, took: Duration) {
        self.renewals.get_or_create(&ResultLabel { result: outcome.name() }).inc();
        self.renewal.observe(took.as_secs_f64());
    }

    /// It became active.
    pub fn takeover(&self, why: Takeover) {
        self.takeovers.get_or_create(&WhyLabel { why: why.name() }).inc();
    }

    /// Its command was ended, or has ended.
    pub fn step_down(&self, why: StepDown) {
        self.step_downs.get_or_create(&WhyLabel { why: why.name() }).inc();
    }

    /// In the text format.
    #[must_use]
    pub fn shown(&self, status: &Status, now: Duration) -> String {
        for role in Role::ALL {
            self.role.get_or_create(&RoleLabel { role: role.name() }).set(i64::from(role == status.role));
        }
        self.token.set(status.token.and_then(|token| i64::try_from(token).ok()).unwrap_or(0));
        self.valid.set(status.valid_until.map_or(0.0, |until| until.saturating_sub(now).as_secs_f64()));
        let mut text = String::new();
        // Writing into a String does not fail.
        let _written = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RoleLabel {
    role: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WhyLabel {
    why: &'static str,
}

/// A write takes milliseconds, and no longer than the time that a call is waited for.
const BUCKETS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0];
