//! Given what is stored and the time: keep it, or make it new, and why. Pure: no clock, no cryptography, no IO.
//!
//! Today there are two answers. Rotation without a gap (a new leaf under the same authority; a new authority that is
//! trusted before it is used) adds its own.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, SystemTime};

/// What a stored pair and its authority say about themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// End of the authority's validity.
    pub authority_until: SystemTime,
    /// Beginning of the leaf's validity.
    pub leaf_from: SystemTime,
    /// End of the leaf's validity.
    pub leaf_until: SystemTime,
    /// DNS names and IP addresses in the leaf's subject alternative name.
    pub names: BTreeSet<String>,
    /// Whether the private key belongs to the leaf.
    pub key_matches: bool,
    /// Whether the authority has signed the leaf.
    pub signed: bool,
}

/// What is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// Nothing yet: the Secret is as the chart created it.
    Nothing,
    /// Something that is not a certificate, a key and an authority.
    Garbage {
        /// What is wrong with it.
        cause: String,
    },
    /// A pair and its authority.
    Pair(Facts),
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Use what is stored.
    Keep,
    /// Make an authority and a leaf, and store them.
    Make {
        /// Why; for the log.
        reason: Reason,
    },
}

/// Why something new is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// There is none.
    Nothing,
    /// What is stored cannot be used.
    Garbage(String),
    /// The private key does not belong to the leaf.
    KeyMismatch,
    /// The authority has not signed the leaf.
    NotSigned,
    /// The leaf lacks a name under which the API server calls us.
    NameMissing(String),
    /// The leaf is not valid yet. A clock was wrong when it was made, or is now.
    NotYetValid,
    /// The leaf, or its authority, ends soon or has ended. How much is left of it.
    Ending(Duration),
}

/// Decides. `names` are those that the leaf must carry.
#[must_use]
pub fn plan<'a>(stored: &Stored, names: impl IntoIterator<Item = &'a str>, now: SystemTime) -> Plan {
    let reason = match stored {
        Stored::Nothing => Some(Reason::Nothing),
        Stored::Garbage { cause } => Some(Reason::Garbage(cause.clone())),
        Stored::Pair(facts) => fault(facts, names, now),
    };
    reason.map_or(Plan::Keep, |reason| Plan::Make { reason })
}

fn fault<'a>(facts: &Facts, names: impl IntoIterator<Item = &'a str>, now: SystemTime) -> Option<Reason> {
    if !facts.key_matches {
        return Some(Reason::KeyMismatch);
    }
    if !facts.signed {
        return Some(Reason::NotSigned);
    }
    if let Some(name) = names.into_iter().find(|name| !facts.names.contains(*name)) {
        return Some(Reason::NameMissing(name.to_owned()));
    }
    if now < facts.leaf_from {
        return Some(Reason::NotYetValid);
    }
    // A leaf is of no use beyond the end of its authority.
    let until = facts.leaf_until.min(facts.authority_until);
    let life = until.duration_since(facts.leaf_from).unwrap_or_default();
    let left = until.duration_since(now).unwrap_or_default();
    (left <= life / LAST_PART).then_some(Reason::Ending(left))
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("there was none"),
            Self::Garbage(cause) => write!(f, "what was stored cannot be used: {cause}"),
            Self::KeyMismatch => f.write_str("the stored key does not belong to the stored certificate"),
            Self::NotSigned => f.write_str("the stored certificate is not signed by the stored authority"),
            Self::NameMissing(name) => write!(f, "the stored certificate does not carry the name {name}"),
            Self::NotYetValid => f.write_str("the stored certificate is not valid yet"),
            Self::Ending(left) => write!(f, "the stored certificate ends in {} hours", left.as_secs() / 3600),
        }
    }
}

/// The last third of its life is left for somebody to notice that it could not be made new.
const LAST_PART: u32 = 3;
