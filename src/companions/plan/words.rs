//! Why a singleton has no companion of ours: every sentence that a person reads about it in an Event.

use std::fmt;

use crate::api::annotation::HEADLESS_SERVICE;

/// The two companions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Companion {
    /// The headless Service.
    Service,
    /// The PodDisruptionBudget.
    Budget,
}

/// A reason. Completes "*companion* *name*: ...".
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Why {
    /// Nobody wants one: the settings or the annotation say so.
    NotWanted,
    /// The workload is no singleton any more.
    Released,
    /// The object that controls it has one.
    Controlled,
    /// Another object has that name.
    NameTaken {
        /// The name.
        name: String,
        /// What it is.
        by: Taker,
    },
    /// A Service selects the Pods already.
    ServiceSelects {
        /// Its name.
        name: String,
        /// The other singleton for which it was made, where it is one of ours.
        whose: Option<String>,
    },
    /// A budget selects the Pods already.
    BudgetSelects {
        /// Its name.
        name: String,
        /// Whether it lets none of them go, where the workload is to be let go.
        blocks: bool,
    },
    /// The name that is asked for is not the workload's own.
    ForeignName {
        /// It.
        name: String,
    },
    /// The workload asks for `block`, which is switched off: its budget is that of `allow`.
    BlockDenied,
    /// The workload asks for another name.
    Renamed {
        /// The new one.
        name: String,
    },
    /// The workload's selector cannot be written as a Service's.
    NotEqualities,
    /// The API server would not have it.
    Refused {
        /// Its words.
        message: String,
    },
    /// Somebody else has set a field that we would set otherwise.
    FieldTaken {
        /// The API server's words, which name who and which field.
        message: String,
    },
}

/// What has the name that a companion should have.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Taker {
    /// One of ours for another singleton, as in `Deployment web`.
    Singleton(String),
    /// A Service of the user's that leads to the Pod by an address of its own.
    Front,
    /// Something of the user's that is about other Pods, or none.
    Stranger,
}

impl Companion {
    /// `kind` of the object.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Budget => "PodDisruptionBudget",
        }
    }
}

impl Why {
    /// Whether it goes without saying: it is what somebody asked for.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        matches!(self, Self::NotWanted | Self::Released | Self::Controlled)
    }

    /// Whether somebody has to do something about it.
    #[must_use]
    pub const fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::NameTaken { .. }
                | Self::BudgetSelects { blocks: true, .. }
                | Self::ForeignName { .. }
                | Self::BlockDenied
                | Self::Refused { .. }
                | Self::FieldTaken { .. }
        )
    }

    /// The whole sentence about a companion that is not there, or not as it was asked for.
    #[must_use]
    pub fn sentence(&self, companion: Companion) -> String {
        match self {
            Self::BlockDenied => format!("{companion} of ours lets disruptions through: {self}"),
            _ => format!("{}{self}", none_of_ours(companion)),
        }
    }
}

/// How a sentence begins that says that there is none of a companion.
#[must_use]
pub fn none_of_ours(companion: Companion) -> String {
    format!("no {companion} of ours: ")
}

/// What is said of a companion that was made, under a name that the user wrote or under one of ours.
#[must_use]
pub fn made(companion: Companion, name: &str, is_written: bool) -> String {
    let whole = format!("made {companion} {name}");
    if companion == Companion::Service && is_written {
        return format!("{whole}: to bring your own, delete this one and apply yours within a minute");
    }
    whole
}

/// What is said of a companion that somebody else has taken over.
#[must_use]
pub fn let_go_of(companion: Companion, name: &str, by: &str) -> String {
    format!(
        "let go of {companion} {name}, which {by} has written to: it is not ours any more, and stays when this workload goes; delete it to have ours made anew"
    )
}

impl fmt::Display for Companion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWanted => f.write_str("none is wanted"),
            Self::Released => f.write_str("the workload is no longer a singleton"),
            Self::Controlled => f.write_str("its controller has one"),
            Self::NameTaken { name, by: Taker::Singleton(owner) } => {
                write!(f, "{name} is the one of {owner}; annotate one of the two with {HEADLESS_SERVICE}=NAME")
            }
            Self::NameTaken { name, by: Taker::Front } => write!(
                f,
                "{name} selects the Pods but is not headless, so it is not the Pod's own name; annotate the workload with {HEADLESS_SERVICE}=NAME to have a headless one beside it"
            ),
            Self::NameTaken { name, by: Taker::Stranger } => {
                write!(f, "{name} exists, is not ours and does not select the Pods; rename it, or leave things as they are")
            }
            Self::ServiceSelects { name, whose } => {
                let whose = whose.as_ref().map(|owner| format!(", that of {owner},")).unwrap_or_default();
                write!(
                    f,
                    "{name}{whose} selects the Pods already; annotate the workload with {HEADLESS_SERVICE}=NAME to have a headless one beside it"
                )
            }
            Self::BudgetSelects { name, blocks: true } => write!(
                f,
                "{name} selects the Pods already and lets no eviction through, so a drain waits for ever; write maxUnavailable: 1 in place of its bound, or delete it to have one of ours"
            ),
            Self::BudgetSelects { name, blocks: false } => write!(
                f,
                "{name} selects the Pods already, and the API server evicts no Pod that two budgets select; delete it to have one of ours"
            ),
            Self::ForeignName { name } => write!(
                f,
                "{name} is neither the workload's name nor begins with it and a dash; make this Service yourself (clusterIP None)"
            ),
            Self::BlockDenied => f.write_str("block is asked for, which companions.block switches off"),
            Self::Renamed { name } => write!(f, "the workload asks for one called {name}"),
            Self::NotEqualities => f.write_str(
                "the workload's selector has expressions, which a Service cannot have; make a headless Service of your own",
            ),
            Self::Refused { message } => write!(f, "the API server refuses it: {message}"),
            Self::FieldTaken { message } => {
                write!(f, "somebody else has changed it, so it is left alone: {message}; delete it to have it made anew")
            }
        }
    }
}
