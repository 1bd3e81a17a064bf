//! How many there are of each identity at a time, by what begins and what ends. Pure. More than one is a violation, and is
//! told with what happened around it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt;

/// What is counted by: the namespace, and the key there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    pub namespace: String,
    pub key: String,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.key)
    }
}

/// What is there now, and what has been wrong.
#[derive(Debug, Default)]
pub struct Count {
    there: BTreeMap<Identity, BTreeMap<String, String>>,
    identities: HashMap<String, Identity>,
    lately: HashMap<Identity, VecDeque<String>>,
    /// How many have begun.
    pub begun: u64,
    pub violations: Vec<Violation>,
}

/// More than one of an identity.
#[derive(Debug, Clone)]
pub struct Violation {
    pub identity: Identity,
    /// When: a revision, or a time.
    pub at: String,
    /// Uid and name of those that are there.
    pub there: BTreeMap<String, String>,
    /// What was known of this identity before and after, in order.
    pub around: Vec<String>,
    after: usize,
}

impl Count {
    /// One more.
    pub fn begin(&mut self, at: &str, identity: &Identity, uid: &str, name: &str) {
        self.begun += 1;
        self.identities.insert(uid.to_owned(), identity.clone());
        let there = self.there.entry(identity.clone()).or_default();
        there.insert(uid.to_owned(), name.to_owned());
        let there = there.clone();
        self.note(identity, format!("{at}: {name} ({uid}) begins"));
        if there.len() > 1 {
            let around = self.lately(identity);
            self.violations.push(Violation { identity: identity.clone(), at: at.to_owned(), there, around, after: 0 });
        }
    }

    /// Something about one that is there.
    pub fn change(&mut self, at: &str, uid: &str, what: &str) {
        let Some(identity) = self.identities.get(uid).cloned() else { return };
        self.note(&identity, format!("{at}: {uid} {what}"));
    }

    /// One less.
    pub fn end(&mut self, at: &str, uid: &str, how: &str) {
        self.change(at, uid, how);
        let Some(identity) = self.identities.remove(uid) else { return };
        if let Some(there) = self.there.get_mut(&identity) {
            there.remove(uid);
            if there.is_empty() {
                self.there.remove(&identity);
            }
        }
    }

    /// What is known of an identity, the last of it.
    pub fn lately(&self, identity: &Identity) -> Vec<String> {
        self.lately.get(identity).into_iter().flatten().cloned().collect()
    }

    fn note(&mut self, identity: &Identity, line: String) {
        let open = self.violations.iter_mut().rev().find(|it| it.identity == *identity && it.after < AFTER);
        if let Some(violation) = open {
            violation.after += 1;
            violation.around.push(line.clone());
        }
        let lately = self.lately.entry(identity.clone()).or_default();
        if lately.len() == BEFORE {
            lately.pop_front();
        }
        lately.push_back(line);
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who: Vec<_> = self.there.iter().map(|(uid, name)| format!("{name} ({uid})")).collect();
        writeln!(f, "{} of {} at {}: {}", who.len(), self.identity, self.at, who.join(", "))?;
        self.around.iter().try_for_each(|line| writeln!(f, "    {line}"))
    }
}

/// How much is told of what came before.
const BEFORE: usize = 24;
/// And of what came after.
const AFTER: usize = 6;
