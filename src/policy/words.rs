//! The sentence and the remedy of every broken rule, and what is said about the Pods that a new singleton loses. To
//! change one, change it here; `tests/messages.txt` shows every refusal with its remedy, and nothing else.
//!
//! Other sentences are where what they say is decided: who holds the name of a Pod in `holder.rs`, what to do instead
//! of marking a kind in `api/kind.rs` (`instead`), that nothing could be decided, or that a key stays, in
//! `decision.rs`, what was filled in in `defaults.rs`. What Events say about companions is in `companions/plan/why.rs`
//! and `companions/said.rs`, and about the Pod of a strict singleton in `strict/liveness.rs`; what the API server
//! warns of by itself is in `chart/silence.rs`.

use std::time::Duration;

use super::holder::{NODE_MAX, on_node};
use super::rollout::PAUSED;
use super::surplus::Ending;
use super::violation::{Annotation, More, Violation};
use crate::api::annotation::{DISRUPTION, DISRUPTION_ALLOWED_UNTIL, HEADLESS_SERVICE};
use crate::api::key::KEY;
use crate::api::mark::MarkKey;
use crate::api::text::clip;

impl Violation {
    /// What is wrong: completes "*code* *kind* *namespace/name* ...".
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "an arm a sentence")]
    pub fn sentence(&self, key: &MarkKey) -> String {
        let label = clip(key.as_str(), KEY_MAX);
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
            Self::Surges { requested } => {
                format!(
                    "is a singleton: spec.strategy must not run a second Pod during a rollout, requested {requested}"
                )
            }
            Self::RollsStrict { requested } => {
                format!("is strict: spec.strategy.type must be Recreate, requested {requested}")
            }
            Self::OrdinalsFixed { from, requested, .. } => format!(
                "is strict: spec.ordinals.start, which its Pod is named by, must stay {from}, requested {requested}"
            ),
            Self::OrdinalsMoved { from, requested, .. } => format!(
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
            Self::MalformedMark { requested, strict } => {
                let allowed = if *strict { r#""enabled", "true" or "strict""# } else { r#""enabled" or "true""# };
                format!("label {label} must be {allowed}, requested \"{}\"", clip(requested, VALUE_MAX))
            }
            Self::StrictMark => {
                format!(r#"label {label} must be "enabled" or "true", requested "strict", which is switched off here"#)
            }
            Self::UnmarkableKind { requested, .. } => format!(
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
            Self::SelectedLabel { key, requested } => format!(
                "belongs to a singleton: label {}, which its selector names, must not change, requested {}",
                clip(key, KEY_MAX_SHORT),
                or_none(requested.as_deref())
            ),
            Self::Disowned { requested } => format!(
                "belongs to a singleton: its controller must not change, requested {}",
                or_none(requested.as_deref())
            ),
            Self::NameTaken(holder) => holder.sentence(),
            Self::WantsTwo { node } => format!(
                "exists already {}, and its workload wants a second: label {KEY} of its Pod template allows one",
                on_node(node)
            ),
            Self::EndsAtOnce { .. } => {
                format!("is strict: {} must be at least 1, requested 0", self.field(key))
            }
            Self::Forced { node, .. } => format!(
                "may still run on node {}: the Pod of a strict singleton must be given time to end, requested gracePeriodSeconds 0",
                clip(node, NODE_MAX)
            ),
            Self::OneOfMany { node } => format!(
                "may still run on node {}: the Pod of a strict singleton must be deleted by its name, requested a deletion of many",
                clip(node, NODE_MAX)
            ),
            Self::TemplateKey { wanted, requested } => format!(
                "is strict: spec.template.metadata.labels must have {KEY}: {}, requested {}",
                clip(wanted, KEY_MAX),
                or_none(requested.as_deref())
            ),
            Self::KeepsPod => {
                format!("cannot become strict yet: it may have a Pod, which might stay without label {KEY}")
            }
            Self::HeldBack { field, requested } => format!(
                "cannot become strict while {field} is {}: its Pod might stay without label {KEY}",
                clip(requested, VALUE_MAX)
            ),
            Self::NotNamed { key, requested } => format!(
                "is of a strict singleton: its name must be {}, as its label {KEY} says, requested {}",
                clip(key, KEY_MAX),
                clip(requested, VALUE_MAX)
            ),
            Self::KeyChanged { requested } => format!(
                "label {KEY} must not be added, changed or taken off, requested {}",
                or_none(requested.as_deref())
            ),
        }
    }

    /// What to do about it, in at most 120 characters: kubectl prints it as a warning.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "an arm a remedy")]
    pub const fn remedy(&self) -> &'static str {
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
            Self::Surges { .. } => {
                r#"set spec.strategy to {"type":"Recreate","rollingUpdate":null}, or rollingUpdate.maxSurge to 0"#
            }
            Self::OrdinalsMoved { loses_claims: true, .. } => {
                "scaling to 0 deletes its claims: set whenScaled to Retain first; then scale to 0, change start, scale to 1"
            }
            Self::OrdinalsMoved { loses_claims: false, .. } => {
                "scale to 0, wait until status.replicas is 0, then change ordinals.start, then scale to 1"
            }
            Self::SelectorReplaced { .. } => {
                "scale to 0, wait until its Pod is gone, change the selector and the template's labels, then scale to 1"
            }
            Self::ReleasedWhileScaling { .. } => {
                "do it in two requests: first take the singleton label off (or change the owner), then scale"
            }
            Self::ReleasedWithoutGlass => {
                "ask somebody who may change the workload and impersonate the group singleton-guard:break-glass"
            }
            Self::MarkedThroughStatus { .. } => {
                "change the label on the object itself (kubectl label, apply or patch), not through its status"
            }
            Self::UnmarkedBehindOwner => "take the label off the Deployment: its ReplicaSets follow it",
            Self::RollsStrict { .. } => r#"set spec.strategy to {"type":"Recreate","rollingUpdate":null}"#,
            Self::OrdinalsFixed { loses_claims: true, .. } => {
                "set whenScaled to Retain, the mark to enabled; scale to 0; change start and the key; scale to 1; mark it strict"
            }
            Self::OrdinalsFixed { loses_claims: false, .. } => {
                "set the mark to enabled, scale to 0, change start and the key in the template, scale to 1, mark it strict"
            }
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
            Self::SelectedLabel { .. } | Self::Disowned { .. } => {
                "its Deployment would start a second copy: to keep this one, delete that with --cascade=orphan"
            }
            Self::NameTaken(holder) => holder.remedy(),
            Self::WantsTwo { .. } => {
                "to run more than one copy take the mark off, and that label off the Pod template (a rollout)"
            }
            Self::EndsAtOnce { .. } => {
                "leave it out, or set it to at least 1: with 0 a Pod is forgotten before it has ended"
            }
            Self::Forced { is_ending: false, .. } => {
                "delete it without --force (drain: without --grace-period=0), so that it is given its time to end"
            }
            Self::Forced { is_ending: true, .. } => {
                "wait for its kubelet or strict.nodeUsers; a node off for sure: taint node.kubernetes.io/out-of-service:NoExecute"
            }
            Self::OneOfMany { .. } => {
                "name each Pod, as kubectl delete does: of many at once the API server may drop one that is just being started"
            }
            Self::TemplateKey { .. } => {
                "put that line under spec.template.metadata.labels (this restarts the Pod), and keep it while it is strict"
            }
            Self::KeepsPod => "scale to 0, wait until its Pod is gone, make it strict, then scale to 1",
            Self::HeldBack { .. } => {
                "change that in the same request; once its Pod carries the label it may be as it was"
            }
            Self::NotNamed { .. } => {
                "give it the name that its label says, or take the label off: one name keeps a second Pod away"
            }
            Self::KeyChanged { .. } => {
                "leave it as it is; what the next Pod carries is what the Pod template of its workload says"
            }
        }
    }
}

impl Ending {
    /// What it comes to: completes "SG001 *kind* *namespace/name*: ".
    pub(super) const fn sentence(self) -> &'static str {
        match self {
            Self::All => "becoming a singleton with 0 replicas ends all its Pods",
            Self::Others | Self::AfterTheFirst | Self::OlderFirst => "becoming a singleton ends all its Pods but one",
        }
    }

    /// What its user must know beside that.
    pub(super) const fn remark(self) -> Option<&'static str> {
        match self {
            Self::All | Self::Others => None,
            Self::AfterTheFirst => {
                Some("SG001: the others end once the first Pod is Ready, not before (podManagementPolicy OrderedReady)")
            }
            Self::OlderFirst => Some("SG001: the older Pods end first, and one of them may be the one that serves"),
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

fn or_none(value: Option<&str>) -> String {
    value.map_or_else(|| "none".to_owned(), |value| format!("\"{}\"", clip(value, VALUE_MAX)))
}

// A line has 250 characters. The longest sentence with these lengths leaves 16 for the object's name (tested).
const KEY_MAX: usize = 64;
const KEY_MAX_SHORT: usize = 48;
const VALUE_MAX: usize = 24;
