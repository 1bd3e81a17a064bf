//! What a person reads of SG006: a mark or an annotation that means nothing, or is not allowed here.

use std::time::Duration;

use super::{KEY_MAX, KEY_MAX_SHORT, VALUE_MAX};
use crate::api::annotation::{DISRUPTION, DISRUPTION_ALLOWED_UNTIL, HEADLESS_SERVICE};
use crate::api::mark::MarkKey;
use crate::api::text::clip;
use crate::policy::annotation::Annotation;
use crate::policy::violation::{Sg006, Words};

impl Words for Sg006 {
    fn field(&self, mark: &MarkKey) -> String {
        match self {
            Self::MalformedMark { .. } | Self::StrictMark | Self::UnmarkableKind { .. } => {
                format!("metadata.labels[{mark}]")
            }
            Self::MalformedAnnotation { annotation, .. } => format!("metadata.annotations[{}]", annotation.key()),
            Self::ForeignName { .. } | Self::NoServiceRight => format!("metadata.annotations[{HEADLESS_SERVICE}]"),
            Self::BlockDenied => format!("metadata.annotations[{DISRUPTION}]"),
            Self::ConsentTooLong { .. } => format!("metadata.annotations[{DISRUPTION_ALLOWED_UNTIL}]"),
        }
    }

    fn sentence(&self, mark: &MarkKey) -> String {
        let label = clip(mark.as_str(), KEY_MAX);
        match self {
            Self::MalformedMark { requested, strict } => {
                let allowed = if *strict { r#""enabled", "true" or "strict""# } else { r#""enabled" or "true""# };
                format!("label {label} must be {allowed}, requested \"{}\"", clip(requested, VALUE_MAX))
            }
            Self::StrictMark => {
                format!(r#"label {label} must be "enabled" or "true", requested "strict", which is switched off here"#)
            }
            Self::UnmarkableKind { guarded, requested, .. } => format!(
                "cannot be a singleton, only {} can: requested {}=\"{}\"",
                guarded.names("and"),
                clip(mark.as_str(), KEY_MAX_SHORT),
                clip(requested, VALUE_MAX)
            ),
            Self::MalformedAnnotation { annotation, requested } => format!(
                "annotation {} must be {}, requested \"{}\"",
                annotation.key(),
                annotation.allowed(),
                clip(requested, VALUE_MAX)
            ),
            Self::ForeignName { requested } => format!(
                "annotation {HEADLESS_SERVICE} must be the workload's name, or begin with it and \"-\", requested \"{}\"",
                clip(requested, VALUE_MAX)
            ),
            Self::BlockDenied => format!(
                "annotation {DISRUPTION} must be \"allow\" or \"none\", requested \"block\", which is switched off here"
            ),
            Self::NoServiceRight => {
                "would get a headless Service: who writes this must be allowed to create Services there".to_owned()
            }
            Self::ConsentTooLong { requested, max } => format!(
                "annotation {DISRUPTION_ALLOWED_UNTIL} must be at most {} ahead, requested \"{}\"",
                hours(*max),
                clip(requested, VALUE_MAX)
            ),
        }
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::MalformedMark { .. } => "set the label to enabled, or leave it out",
            Self::StrictMark => {
                "set the label to enabled, or let an administrator install the chart with strict.enabled"
            }
            Self::UnmarkableKind { kind, .. } => kind.instead,
            Self::MalformedAnnotation { annotation, .. } => annotation.remedy(),
            Self::ForeignName { .. } => {
                "call it so, or make that Service yourself (clusterIP: None) and leave the annotation out"
            }
            Self::BlockDenied => r#"use "allow" or "none", or let an administrator set companions.block to allow"#,
            Self::NoServiceRight => {
                "ask for that right, or annotate the workload with singleton-guard.io/headless-service: none"
            }
            Self::ConsentTooLong { .. } => {
                "give a nearer time, and renew it if need be; companions.consentWindowMax is the limit"
            }
        }
    }
}

impl Annotation {
    const fn allowed(self) -> &'static str {
        match self {
            Self::HeadlessService => r#""auto", "none" or the name of a Service"#,
            Self::PublishNotReady => r#""true" or "false""#,
            Self::Disruption => r#"one of "allow", "block", "none""#,
            Self::DisruptionAllowedUntil => "a time of RFC 3339",
        }
    }

    const fn remedy(self) -> &'static str {
        match self {
            Self::HeadlessService => {
                "use at most 63 of a-z, 0-9 and '-', with a letter first and no '-' last, or leave it out"
            }
            Self::PublishNotReady => "write \"true\" for the address of a Pod that is not ready, or leave it out",
            Self::Disruption => "allow lets a drain evict the Pod, block makes it wait, none leaves budgets to you",
            Self::DisruptionAllowedUntil => "write it with a zone, as in 2026-01-31T18:00:00Z, or leave it out",
        }
    }
}

fn hours(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    if minutes.is_multiple_of(60) { format!("{} h", minutes / 60) } else { format!("{minutes} min") }
}
