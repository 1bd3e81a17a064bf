//! What there is to say of the singletons that an autoscaler targets: on each of them and on the autoscaler. Pure.

use std::collections::BTreeMap;

use super::seen::Reaching;
use crate::api::autoscaler::{Autoscaler, Bound};
use crate::api::kind::Kind;
use crate::api::reference::Regarding;
use crate::api::text::clip;

/// An autoscaler that targets a singleton.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Autoscaled {
    /// Its kind.
    pub autoscaler: Autoscaler,
    /// Its name.
    pub name: String,
    /// What it may ask for.
    pub reaching: Reaching,
    /// What its target is, or belongs to.
    pub singleton: Regarding,
    /// The kind of that.
    pub kind: Kind,
}

/// Something to say about an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The object.
    pub about: Regarding,
    /// One line.
    pub note: String,
}

/// How many singletons of each kind are targeted.
#[must_use]
pub fn count(found: &[Autoscaled]) -> BTreeMap<Kind, usize> {
    let mut singletons: Vec<_> = found.iter().map(|found| (found.kind, &found.singleton.uid)).collect();
    singletons.sort_unstable();
    singletons.dedup();
    let mut counts = BTreeMap::new();
    for (kind, _) in singletons {
        *counts.entry(kind).or_default() += 1;
    }
    counts
}

/// What to say, of a namespace at most about so many autoscalers that its Events do not bury others.
#[must_use]
pub fn notes(found: &[Autoscaled]) -> Vec<Note> {
    let mut of_namespace: BTreeMap<&str, usize> = BTreeMap::new();
    let mut notes = Vec::new();
    for Autoscaled { autoscaler, name, reaching, singleton, .. } in found {
        let told = of_namespace.entry(&singleton.namespace).or_default();
        *told += 1;
        if *told > TOLD_MAX {
            continue;
        }
        let info = autoscaler.info();
        let (most, field, kind) = (reaching.most, Bound::Max.field(*autoscaler), info.name);
        let shown = clip(name, NAME_MAX);
        notes.push(Note {
            about: singleton.clone(),
            note: format!(
                "{kind} {shown} asks for up to {most} replicas, and more than one is refused: set its {field} to 1, or take the singleton label off"
            ),
        });
        notes.push(Note {
            about: Regarding {
                group: info.group,
                version: info.version,
                kind: info.name,
                namespace: singleton.namespace.clone(),
                name: name.clone(),
                uid: reaching.uid.clone(),
            },
            note: format!(
                "{} {} is a singleton, and more than one replica is refused: set {field} to 1 (it asks for up to {most}), or take the singleton label off",
                singleton.kind,
                clip(&singleton.name, NAME_MAX)
            ),
        });
    }
    notes
}

/// Many times what any real namespace has.
const TOLD_MAX: usize = 32;
/// An Event's note has at most 1024 bytes.
const NAME_MAX: usize = 253;
