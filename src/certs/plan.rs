//! Given what is stored, what is published and the time: what to do next, and why. Pure: no clock, no cryptography, no IO.
//!
//! A leaf is made anew under the same authority; that needs no word to anybody. An authority is exchanged in steps, each
//! stored before the next, so that every replica can go on from where another one left off:
//!
//! ```text
//!                stored                        trusted             served
//! -              authority A                   A                   a leaf of A
//! Announce       A and the next one, B         A B                 a leaf of A
//! Switch         B and the previous one, A     A B                 a leaf of B, or still of A
//! Retire         B                             B                   a leaf of B
//! ```
//!
//! A switch waits until whoever makes it has seen the trust in B published everywhere, and nothing changed there, for a
//! settling time by a clock that only goes forward. So no wrong wall clock can make it come too early. The previous
//! authority stays trusted for a leaf's life: a replica that has not looked since still serves a leaf of it.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, SystemTime};

use super::lifetimes::Lifetimes;

/// What stored certificates and keys say about themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The authority in use.
    pub authority: Validity,
    /// Whether its key is there, so that another leaf can be made.
    pub signs: bool,
    /// The leaf.
    pub leaf: Validity,
    /// DNS names and IP addresses in the leaf's subject alternative name.
    pub names: BTreeSet<String>,
    /// Whether the private key belongs to the leaf.
    pub key_matches: bool,
    /// Whether the authority has signed the leaf.
    pub signed: bool,
    /// The authority that is announced, if there is one and it can sign.
    pub next: Option<Validity>,
    /// Until when the authority before this one is trusted, if there is one.
    pub previous: Option<SystemTime>,
}

/// From when to when a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Its beginning, which is [`BACKDATED`] before it was made.
    pub from: SystemTime,
    /// Its end.
    pub until: SystemTime,
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
    Material(Facts),
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// Use what is stored.
    Keep,
    /// Make an authority and a leaf: there is nothing to go on from.
    Start(Reason),
    /// Make a leaf under the same authority.
    Renew(Reason),
    /// Make an authority and have it trusted beside the one in use.
    Announce(Reason),
    /// Make a leaf of the announced authority, which takes the place of the one in use.
    Switch,
    /// Take the trust in the previous authority back.
    Retire,
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
    /// It is not valid yet. A clock was wrong when it was made, or is now.
    NotYetValid,
    /// It ends soon or has ended. How much is left of it.
    Ending(Duration),
    /// The authority's key is missing or another one's, so nothing can be signed.
    CannotSign,
}

/// Decides. `names` are those that the leaf must carry; `published` is for how long whoever asks has seen the stored
/// trust in every webhook configuration, if it is there now.
///
/// ```
/// # use std::time::{Duration, SystemTime};
/// # use singleton_guard::certs::{lifetimes::Lifetimes, plan::{BACKDATED, Facts, Plan, Reason, Stored, Validity, plan}};
/// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// let (made, lifetimes) = (SystemTime::UNIX_EPOCH + DAY, Lifetimes::default());
/// let valid = |life| Validity { from: made - BACKDATED, until: made + life };
/// let stored = Stored::Material(Facts {
///     authority: valid(lifetimes.authority()),
///     signs: true,
///     leaf: valid(lifetimes.leaf()),
///     names: ["singleton-guard.pay.svc".to_owned()].into(),
///     key_matches: true,
///     signed: true,
///     next: None,
///     previous: None,
/// });
/// let after = |days| plan(&stored, ["singleton-guard.pay.svc"], &lifetimes, made + days * DAY, None);
/// assert_eq!(after(200), Plan::Keep);
/// // The last third of its year is there for somebody to notice that it cannot be renewed.
/// assert_eq!(after(250), Plan::Renew(Reason::Ending(115 * DAY)));
/// ```
#[must_use]
pub fn plan<'a>(
    stored: &Stored,
    names: impl IntoIterator<Item = &'a str>,
    lifetimes: &Lifetimes,
    now: SystemTime,
    published: Option<Duration>,
) -> Plan {
    match stored {
        Stored::Nothing => Plan::Start(Reason::Nothing),
        Stored::Garbage { cause } => Plan::Start(Reason::Garbage(cause.clone())),
        Stored::Material(facts) => {
            let settled = published.is_some_and(|published| published >= lifetimes.settle());
            step(facts, names, lifetimes, now, settled)
        }
    }
}

fn step<'a>(
    facts: &Facts,
    names: impl IntoIterator<Item = &'a str>,
    lifetimes: &Lifetimes,
    now: SystemTime,
    settled: bool,
) -> Plan {
    let signs = facts.signs && facts.authority.contains(now);
    match broken(facts, names, now) {
        Some(reason) if signs => return Plan::Renew(reason),
        // Nobody can be served with it, so there is nothing that steps could protect.
        Some(reason @ (Reason::KeyMismatch | Reason::NotSigned)) if !facts.signs => return Plan::Start(reason),
        _ => {}
    }
    match &facts.next {
        Some(next) if !next.contains(now) => return Plan::Announce(next.fault(lifetimes.authority(), now)),
        Some(_) if settled && facts.previous.is_none() => return Plan::Switch,
        _ => {}
    }
    // The last leaf of an authority ends with it, and so would another one.
    let last = facts.leaf.until >= facts.authority.until;
    if signs && !last && facts.leaf.is_due(lifetimes.leaf(), now) {
        return Plan::Renew(facts.leaf.fault(lifetimes.leaf(), now));
    }
    // Nothing ends because of it, so it comes after what keeps a leaf in use.
    if settled && facts.previous.is_some_and(|until| until <= now) {
        return Plan::Retire;
    }
    if facts.next.is_none() {
        if !facts.signs {
            return Plan::Announce(Reason::CannotSign);
        }
        if !facts.authority.contains(now) || facts.authority.is_due(lifetimes.authority(), now) {
            return Plan::Announce(facts.authority.fault(lifetimes.authority(), now));
        }
    }
    Plan::Keep
}

/// What makes the leaf useless as it is.
fn broken<'a>(facts: &Facts, names: impl IntoIterator<Item = &'a str>, now: SystemTime) -> Option<Reason> {
    if !facts.key_matches {
        return Some(Reason::KeyMismatch);
    }
    if !facts.signed {
        return Some(Reason::NotSigned);
    }
    if let Some(name) = names.into_iter().find(|name| !facts.names.contains(*name)) {
        return Some(Reason::NameMissing(name.to_owned()));
    }
    (now < facts.leaf.from).then_some(Reason::NotYetValid)
}

impl Validity {
    /// Whether it is valid now.
    #[must_use]
    pub fn contains(&self, now: SystemTime) -> bool {
        self.from <= now && now < self.until
    }

    /// Whether only the last third of its life is left, which is for somebody to notice that it could not be made anew.
    /// `life` is what a new one gets: where that has become less, it counts.
    fn is_due(&self, life: Duration, now: SystemTime) -> bool {
        let made = self.from + BACKDATED;
        let life = self.until.duration_since(made).unwrap_or_default().min(life);
        made + life * 2 / 3 <= now
    }

    fn fault(&self, life: Duration, now: SystemTime) -> Reason {
        if now < self.from {
            return Reason::NotYetValid;
        }
        Reason::Ending(self.until.duration_since(now).unwrap_or_default().min(life))
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("there was none"),
            Self::Garbage(cause) => write!(f, "what was stored cannot be used: {cause}"),
            Self::KeyMismatch => f.write_str("the stored key does not belong to the stored certificate"),
            Self::NotSigned => f.write_str("the stored certificate is not signed by the stored authority"),
            Self::NameMissing(name) => write!(f, "the stored certificate does not carry the name {name}"),
            Self::NotYetValid => f.write_str("the stored one is not valid yet"),
            Self::Ending(left) if *left < HOUR => write!(f, "the stored one ends in {} s", left.as_secs()),
            Self::Ending(left) => write!(f, "the stored one ends in {} hours", left.as_secs() / HOUR.as_secs()),
            Self::CannotSign => f.write_str("the stored key does not belong to the stored authority"),
        }
    }
}

/// How long before it was made a certificate begins: the clocks of API servers may be behind.
pub const BACKDATED: Duration = HOUR;
const HOUR: Duration = Duration::from_secs(60 * 60);
