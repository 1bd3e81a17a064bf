//! What there is in the cluster, as far as plans read it. Filled by the watches; answers which workloads a change
//! concerns, and what surrounds a workload.

use std::collections::BTreeSet;

use super::seen::Marked;
use crate::cluster::shelf::{Change, Shelf};
use crate::policy::companions::{BudgetSpec, Existing, Owner, ServiceSpec, Surroundings, Workload, concerns};
use crate::policy::kind::{KINDS, Kind};

/// A workload, whether it is marked now or was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    /// Its namespace.
    pub(super) namespace: String,
    /// Its name.
    pub(super) name: String,
    /// Its resource: plural and unique among the kinds.
    resource: &'static str,
}

/// All shelves.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) workloads: [Shelf<Marked>; KINDS.len()],
    pub(super) services: Shelf<Existing<ServiceSpec>>,
    pub(super) budgets: Shelf<Existing<BudgetSpec>>,
}

impl Key {
    pub(super) fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned(), resource: kind.info().resource }
    }

    /// The workload that an owner reference means, if it is of a kind we guard.
    fn of(owner: &Owner, namespace: &str) -> Option<Self> {
        let info = KINDS.iter().find(|info| info.name == owner.kind)?;
        Some(Self::new(info.kind, namespace, &owner.name))
    }

    pub(super) fn kind(&self) -> Kind {
        KINDS.iter().find(|info| info.resource == self.resource).map_or(Kind::StatefulSet, |info| info.kind)
    }
}

impl Index {
    /// Whether every watch has listed once. Before that nothing is known to be absent.
    pub(super) fn is_synced(&self) -> bool {
        self.workloads.iter().all(|shelf| shelf.is_synced) && self.services.is_synced && self.budgets.is_synced
    }

    /// The shelf of a kind.
    pub(super) fn shelf(&mut self, kind: Kind) -> Option<&mut Shelf<Marked>> {
        let position = KINDS.iter().position(|info| info.kind == kind)?;
        self.workloads.get_mut(position)
    }

    pub(super) fn workload(&self, key: &Key) -> Option<&Marked> {
        let position = KINDS.iter().position(|info| info.kind == key.kind())?;
        self.workloads.get(position)?.get(&key.namespace, &key.name)
    }

    /// All marked workloads.
    pub(super) fn keys(&self) -> BTreeSet<Key> {
        let marked = self.workloads.iter().flat_map(Shelf::all);
        marked.map(|Marked { workload, .. }| Key::new(workload.kind, &workload.namespace, &workload.name)).collect()
    }

    /// All that a plan for a workload of this namespace reads.
    pub(super) fn around(&self, namespace: &str) -> Surroundings<'_> {
        Surroundings {
            workloads: self.marked_in(namespace).map(|marked| &marked.workload).collect(),
            services: self.services.within(namespace).collect(),
            budgets: self.budgets.within(namespace).collect(),
        }
    }

    /// The marked ReplicaSets that this owner controls, as far as the mark is our stamp.
    pub(super) fn stamped(&self, key: &Key) -> impl Iterator<Item = &Marked> {
        let (kind, name) = (key.kind().info().name, key.name.clone());
        self.marked_in(&key.namespace).filter(move |marked| {
            marked.is_stamped
                && marked.workload.controller.as_ref().is_some_and(|owner| owner.kind == kind && owner.name == name)
        })
    }

    /// Whom a change of a Service or a budget concerns: those whose Pods it selects, whose name it has, and its owner.
    pub(super) fn concerned_by<S: concerns::Selects>(&self, change: &Change<Existing<S>>) -> BTreeSet<Key> {
        let mut keys = BTreeSet::new();
        for object in [&change.before, &change.after].into_iter().flatten() {
            keys.extend(object.controller.as_ref().and_then(|owner| Key::of(owner, &change.namespace)));
            let concerned = self.marked_in(&change.namespace).filter(|marked| object.concerns(&marked.workload));
            keys.extend(concerned.map(|Marked { workload, .. }| {
                let Workload { kind, namespace, name, .. } = workload;
                Key::new(*kind, namespace, name)
            }));
        }
        keys
    }

    fn marked_in(&self, namespace: &str) -> impl Iterator<Item = &Marked> {
        self.workloads.iter().flat_map(move |shelf| shelf.within(namespace))
    }
}

/// Whom a change of a workload concerns: itself and its owner.
pub(super) fn concerned_by_workload(change: &Change<Marked>) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    for Marked { workload, .. } in [&change.before, &change.after].into_iter().flatten() {
        keys.insert(Key::new(workload.kind, &workload.namespace, &workload.name));
        keys.extend(workload.controller.as_ref().and_then(|owner| Key::of(owner, &workload.namespace)));
    }
    keys
}
