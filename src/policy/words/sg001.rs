//! What a person reads of SG001: more replicas than a singleton may have, and what becomes of the Pods that a new one loses.

use crate::api::mark::MarkKey;
use crate::policy::rollout::PAUSED;
use crate::policy::surplus::Ending;
use crate::policy::violation::{More, Sg001, Words};

impl Words for Sg001 {
    fn field(&self, _: &MarkKey) -> String {
        match self {
            Self::TooMany { .. }
            | Self::TooManyBehind { .. }
            | Self::MarkedAboveOne { .. }
            | Self::MarkedWhileRolled { .. } => "spec.replicas".to_owned(),
            Self::StrictAboveOne => "status.replicas".to_owned(),
            Self::MarkedWhileDeleted => "metadata.deletionTimestamp".to_owned(),
            Self::MarkedWhilePaused => PAUSED.to_owned(),
            Self::MarkedUnseen { .. } => "status.observedGeneration".to_owned(),
            Self::MarkedWhileRecreated => "spec.strategy".to_owned(),
        }
    }

    fn sentence(&self, _: &MarkKey) -> String {
        match self {
            Self::TooMany { requested, .. } => {
                format!("is a singleton: spec.replicas must be less than or equal to 1, requested {requested}")
            }
            Self::TooManyBehind { requested, .. } => {
                format!("belongs to a singleton: spec.replicas must be less than or equal to 1, requested {requested}")
            }
            Self::MarkedAboveOne { requested } => {
                format!(
                    "cannot become a singleton: spec.replicas must be less than or equal to 1, requested {requested}"
                )
            }
            Self::StrictAboveOne => {
                "cannot become strict yet: it may have more than one Pod, and of a strict one there are never two"
                    .to_owned()
            }
            Self::MarkedWhileDeleted => {
                "cannot become a singleton while it is being deleted: it may have more than one Pod and keep them"
                    .to_owned()
            }
            Self::MarkedWhilePaused => {
                format!("cannot become a singleton while {PAUSED} is true: it may have more than one Pod and keep them")
            }
            Self::MarkedUnseen { generation, observed } => {
                format!("cannot become a singleton yet: status.observedGeneration must be {generation}, is {observed}")
            }
            Self::MarkedWhileRecreated => {
                "cannot become a singleton yet: it may have more than one Pod, and a rollout by Recreate is under way"
                    .to_owned()
            }
            Self::MarkedWhileRolled { from, requested } => format!(
                "cannot become a singleton in the request that changes spec.replicas during a rollout, requested {requested} instead of {from} replicas"
            ),
        }
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::TooMany { more: More::NoMark, .. } => {
                "set spec.replicas to 1 (or 0); for more than one copy leave the singleton label out"
            }
            Self::TooMany { more: More::Glass, .. } => {
                "ask somebody who may impersonate the group singleton-guard:break-glass to scale it"
            }
            Self::TooManyBehind { more: More::Glass, .. } => {
                "ask somebody who may impersonate the group singleton-guard:break-glass to scale its Deployment"
            }
            Self::TooMany { more: More::Release, .. } => {
                "to run more than one copy take the singleton label off first, in a request of its own, then scale"
            }
            Self::TooManyBehind { .. } => {
                "its Deployment scales it; to run more than one copy take the singleton label off the Deployment first"
            }
            Self::MarkedAboveOne { .. } => "set spec.replicas to 1 (or 0) first, then add the singleton label",
            Self::StrictAboveOne => "scale it to 1, then mark it enabled; once status.replicas is 1, make it strict",
            Self::MarkedWhileDeleted => "leave the label out here, and mark the workload that takes its place",
            Self::MarkedWhilePaused => {
                "set spec.paused to false in the same request, or resume it first (kubectl rollout resume)"
            }
            Self::MarkedUnseen { .. } => {
                "try again in a moment: the Deployment controller has not seen the last change yet"
            }
            Self::MarkedWhileRecreated => {
                r#"wait for its end; if none comes, set spec.strategy to {"type":"RollingUpdate","rollingUpdate":{"maxSurge":0}}"#
            }
            Self::MarkedWhileRolled { .. } => {
                "set spec.replicas to 1 (or 0) first, in a request that changes nothing else, then add the singleton label"
            }
        }
    }
}

impl Ending {
    /// What it comes to: completes "SG001 *kind* *namespace/name*: ".
    pub(in crate::policy) const fn sentence(self) -> &'static str {
        match self {
            Self::All => "becoming a singleton with 0 replicas ends all its Pods",
            Self::Others | Self::AfterTheFirst | Self::OlderFirst => "becoming a singleton ends all its Pods but one",
        }
    }

    /// What its user must know beside that.
    pub(in crate::policy) const fn remark(self) -> Option<&'static str> {
        match self {
            Self::All | Self::Others => None,
            Self::AfterTheFirst => {
                Some("SG001: the others end once the first Pod is Ready, not before (podManagementPolicy OrderedReady)")
            }
            Self::OlderFirst => Some("SG001: the older Pods end first, and one of them may be the one that serves"),
        }
    }
}
