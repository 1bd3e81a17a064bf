//! What surrounds a workload, and whom a change concerns: the index of the marked workloads, the Services and the budgets,
//! as far as plans read them.

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard};

use super::watch::Found;
use crate::api::kind::{Kind, Kinds};
use crate::cluster::store::{Change, Reader, State};
use crate::companions::plan::concerns::Selects;
use crate::companions::plan::{BudgetSpec, Existing, Owner, ServiceSpec, Surroundings, Workload};
use crate::index::marked::Marked;
use crate::index::{Entry, Index, Key};

/// The readers of everything that a plan is made of.
pub(super) struct Around {
    pub(super) marked: crate::index::Reader,
    pub(super) services: Reader<(), Existing<ServiceSpec>>,
    pub(super) budgets: Reader<(), Existing<BudgetSpec>>,
}

/// One look at all of it.
pub(super) struct Look<'a> {
    marked: MutexGuard<'a, State<Kind, Entry>>,
    services: MutexGuard<'a, State<(), Existing<ServiceSpec>>>,
    budgets: MutexGuard<'a, State<(), Existing<BudgetSpec>>>,
}

impl Around {
    pub(super) fn new(index: &Index, services: &Arc<Found<ServiceSpec>>, budgets: &Arc<Found<BudgetSpec>>) -> Self {
        let (services, budgets) = (services.reader(|_, _| true), budgets.reader(|_, _| true));
        Self { marked: index.reader(|_, _| true), services, budgets }
    }

    pub(super) fn look(&self) -> Look<'_> {
        Look { marked: self.marked.lock(), services: self.services.lock(), budgets: self.budgets.lock() }
    }
}

impl Look<'_> {
    /// Whether every watch has listed once. Before that nothing is known to be absent.
    pub(super) fn is_synced(&self) -> bool {
        self.marked.is_synced() && self.services.is_synced() && self.budgets.is_synced()
    }

    pub(super) fn workload(&self, key: &Key) -> Option<&Entry> {
        self.marked.get(key)
    }

    /// All marked workloads.
    pub(super) fn keys(&self) -> BTreeSet<Key> {
        self.marked.entries().map(|(key, _)| key.clone()).collect()
    }

    /// All that a plan for a workload of this namespace reads.
    pub(super) fn around(&self, namespace: &str) -> Surroundings<'_> {
        Surroundings {
            workloads: self.marked_in(namespace).map(|marked| &marked.workload).collect(),
            services: self.services.within(namespace).map(|(_, service)| service).collect(),
            budgets: self.budgets.within(namespace).map(|(_, budget)| budget).collect(),
            ..Surroundings::default()
        }
    }

    /// The marked ReplicaSets that this owner controls, as far as the mark is our stamp.
    pub(super) fn stamped<'k>(&'k self, key: &'k Key) -> impl Iterator<Item = &'k Marked> {
        self.marked_in(&key.namespace).filter(move |marked| {
            marked.is_stamped && marked.workload.controller.as_ref().is_some_and(|owner| owner.is(key.of, &key.name))
        })
    }

    /// Whom a change of a Service or a budget concerns: those whose Pods it selects, whose name it has, and its owner.
    pub(super) fn concerned_by<S: Selects>(&self, change: &Change<(), Existing<S>>, kinds: Kinds) -> BTreeSet<Key> {
        let (mut keys, namespace) = (BTreeSet::new(), &change.key.namespace);
        for object in [&change.before, &change.after].into_iter().flatten() {
            keys.extend(object.controller.as_ref().and_then(|owner| owned_by(owner, namespace, kinds)));
            let concerned = self.marked_in(namespace).filter(|marked| object.concerns(&marked.workload));
            keys.extend(concerned.map(|Marked { workload, .. }| {
                let Workload { kind: of, namespace, name, .. } = workload.clone();
                Key { namespace, name, of }
            }));
        }
        keys
    }

    fn marked_in(&self, namespace: &str) -> impl Iterator<Item = &Marked> {
        self.marked.within(namespace).filter_map(|(_, entry)| entry.as_ref().ok())
    }
}

/// Whom a change of a workload concerns: itself and its owner.
pub(super) fn concerned_by_workload(change: Change<Kind, Entry>, kinds: Kinds) -> BTreeSet<Key> {
    let marked = [&change.before, &change.after].into_iter().flatten().filter_map(|entry| entry.as_ref().as_ref().ok());
    let owners = marked.filter_map(|marked| marked.workload.controller.as_ref());
    let mut keys: BTreeSet<_> = owners.filter_map(|owner| owned_by(owner, &change.key.namespace, kinds)).collect();
    keys.insert(change.key);
    keys
}

/// The workload that an owner reference means, if it is of a kind we guard.
fn owned_by(owner: &Owner, namespace: &str, kinds: Kinds) -> Option<Key> {
    let of = owner.kind(kinds)?;
    Some(Key { namespace: namespace.to_owned(), name: owner.name.clone(), of })
}
