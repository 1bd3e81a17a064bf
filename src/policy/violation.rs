//! The catalogue: every way to break a rule, one enum a rule. The compiler asks for the field, the sentence and the remedy of
//! each new one in `policy/words`.

#![expect(
    missing_docs,
    reason = "`requested` and `from` are values as the sentence shows them, other fields what they say"
)]

use std::time::Duration;

use super::annotation::Annotation;
use super::code::Code;
use super::holder::Holder;
use crate::api::autoscaler::{Autoscaler, Bound};
use crate::api::kind::{Kinds, Unmarkable};
use crate::api::mark::MarkKey;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    Sg001(Sg001),
    Sg002(Sg002),
    Sg003(Sg003),
    Sg004(Sg004),
    Sg005(Sg005),
    Sg006(Sg006),
    Sg007(Sg007),
    Sg010(Sg010),
    Sg011(Sg011),
    Sg012(Sg012),
}

/// SG001: more than one replica, or more Pods than a singleton may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sg001 {
    /// More than one replica is asked for.
    TooMany { requested: String, more: More },
    /// The same of a ReplicaSet that is a singleton by its Deployment.
    TooManyBehind { requested: String, more: More },
    /// The mark is put on a workload that wants more than one replica.
    MarkedAboveOne { requested: String },
    /// One that may have more than one Pod becomes strict.
    StrictAboveOne,
    /// The mark is put on a workload with more than one Pod that is being deleted.
    MarkedWhileDeleted,
    /// The mark is put on a paused Deployment with more than one Pod.
    MarkedWhilePaused,
    /// The mark is put on a Deployment with more than one Pod whose controller has not seen it as it is.
    MarkedUnseen { generation: String, observed: String },
    /// The mark is put on a Deployment with more than one Pod during a rollout by `Recreate`.
    MarkedWhileRecreated,
    /// The mark and another number of replicas come to a Deployment in the middle of a rollout.
    MarkedWhileRolled { from: String, requested: String },
}

/// SG002: a rollout that could run a second Pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sg002 {
    /// A rollout would run a second Pod.
    Surges { requested: String },
    /// A strict singleton is rolled in another way than by `Recreate`.
    RollsStrict { requested: String },
}

/// SG003: an autoscaler could newly scale a singleton above one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sg003 {
    pub autoscaler: Autoscaler,
    /// By which of its bounds.
    pub bound: Bound,
    /// `None` where nothing is written, and that means [`KEDA_MAX`](crate::api::autoscaler::KEDA_MAX).
    pub requested: Option<String>,
    /// Kind, namespace and name.
    pub singleton: String,
}

/// SG004: the identity of the Pod moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sg004 {
    /// The numbering of a StatefulSet moves.
    OrdinalsMoved { from: String, requested: String, loses_claims: bool },
    /// The number that is part of the name of a strict StatefulSet's Pod changes.
    OrdinalsFixed { from: String, requested: String, loses_claims: bool },
    /// A ReplicationController would let its Pod go and start another.
    SelectorReplaced { requested: String },
}

/// SG005: the mark comes or goes with something else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sg005 {
    /// The mark goes, or changes, in the request that scales.
    ReleasedWhileScaling { from: String, requested: String },
    /// The mark goes, where that takes breaking the glass.
    ReleasedWithoutGlass,
    /// The mark changes through `/status`.
    MarkedThroughStatus { requested: Option<String> },
    /// The mark of a ReplicaSet goes while its Deployment is a singleton.
    UnmarkedBehindOwner,
}

/// SG006: a mark or an annotation that means nothing, or not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sg006 {
    /// A value that means nothing.
    MalformedMark { requested: String, strict: bool },
    /// The value `strict` where the settings have switched it off.
    StrictMark,
    /// The mark is put on a kind that cannot be a singleton.
    UnmarkableKind { kind: &'static Unmarkable, guarded: Kinds, requested: String },
    /// An annotation whose value means nothing.
    MalformedAnnotation { annotation: Annotation, requested: String },
    /// A Service is asked for under a name that is not the workload's own.
    ForeignName { requested: String },
    /// `block` where the settings have switched it off.
    BlockDenied,
    /// It would get a Service that its author may not make.
    NoServiceRight,
    /// Consent to a disruption for longer than the settings allow.
    ConsentTooLong { requested: String, max: Duration },
}

/// SG007: a ReplicaSet leaves its Deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sg007 {
    /// A label that the ReplicaSet's own selector names changes.
    SelectedLabel { key: String, requested: Option<String> },
    /// The controller of the ReplicaSet changes.
    Disowned { requested: Option<String> },
}

/// SG010: the name of the Pod is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sg010 {
    /// There is a Pod of the name already.
    NameTaken(Holder),
    /// The workload whose Pod has the name wants another one beside it.
    WantsTwo { node: String },
}

/// SG011: the Pod is not given time to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sg011 {
    /// A strict singleton's Pod template, or its Pod, asks to be ended without being waited for.
    EndsAtOnce { is_pod: bool },
    /// The Pod is deleted or evicted without waiting for its end.
    Forced { node: String, is_ending: bool },
    /// The Pod is one of many that a single request deletes.
    OneOfMany { node: String },
}

/// SG012: the Pod has another name than its key, or would get one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sg012 {
    /// The Pod template lacks the key, or carries another than it must.
    TemplateKey { wanted: String, requested: Option<String> },
    /// A workload that may have a Pod without the key becomes strict, and would not replace it.
    KeepsPod,
    /// A workload becomes strict while something keeps its Pod from being replaced.
    HeldBack { field: &'static str, requested: String },
    /// A Pod with a key has another name.
    NotNamed { key: String, requested: String },
    /// The key of a Pod that is there changes.
    KeyChanged { requested: Option<String> },
}

/// What lets a workload have more than one replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum More {
    /// Leaving out the mark: the workload is new.
    NoMark,
    /// Taking off the mark, in a request of its own.
    Release,
    /// Breaking the glass alone: the settings let nobody else release it.
    Glass,
}

/// What a person reads about one way to break a rule: the parts of [`Violation`] that each rule has for itself.
pub(super) trait Words {
    fn field(&self, mark: &MarkKey) -> String;
    fn sentence(&self, mark: &MarkKey) -> String;
    fn remedy(&self) -> &'static str;
}

impl Violation {
    /// The rule that is broken.
    #[must_use]
    pub const fn code(&self) -> Code {
        match self {
            Self::Sg001(_) => Code::Sg001,
            Self::Sg002(_) => Code::Sg002,
            Self::Sg003(_) => Code::Sg003,
            Self::Sg004(_) => Code::Sg004,
            Self::Sg005(_) => Code::Sg005,
            Self::Sg006(_) => Code::Sg006,
            Self::Sg007(_) => Code::Sg007,
            Self::Sg010(_) => Code::Sg010,
            Self::Sg011(_) => Code::Sg011,
            Self::Sg012(_) => Code::Sg012,
        }
    }

    fn words(&self) -> &dyn Words {
        match self {
            Self::Sg001(violation) => violation,
            Self::Sg002(violation) => violation,
            Self::Sg003(violation) => violation,
            Self::Sg004(violation) => violation,
            Self::Sg005(violation) => violation,
            Self::Sg006(violation) => violation,
            Self::Sg007(violation) => violation,
            Self::Sg010(violation) => violation,
            Self::Sg011(violation) => violation,
            Self::Sg012(violation) => violation,
        }
    }

    /// Path of the field that is at fault, in the notation of `StatusCause.field`.
    #[must_use]
    pub fn field(&self, mark: &MarkKey) -> String {
        self.words().field(mark)
    }

    /// What is wrong: completes "*code* *kind* *namespace/name* ...".
    #[must_use]
    pub fn sentence(&self, mark: &MarkKey) -> String {
        self.words().sentence(mark)
    }

    /// What to do about it, in at most 120 characters: kubectl prints it as a warning.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        self.words().remedy()
    }

    /// Whether the owner of the workload is who can mend it. Breaking the glass takes a person.
    #[must_use]
    pub const fn is_its_owners(&self) -> bool {
        !matches!(self, Self::Sg005(Sg005::ReleasedWithoutGlass))
    }

    /// The number of replicas that is asked for, where that is what is wrong.
    #[must_use]
    pub fn requested_replicas(&self) -> Option<&str> {
        match self {
            Self::Sg001(
                Sg001::TooMany { requested, .. }
                | Sg001::TooManyBehind { requested, .. }
                | Sg001::MarkedAboveOne { requested }
                | Sg001::MarkedWhileRolled { requested, .. },
            )
            | Self::Sg005(Sg005::ReleasedWhileScaling { requested, .. }) => Some(requested),
            Self::Sg003(Sg003 { requested, .. }) => requested.as_deref(),
            _ => None,
        }
    }
}

macro_rules! violations_of {
    ($($rule:ident),*) => {
        $(impl From<$rule> for Violation {
            fn from(violation: $rule) -> Self {
                Self::$rule(violation)
            }
        })*
    };
}

violations_of!(Sg001, Sg002, Sg003, Sg004, Sg005, Sg006, Sg007, Sg010, Sg011, Sg012);
