//! The catalogue: every way to break a rule. The compiler asks for a code and a field of each new one here, and for its
//! sentence and its remedy in `words`.

use std::time::Duration;

use super::code::Code;
use super::holder::Holder;
use super::rollout::PAUSED;
use crate::api::annotation::{DISRUPTION, DISRUPTION_ALLOWED_UNTIL, HEADLESS_SERVICE, PUBLISH_NOT_READY};
use crate::api::key::KEY;
use crate::api::kind::Unmarkable;
use crate::api::mark::MarkKey;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// SG001: more than one replica is asked for.
    TooMany {
        /// What is asked for.
        requested: String,
        /// What would let it have them.
        more: More,
    },
    /// SG001: the same of a ReplicaSet that is a singleton by its Deployment.
    TooManyBehind {
        /// What is asked for.
        requested: String,
        /// What would let it have them.
        more: More,
    },
    /// SG001: the mark is put on a workload that wants more than one replica.
    MarkedAboveOne {
        /// What it wants.
        requested: String,
    },
    /// SG001: one that may have more than one Pod becomes strict.
    StrictAboveOne,
    /// SG001: the mark is put on a workload with more than one Pod that is being deleted.
    MarkedWhileDeleted,
    /// SG001: the mark is put on a paused Deployment with more than one Pod.
    MarkedWhilePaused,
    /// SG001: the mark is put on a Deployment with more than one Pod whose controller has not seen it as it is.
    MarkedUnseen {
        /// `metadata.generation`.
        generation: String,
        /// `status.observedGeneration`.
        observed: String,
    },
    /// SG001: the mark is put on a Deployment with more than one Pod during a rollout by `Recreate`.
    MarkedWhileRecreated,
    /// SG001: the mark and another number of replicas come to a Deployment in the middle of a rollout.
    MarkedWhileRolled {
        /// `spec.replicas` now.
        from: String,
        /// What is asked for.
        requested: String,
    },
    /// SG002: a rollout would run a second Pod.
    Surges {
        /// What is asked for, as in `RollingUpdate with maxSurge 25%`.
        requested: String,
    },
    /// SG002: a strict singleton is rolled in another way than by `Recreate`.
    RollsStrict {
        /// What is asked for, as in `RollingUpdate with maxSurge 0`.
        requested: String,
    },
    /// SG004: the numbering of a StatefulSet moves.
    OrdinalsMoved {
        /// `spec.ordinals.start` now.
        from: String,
        /// What is asked for.
        requested: String,
        /// Whether scaling to 0, as the remedy says, deletes its claims.
        loses_claims: bool,
    },
    /// SG004: the number that is part of the name of a strict StatefulSet's Pod changes.
    OrdinalsFixed {
        /// `spec.ordinals.start` now.
        from: String,
        /// What is asked for.
        requested: String,
        /// Whether scaling to 0, as the remedy says, deletes its claims.
        loses_claims: bool,
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
        /// Whether `strict` is one that means something here.
        strict: bool,
    },
    /// SG006: the value `strict` where the settings have switched it off.
    StrictMark,
    /// SG006: the mark is put on a kind that cannot be a singleton.
    UnmarkableKind {
        /// The kind.
        kind: &'static Unmarkable,
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
    /// SG006: a Service is asked for under a name that is not the workload's own.
    ForeignName {
        /// The name.
        requested: String,
    },
    /// SG006: `block` where the settings have switched it off.
    BlockDenied,
    /// SG006: it would get a Service that its author may not make.
    NoServiceRight,
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
    /// SG010: there is a Pod of the name already.
    NameTaken(Holder),
    /// SG010: the workload whose Pod has the name wants another one beside it.
    WantsTwo {
        /// The node of the Pod that is there; empty while it has none.
        node: String,
    },
    /// SG011: a strict singleton's Pod template, or its Pod, asks to be ended without being waited for.
    EndsAtOnce {
        /// Whether it is the Pod itself.
        is_pod: bool,
    },
    /// SG011: the Pod is deleted or evicted without waiting for its end.
    Forced {
        /// The node on which it may still run.
        node: String,
        /// Whether it was asked to end before, with time to do so.
        is_ending: bool,
    },
    /// SG011: the Pod is one of many that a single request deletes.
    OneOfMany {
        /// The node on which it may still run.
        node: String,
    },
    /// SG012: the Pod template lacks the key, or carries another than it must.
    TemplateKey {
        /// The key that would be right.
        wanted: String,
        /// The one that is asked for; `None` where there is none.
        requested: Option<String>,
    },
    /// SG012: a workload that may have a Pod without the key becomes strict, and would not replace it.
    KeepsPod,
    /// SG012: a workload becomes strict while something keeps its Pod from being replaced.
    HeldBack {
        /// The path of the field that does.
        field: &'static str,
        /// What it says.
        requested: String,
    },
    /// SG012: a Pod with a key has another name.
    NotNamed {
        /// The key.
        key: String,
        /// The name that is asked for.
        requested: String,
    },
    /// SG012: the key of a Pod that is there changes.
    KeyChanged {
        /// The key that is asked for; `None` where it goes.
        requested: Option<String>,
    },
}

/// What lets a workload have more than one replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum More {
    /// It is new: it may come without the mark.
    NoMark,
    /// Its release.
    Release,
    /// Breaking the glass alone: the settings let nobody else release it.
    Glass,
}

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

impl Violation {
    /// The rule that is broken.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::TooMany { .. }
            | Self::TooManyBehind { .. }
            | Self::MarkedAboveOne { .. }
            | Self::StrictAboveOne
            | Self::MarkedWhileDeleted
            | Self::MarkedWhilePaused
            | Self::MarkedUnseen { .. }
            | Self::MarkedWhileRecreated
            | Self::MarkedWhileRolled { .. } => Code::Sg001,
            Self::Surges { .. } | Self::RollsStrict { .. } => Code::Sg002,
            Self::OrdinalsMoved { .. } | Self::OrdinalsFixed { .. } | Self::SelectorReplaced { .. } => Code::Sg004,
            Self::ReleasedWhileScaling { .. }
            | Self::ReleasedWithoutGlass
            | Self::MarkedThroughStatus { .. }
            | Self::UnmarkedBehindOwner => Code::Sg005,
            Self::MalformedMark { .. }
            | Self::StrictMark
            | Self::UnmarkableKind { .. }
            | Self::MalformedAnnotation { .. }
            | Self::ForeignName { .. }
            | Self::BlockDenied
            | Self::NoServiceRight
            | Self::ConsentTooLong { .. } => Code::Sg006,
            Self::SelectedLabel { .. } | Self::Disowned { .. } => Code::Sg007,
            Self::NameTaken(_) | Self::WantsTwo { .. } => Code::Sg010,
            Self::EndsAtOnce { .. } | Self::Forced { .. } | Self::OneOfMany { .. } => Code::Sg011,
            Self::TemplateKey { .. }
            | Self::KeepsPod
            | Self::HeldBack { .. }
            | Self::NotNamed { .. }
            | Self::KeyChanged { .. } => Code::Sg012,
        }
    }

    /// Path of the field that is at fault, in the notation of `StatusCause.field`.
    #[must_use]
    pub fn field(&self, key: &MarkKey) -> String {
        match self {
            Self::TooMany { .. }
            | Self::TooManyBehind { .. }
            | Self::MarkedAboveOne { .. }
            | Self::MarkedWhileRolled { .. } => "spec.replicas".to_owned(),
            Self::StrictAboveOne | Self::KeepsPod => "status.replicas".to_owned(),
            Self::MarkedWhileDeleted => "metadata.deletionTimestamp".to_owned(),
            Self::MarkedWhilePaused => PAUSED.to_owned(),
            Self::MarkedUnseen { .. } => "status.observedGeneration".to_owned(),
            Self::HeldBack { field, .. } => (*field).to_owned(),
            Self::Surges { .. } | Self::RollsStrict { .. } | Self::MarkedWhileRecreated => "spec.strategy".to_owned(),
            Self::OrdinalsMoved { .. } | Self::OrdinalsFixed { .. } => "spec.ordinals.start".to_owned(),
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
            Self::ForeignName { .. } | Self::NoServiceRight => format!("metadata.annotations[{HEADLESS_SERVICE}]"),
            Self::BlockDenied => format!("metadata.annotations[{DISRUPTION}]"),
            Self::ConsentTooLong { .. } => format!("metadata.annotations[{DISRUPTION_ALLOWED_UNTIL}]"),
            Self::Disowned { .. } => "metadata.ownerReferences".to_owned(),
            Self::NameTaken(_) | Self::WantsTwo { .. } | Self::NotNamed { .. } | Self::OneOfMany { .. } => {
                "metadata.name".to_owned()
            }
            Self::EndsAtOnce { is_pod: true } => "spec.terminationGracePeriodSeconds".to_owned(),
            Self::EndsAtOnce { is_pod: false } => "spec.template.spec.terminationGracePeriodSeconds".to_owned(),
            Self::Forced { .. } => "gracePeriodSeconds".to_owned(),
            Self::TemplateKey { .. } => format!("spec.template.metadata.labels[{KEY}]"),
            Self::KeyChanged { .. } => format!("metadata.labels[{KEY}]"),
        }
    }

    /// Whether the owner of the workload is who can mend it. Breaking the glass takes a person.
    #[must_use]
    pub const fn is_its_owners(&self) -> bool {
        !matches!(self, Self::ReleasedWithoutGlass)
    }

    /// The number of replicas that is asked for, where that is what is wrong.
    #[must_use]
    pub fn requested_replicas(&self) -> Option<&str> {
        match self {
            Self::TooMany { requested, .. }
            | Self::TooManyBehind { requested, .. }
            | Self::MarkedAboveOne { requested }
            | Self::MarkedWhileRolled { requested, .. }
            | Self::ReleasedWhileScaling { requested, .. } => Some(requested),
            _ => None,
        }
    }
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
