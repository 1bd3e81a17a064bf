//! The codes of the rules, by which people look a refusal up.

use std::fmt;

/// The stable code of a rule. Its meaning never changes. SG008 and SG009 are not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// At most one replica.
    Sg001,
    /// A rollout must not surge.
    Sg002,
    /// An autoscaler must not newly reach beyond one.
    Sg003,
    /// The identity of the Pod must not move while there may be one.
    Sg004,
    /// The mark comes and goes by itself.
    Sg005,
    /// The mark must be well-formed, and on a kind that can be a singleton.
    Sg006,
    /// The ReplicaSet behind a singleton Deployment stays behind it.
    Sg007,
    /// The one Pod of a strict singleton is there already.
    Sg010,
    /// The Pod of a strict singleton is given time to end.
    Sg011,
    /// The Pod of a strict singleton has one name, its key.
    Sg012,
}

impl Code {
    /// The code as it is written, as in `SG001`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sg001 => "SG001",
            Self::Sg002 => "SG002",
            Self::Sg003 => "SG003",
            Self::Sg004 => "SG004",
            Self::Sg005 => "SG005",
            Self::Sg006 => "SG006",
            Self::Sg007 => "SG007",
            Self::Sg010 => "SG010",
            Self::Sg011 => "SG011",
            Self::Sg012 => "SG012",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
