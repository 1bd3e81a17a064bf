//! The list to come, given what is written and what is seen. Pure: no clock, no IO.
//!
//! Growing is immediate. A namespace without a singleton stays listed for a while, so that a workload that is made anew
//! does not cost two writes; and dropping one, or writing a list where there was none, is a step of its own that needs
//! more than what was seen ([`Step::Narrow`]).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What the entries of a configuration say about namespaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Nothing: every entry is called everywhere.
    Everywhere,
    /// These are the namespaces that hold singletons.
    Listed(BTreeSet<String>),
    /// Something that is not ours, or not the same in all entries.
    Foreign,
}

/// What it takes to get from one selection to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Keep,
    /// A write after which an outage refuses no less.
    Widen,
    /// A write after which it may refuse less.
    Narrow,
}

/// What every configuration should say: whatever one of them lists, and `held`, the namespaces that hold a singleton as
/// far as is seen, but not those that have held none for long.
#[must_use]
pub fn target<'a>(
    stored: impl IntoIterator<Item = &'a Selection>,
    held: &BTreeSet<String>,
    gone: &BTreeSet<String>,
) -> Selection {
    let mut names = listed(stored);
    names.retain(|name| !gone.contains(name));
    names.extend(held.iter().cloned());
    if names.len() > NAMES_MAX { Selection::Everywhere } else { Selection::Listed(names) }
}

/// Every namespace that one of them lists.
#[must_use]
pub fn listed<'a>(stored: impl IntoIterator<Item = &'a Selection>) -> BTreeSet<String> {
    let names = stored.into_iter().filter_map(|selection| match selection {
        Selection::Listed(names) => Some(names),
        Selection::Everywhere | Selection::Foreign => None,
    });
    names.flatten().cloned().collect()
}

/// How to get from what is stored to the target.
#[must_use]
pub fn step(stored: &Selection, target: &Selection) -> Step {
    match (stored, target) {
        (stored, target) if stored == target => Step::Keep,
        (_, Selection::Everywhere) => Step::Widen,
        (Selection::Listed(stored), Selection::Listed(target)) if stored.is_subset(target) => Step::Widen,
        _ => Step::Narrow,
    }
}

/// Since when listed namespaces have held no singleton.
#[derive(Debug, Default)]
pub struct Absences {
    since: BTreeMap<String, Instant>,
}

impl Absences {
    /// Those of the listed namespaces that have held none for [`LISTED_FOR`], as far as was seen.
    pub fn gone(&mut self, listed: &BTreeSet<String>, held: &BTreeSet<String>, now: Instant) -> BTreeSet<String> {
        self.since.retain(|name, _| listed.contains(name) && !held.contains(name));
        for name in listed.difference(held) {
            self.since.entry(name.clone()).or_insert(now);
        }
        let long = |since: &Instant| now.saturating_duration_since(*since) >= LISTED_FOR;
        self.since.iter().filter(|(_, since)| long(since)).map(|(name, _)| name.clone()).collect()
    }
}

/// How long a namespace stays listed after its last singleton.
pub const LISTED_FOR: Duration = Duration::from_secs(60);

/// Above this nothing is listed, and an outage refuses everywhere. The API server compares a request's namespace with
/// every name, one after the other, and a configuration carries the list twice: 2 000 names of the greatest length are a
/// quarter of a megabyte of the one and a half that etcd takes.
pub const NAMES_MAX: usize = 2_000;
