//! What a workload may ask for by annotations: their keys, what their values mean, and what the settings let it ask
//! for. The rule that refuses nonsense (SG006), what is filled in and the plan of the companions all read them by this
//! file.

use std::time::{Duration, SystemTime};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::names::is_service_name;
use crate::api::names;

/// The annotations as they are written, and no others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Annotations<T> {
    /// [`HEADLESS_SERVICE`].
    pub headless_service: Option<T>,
    /// [`PUBLISH_NOT_READY`].
    pub publish_not_ready: Option<T>,
    /// [`DISRUPTION`].
    pub disruption: Option<T>,
    /// [`DISRUPTION_ALLOWED_UNTIL`].
    pub disruption_allowed_until: Option<T>,
}

/// What a workload wants of its headless Service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadlessService<'a> {
    /// The one that its kind should have.
    Auto,
    /// None.
    None,
    /// One of this name, whatever other Services there are.
    Named(&'a str),
}

/// What a voluntary disruption (a drain, an eviction by an autoscaler) may do to a singleton.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Disruption {
    /// It may evict it.
    Allow,
    /// It must wait for consent.
    Block,
    /// No PodDisruptionBudget.
    None,
}

/// What the settings let a workload ask for. What they do not is refused when it is written, and counts as nothing where it
/// is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// A Service under a name that is not the workload's own.
    pub foreign_names: bool,
    /// `block`.
    pub block: bool,
}

/// Why a time until which disruption is allowed cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadWindow {
    /// Not a time of RFC 3339.
    Malformed,
    /// Further ahead than the settings allow.
    TooFar {
        /// From when on it is not.
        until: SystemTime,
    },
}

/// How far ahead somebody may consent to disruption, and from when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Consent {
    /// The time by which it is judged.
    pub now: SystemTime,
    /// The longest window.
    pub max: Duration,
}

impl<T: AsRef<str>> Annotations<T> {
    /// What is wished of the headless Service; `None` where nothing is, or nothing that means anything.
    #[must_use]
    pub fn wished_service(&self) -> Option<HeadlessService<'_>> {
        self.headless_service.as_ref().and_then(|value| HeadlessService::parse(value.as_ref()))
    }

    /// Whether the headless Service is to have the address of a Pod that is not ready.
    #[must_use]
    pub fn publishes_not_ready(&self) -> bool {
        self.publish_not_ready.as_ref().and_then(|value| parse_publishes(value.as_ref())).unwrap_or_default()
    }
}

impl<'a> HeadlessService<'a> {
    /// Reads the annotation's value; `None` where it means nothing.
    #[must_use]
    pub fn parse(value: &'a str) -> Option<Self> {
        match value {
            "auto" => Some(Self::Auto),
            "none" => Some(Self::None),
            name if is_service_name(name) => Some(Self::Named(name)),
            _ => None,
        }
    }
}

/// Reads the value of [`PUBLISH_NOT_READY`]; `None` where it means nothing.
#[must_use]
pub fn parse_publishes(value: &str) -> Option<bool> {
    match value {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

impl Disruption {
    /// Reads the annotation's value; `None` where it means nothing.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        match value {
            "allow" => Some(Self::Allow),
            "block" => Some(Self::Block),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

impl Allowed {
    /// Whether this workload may get a Service of this name.
    #[must_use]
    pub fn names(self, workload: &str, service: &str) -> bool {
        self.foreign_names || names::is_own(workload, service)
    }
}

impl Default for Allowed {
    fn default() -> Self {
        Self { foreign_names: false, block: true }
    }
}

impl Consent {
    /// Reads the end of a window. One that lies in the past is a window that is closed, which is no error: so
    /// somebody closes it early.
    ///
    /// # Errors
    /// [`BadWindow`].
    pub fn until(self, value: &str) -> Result<SystemTime, BadWindow> {
        let until: SystemTime = OffsetDateTime::parse(value, &Rfc3339).map_err(|_| BadWindow::Malformed)?.into();
        match until.duration_since(self.now) {
            Ok(ahead) if ahead > self.max => {
                Err(BadWindow::TooFar { until: self.now + ahead.saturating_sub(self.max) })
            }
            _ => Ok(until),
        }
    }
}

/// `auto`, `none` or the name of the headless Service.
pub const HEADLESS_SERVICE: &str = "singleton-guard.io/headless-service";
/// `true` or `false`: `spec.publishNotReadyAddresses` of the headless Service.
pub const PUBLISH_NOT_READY: &str = "singleton-guard.io/publish-not-ready-addresses";
/// `allow`, `block` or `none`.
pub const DISRUPTION: &str = "singleton-guard.io/disruption";
/// A time of RFC 3339, until which `block` lets a disruption through.
pub const DISRUPTION_ALLOWED_UNTIL: &str = "singleton-guard.io/disruption-allowed-until";
