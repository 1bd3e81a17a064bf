//! The annotations of ours that a violation can be about.

use crate::api::annotation::{DISRUPTION, DISRUPTION_ALLOWED_UNTIL, HEADLESS_SERVICE, PUBLISH_NOT_READY};

/// An annotation of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Annotation {
    /// What headless Service the workload wants.
    HeadlessService,
    /// Whether it has the address of a Pod that is not ready.
    PublishNotReady,
    /// What a disruption may do.
    Disruption,
    /// Until when one is let through.
    DisruptionAllowedUntil,
}

impl Annotation {
    /// Its key.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::HeadlessService => HEADLESS_SERVICE,
            Self::PublishNotReady => PUBLISH_NOT_READY,
            Self::Disruption => DISRUPTION,
            Self::DisruptionAllowedUntil => DISRUPTION_ALLOWED_UNTIL,
        }
    }
}
