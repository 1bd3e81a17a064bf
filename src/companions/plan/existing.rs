//! What a plan reads of what there is around a workload: the other marked workloads, the Services and the
//! budgets of its namespace.

use std::time::SystemTime;

use serde_json::Value;

use super::selector::{Labels, Selector};
use super::step::Step;
use super::words::{Companion, Why};
use super::workload::{Owner, Port, Workload};

/// A Service or a budget that exists, reduced to what a plan reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Existing<S> {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// Whether `metadata.deletionTimestamp` is there.
    pub is_deleted: bool,
    /// Whether it carries our [`super::MANAGER_LABEL`] and nobody else has written to it. That of a guard with another
    /// mark is not ours.
    pub is_ours: bool,
    /// Where it was ours, who has it now.
    pub taken: Option<Box<Taken>>,
    /// From when on it may be adopted, where it has to be.
    pub adoptable: Option<SystemTime>,
    /// The managing controller, if there is one.
    pub controller: Option<Owner>,
    /// Its own part.
    pub spec: S,
}

impl<S> Existing<S> {
    /// One of this name that somebody else has made, and that nothing controls.
    #[must_use]
    pub const fn of_somebody(name: String, spec: S) -> Self {
        Self {
            name,
            uid: String::new(),
            resource_version: String::new(),
            is_deleted: false,
            is_ours: false,
            taken: None,
            adoptable: None,
            controller: None,
            spec,
        }
    }
}

/// The part of a Service that a plan reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpec {
    /// `clusterIP` is `None`.
    pub is_headless: bool,
    /// `publishNotReadyAddresses`; kept of ours only.
    pub publishes_not_ready: bool,
    /// `selector`; none if it is too large to be kept, and so may select anything.
    pub selector: Option<Labels>,
    /// `ports`; kept of ours only.
    pub ports: Vec<Port>,
}

/// The part of a budget that a plan reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BudgetSpec {
    /// `selector`; absent selects nothing (`policy/v1`).
    pub selector: Option<Selector>,
    /// `minAvailable`; kept of ours only.
    pub min_available: Option<Value>,
    /// `maxUnavailable`; kept of ours only.
    pub max_unavailable: Option<Value>,
    /// `unhealthyPodEvictionPolicy`; kept of ours only.
    pub unhealthy_pod_eviction_policy: Option<String>,
    /// Whether it lets no Pod go, by [`super::lets_none_go`]; kept of others' only.
    pub lets_none_go: bool,
}

/// What somebody else has taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The field manager.
    pub by: String,
    /// The JSON patch that takes our label, our owner reference and our entry off it, and nothing else, from this very
    /// version of it. An apply without fields would take the selector and the ports along.
    pub patch: Value,
}

/// What there is in the namespace of a workload.
#[derive(Debug, Clone, Default)]
pub struct Surroundings<'a> {
    /// The marked workloads, this one among them.
    pub workloads: Vec<&'a Workload>,
    /// The Services.
    pub services: Vec<&'a Existing<ServiceSpec>>,
    /// The budgets.
    pub budgets: Vec<&'a Existing<BudgetSpec>>,
    /// Whether the API server lets no Pod have a key but the one that is named by it.
    pub keys_hold: bool,
    /// The Services that somebody has deleted and the workload goes without, and since when.
    pub deleted: Vec<(&'a str, SystemTime)>,
}

impl Surroundings<'_> {
    /// The key of a workload's one Pod, where no other Pod can have it.
    pub(super) fn held_key<'w>(&self, workload: &'w Workload) -> Option<&'w str> {
        workload.key.as_deref().filter(|_| self.keys_hold)
    }
}

impl<S> Existing<S> {
    /// Whether it is this workload's companion: controlled by it, or by one of the same kind and name that is gone, or
    /// (orphaned) by nobody while it has the name that ours has.
    pub(super) fn belongs_to(&self, workload: &Workload, name: &str) -> bool {
        self.is_ours
            && match &self.controller {
                Some(owner) => owner.is(workload.kind, &workload.name),
                None => self.name == name,
            }
    }

    pub(super) fn removal(&self, companion: Companion, why: Why) -> Step {
        Step::Remove {
            companion,
            name: self.name.clone(),
            uid: self.uid.clone(),
            resource_version: self.resource_version.clone(),
            why,
        }
    }

    /// From when on it may be written, where that is still to come: one that has to be adopted waits for its time.
    pub(super) fn waits(&self, now: SystemTime) -> Option<SystemTime> {
        self.adoptable.filter(|at| now < *at)
    }

    /// Whether nothing of its metadata has to change.
    pub(super) fn is_held_by(&self, workload: &Workload) -> bool {
        self.controller.as_ref().is_some_and(|owner| owner.uid == workload.uid)
    }
}

/// One that selects nothing.
impl Default for ServiceSpec {
    fn default() -> Self {
        Self { is_headless: false, publishes_not_ready: false, selector: Some(Labels::new()), ports: Vec::new() }
    }
}
