//! The catalogue: every way to break a rule, and every sentence a person reads about it.
//!
//! To change a sentence change it here; the compiler asks for a code, a field, a text and a remedy for each new
//! violation, and one reviewed snapshot shows the whole catalogue.

use std::fmt;
use std::time::Duration;

use super::companions::wish::{DISRUPTION, DISRUPTION_ALLOWED_UNTIL, HEADLESS_SERVICE};
use super::mark::MarkKey;
use super::text::clip;

/// The stable code of a rule. Its meaning never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// At most one replica.
    Sg001,
    /// A rollout must not surge.
    Sg002,
    /// The identity of the Pod must not move while there may be one.
    Sg004,
    /// The mark comes and goes by itself.
    Sg005,
    /// The mark must be well-formed, and on a kind that can be a singleton.
    Sg006,
    /// The ReplicaSet behind a singleton Deployment stays behind it.
    Sg007,
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// SG001: more than one replica is asked for.
    TooMany {
        /// What is asked for.
        requested: String,
    },
    /// SG001: the same of a ReplicaSet that is a singleton by its Deployment.
    TooManyBehind {
        /// What is asked for.
        requested: String,
    },
    /// SG001: the mark is put on a workload that wants more than one replica.
    MarkedAboveOne {
        /// What it wants.
        requested: String,
    },
    /// SG001: the mark is put on a workload that still has more than one Pod.
    MarkedWhileRunning {
        /// `status.replicas`.
        running: String,
    },
    /// SG002: a rollout would run a second Pod.
    Surges {
        /// What is asked for, as in `RollingUpdate with maxSurge 25%`.
        requested: String,
    },
    /// SG004: the numbering of a StatefulSet moves.
    OrdinalsMoved {
        /// `spec.ordinals.start` now.
        from: String,
        /// What is asked for.
        requested: String,
    },
    /// SG004: a ReplicationController would let its Pod go and start another.
    SelectorReplaced {
        /// What is asked for, as JSON.
        requested: String,
    },
    /// SG005: the mark goes, or changes, in the request that scales.
    ReleasedWhileScaling {
        /// `spec.replicas` now.
        from: String,
        /// What is asked for.
        requested: String,
    },
    /// SG005: the mark goes, where that takes breaking the glass.
    ReleasedWithoutGlass,
    /// SG005: the mark changes through `/status`.
    MarkedThroughStatus {
        /// The value that is asked for; `None` where the label goes.
        requested: Option<String>,
    },
    /// SG005: the mark of a ReplicaSet goes while its Deployment is a singleton.
    UnmarkedBehindOwner,
    /// SG006: a value that means nothing.
    MalformedMark {
        /// The value.
        requested: String,
    },
    /// SG006: the value that is reserved.
    StrictMark,
    /// SG006: the mark is put on a kind that cannot be a singleton.
    UnmarkableKind {
        /// The value.
        requested: String,
    },
    /// SG006: an annotation whose value means nothing.
    MalformedAnnotation {
        /// The annotation.
        annotation: Annotation,
        /// The value.
        requested: String,
    },
    /// SG006: consent to a disruption for longer than the settings allow.
    ConsentTooLong {
        /// The end that is asked for.
        requested: String,
        /// The longest window.
        max: Duration,
    },
    /// SG007: a label that the ReplicaSet's own selector names changes.
    SelectedLabel {
        /// The label.
        key: String,
        /// The value that is asked for; `None` where the label goes.
        requested: Option<String>,
    },
    /// SG007: the controller of the ReplicaSet changes.
    Disowned {
        /// The controller that is asked for; `None` where it goes.
        requested: Option<String>,
    },
}

/// An annotation of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Annotation {
    /// What headless Service the workload wants.
    HeadlessService,
    /// What a disruption may do.
    Disruption,
    /// Until when one is let through.
    DisruptionAllowedUntil,
}

impl Violation {
    /// The rule that is broken.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::TooMany { .. }
            | Self::TooManyBehind { .. }
            | Self::MarkedAboveOne { .. }
            | Self::MarkedWhileRunning { .. } => Code::Sg001,
            Self::Surges { .. } => Code::Sg002,
            Self::OrdinalsMoved { .. } | Self::SelectorReplaced { .. } => Code::Sg004,
            Self::ReleasedWhileScaling { .. }
            | Self::ReleasedWithoutGlass
            | Self::MarkedThroughStatus { .. }
            | Self::UnmarkedBehindOwner => Code::Sg005,
            Self::MalformedMark { .. }
            | Self::StrictMark
            | Self::UnmarkableKind { .. }
            | Self::MalformedAnnotation { .. }
            | Self::ConsentTooLong { .. } => Code::Sg006,
            Self::SelectedLabel { .. } | Self::Disowned { .. } => Code::Sg007,
        }
    }

    /// Path of the field that is at fault, in the notation of `StatusCause.field`.
    #[must_use]
    pub fn field(&self, key: &MarkKey) -> String {
        match self {
            Self::TooMany { .. } | Self::TooManyBehind { .. } | Self::MarkedAboveOne { .. } => {
                "spec.replicas".to_owned()
            }
            Self::MarkedWhileRunning { .. } => "status.replicas".to_owned(),
            Self::Surges { .. } => "spec.strategy".to_owned(),
            Self::OrdinalsMoved { .. } => "spec.ordinals.start".to_owned(),
            Self::SelectorReplaced { .. } => "spec.selector".to_owned(),
            Self::ReleasedWhileScaling { .. }
            | Self::ReleasedWithoutGlass
            | Self::MarkedThroughStatus { .. }
            | Self::UnmarkedBehindOwner
            | Self::MalformedMark { .. }
            | Self::StrictMark
            | Self::UnmarkableKind { .. } => format!("metadata.labels[{key}]"),
            Self::SelectedLabel { key, .. } => format!("metadata.labels[{key}]"),
            Self::MalformedAnnotation { annotation, .. } => format!("metadata.annotations[{}]", annotation.key()),
            Self::ConsentTooLong { .. } => format!("metadata.annotations[{DISRUPTION_ALLOWED_UNTIL}]"),
            Self::Disowned { .. } => "metadata.ownerReferences".to_owned(),
        }
    }

    /// The number of replicas that is asked for, where that is what is wrong.
    #[must_use]
    pub fn requested_replicas(&self) -> Option<&str> {
        match self {
            Self::TooMany { requested }
            | Self::TooManyBehind { requested }
            | Self::MarkedAboveOne { requested }
            | Self::ReleasedWhileScaling { requested, .. } => Some(requested),
            _ => None,
        }
    }

    /// What is wrong: completes "*code* *kind* *namespace/name* ...".
    #[must_use]
    pub fn sentence(&self, key: &MarkKey) -> String {
        let label = clip(key.as_str(), KEY_MAX);
        match self {
            Self::TooMany { requested } => {
                format!("is a singleton: spec.replicas must be less than or equal to 1, requested {requested}")
            }
            Self::TooManyBehind { requested } => {
                format!("belongs to a singleton: spec.replicas must be less than or equal to 1, requested {requested}")
            }
            Self::MarkedAboveOne { requested } => {
                format!(
                    "cannot become a singleton: spec.replicas must be less than or equal to 1, requested {requested}"
                )
            }
            Self::MarkedWhileRunning { running } => {
                format!("cannot become a singleton yet: status.replicas must be less than or equal to 1, is {running}")
            }
            Self::Surges { requested } => {
                format!(
                    "is a singleton: spec.strategy must not run a second Pod during a rollout, requested {requested}"
                )
            }
            Self::OrdinalsMoved { from, requested } => format!(
                "is a singleton: spec.ordinals.start must stay {from} while there may be a Pod, requested {requested}"
            ),
            Self::SelectorReplaced { requested } => format!(
                "is a singleton: spec.selector must not change while there may be a Pod, requested {}",
                clip(requested, VALUE_MAX)
            ),
            Self::ReleasedWhileScaling { from, requested } => format!(
                "is a singleton: it must not be released in the request that scales, requested {requested} instead of {from} replicas"
            ),
            Self::ReleasedWithoutGlass => {
                "is a singleton: it must not be released, because the setting release is break-glass".to_owned()
            }
            Self::MarkedThroughStatus { requested } => {
                format!(
                    "label {label} must not be changed through /status, requested {}",
                    or_none(requested.as_deref())
                )
            }
            Self::UnmarkedBehindOwner => {
                format!(
                    "belongs to a singleton: label {label} must stay while its Deployment carries it, requested none"
                )
            }
            Self::MalformedMark { requested } => {
                format!("label {label} must be \"true\", requested \"{}\"", clip(requested, VALUE_MAX))
            }
            Self::StrictMark => {
                format!("label {label} must be \"true\", requested \"strict\", which is not available yet")
            }
            Self::UnmarkableKind { requested } => format!(
                "cannot be a singleton, only StatefulSet, ReplicaSet, Deployment and ReplicationController can: requested {}=\"{}\"",
                clip(key.as_str(), KEY_MAX_SHORT),
                clip(requested, VALUE_MAX)
            ),
            Self::MalformedAnnotation { annotation, requested } => format!(
                "annotation {} must be {}, requested \"{}\"",
                annotation.key(),
                annotation.allowed(),
                clip(requested, VALUE_MAX)
            ),
            Self::ConsentTooLong { requested, max } => format!(
                "annotation {DISRUPTION_ALLOWED_UNTIL} must be at most {} ahead, requested \"{}\"",
                hours(*max),
                clip(requested, VALUE_MAX)
            ),
            Self::SelectedLabel { key, requested } => format!(
                "belongs to a singleton: label {}, which its selector names, must not change, requested {}",
                clip(key, KEY_MAX_SHORT),
                or_none(requested.as_deref())
            ),
            Self::Disowned { requested } => format!(
                "belongs to a singleton: its controller must not change, requested {}",
                or_none(requested.as_deref())
            ),
        }
    }

    /// What to do about it, in at most 120 characters: kubectl prints it as a warning.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::TooMany { .. } => {
                "to run more than one copy take the singleton label off first, in a request of its own, then scale"
            }
            Self::TooManyBehind { .. } => {
                "its Deployment scales it; to run more than one copy take the singleton label off the Deployment first"
            }
            Self::MarkedAboveOne { .. } => "set spec.replicas to 1 (or 0) first, then add the singleton label",
            Self::MarkedWhileRunning { .. } => {
                "wait until status.replicas is 1 (a paused rollout keeps two: resume it), then add the singleton label"
            }
            Self::Surges { .. } => {
                r#"set spec.strategy to {"type":"Recreate","rollingUpdate":null}, or rollingUpdate.maxSurge to 0"#
            }
            Self::OrdinalsMoved { .. } => {
                "scale to 0, wait until status.replicas is 0, then change ordinals.start, then scale to 1"
            }
            Self::SelectorReplaced { .. } => {
                "scale to 0, wait until status.replicas is 0, then change the selector, then scale to 1"
            }
            Self::ReleasedWhileScaling { .. } => {
                "release it first (take the singleton label off), then scale in a request of its own"
            }
            Self::ReleasedWithoutGlass => {
                "ask somebody who may change the workload and impersonate the group singleton-guard:break-glass"
            }
            Self::MarkedThroughStatus { .. } => {
                "change the label on the object itself (kubectl label, apply or patch), not through its status"
            }
            Self::UnmarkedBehindOwner => "take the label off the Deployment: its ReplicaSets follow it",
            Self::MalformedMark { .. } => r#"set the label to "true", or leave it out"#,
            Self::StrictMark => r#"use "true": never more than one desired replica, and no rollout that runs two Pods"#,
            Self::UnmarkableKind { .. } => "leave the label out, or use a StatefulSet with one replica",
            Self::MalformedAnnotation { annotation, .. } => annotation.remedy(),
            Self::ConsentTooLong { .. } => {
                "give a nearer time, and renew it if need be; companions.consentWindowMax is the limit"
            }
            Self::SelectedLabel { .. } | Self::Disowned { .. } => {
                "its Deployment would start a second copy beside this one: change the Deployment instead"
            }
        }
    }
}

impl Annotation {
    /// Its key.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::HeadlessService => HEADLESS_SERVICE,
            Self::Disruption => DISRUPTION,
            Self::DisruptionAllowedUntil => DISRUPTION_ALLOWED_UNTIL,
        }
    }

    const fn allowed(self) -> &'static str {
        match self {
            Self::HeadlessService => r#""auto", "none" or the name of a Service"#,
            Self::Disruption => r#"one of "allow", "block", "none""#,
            Self::DisruptionAllowedUntil => "a time of RFC 3339",
        }
    }

    const fn remedy(self) -> &'static str {
        match self {
            Self::HeadlessService => {
                "use at most 63 lowercase letters, digits and '-', beginning with a letter, or leave it out"
            }
            Self::Disruption => "allow lets a drain evict the Pod, block makes it wait, none leaves budgets to you",
            Self::DisruptionAllowedUntil => "write it with a zone, as in 2026-01-31T18:00:00Z, or leave it out",
        }
    }
}

impl Code {
    /// The code as it is written, as in `SG001`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sg001 => "SG001",
            Self::Sg002 => "SG002",
            Self::Sg004 => "SG004",
            Self::Sg005 => "SG005",
            Self::Sg006 => "SG006",
            Self::Sg007 => "SG007",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn hours(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    if minutes.is_multiple_of(60) { format!("{} h", minutes / 60) } else { format!("{minutes} min") }
}

fn or_none(value: Option<&str>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("\"{}\"", clip(value, VALUE_MAX)))
}

// A line has 250 characters. The longest sentence with these lengths leaves 16 for the object's name (tested).
const KEY_MAX: usize = 64;
const KEY_MAX_SHORT: usize = 48;
const VALUE_MAX: usize = 24;
