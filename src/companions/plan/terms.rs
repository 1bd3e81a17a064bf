//! The words in which a plan is made: what is read of a workload and of what there is around it, and what is to be done.

use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::selector::{Labels, PodLabels, Selector};
use super::words::{Companion, Why};
use crate::api::annotation::Annotations;
use crate::api::kind::Kind;
use crate::api::names;
use crate::api::object::OwnerReference;

/// A marked workload, reduced to what its companions follow from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Its kind.
    pub kind: Kind,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.uid`.
    pub uid: String,
    /// Whether `metadata.deletionTimestamp` is there.
    pub is_deleted: bool,
    /// The managing controller, if there is one.
    pub controller: Option<Owner>,
    /// Our annotations.
    pub annotations: Annotations<String>,
    /// `spec.selector`; for a ReplicationController its map as one.
    pub selector: Selector,
    /// The labels that its Pods have.
    pub pod: PodLabels,
    /// The key of its Pod, where it is strict.
    pub key: Option<String>,
    /// The ports that its containers declare.
    pub ports: Vec<Port>,
    /// `spec.serviceName` of a StatefulSet.
    pub service_name: Option<String>,
    /// Since when this process has known it as marked.
    pub seen: SystemTime,
}

/// The managing controller of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

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

/// A port of a container or of a Service, as either is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
pub struct Port {
    /// Name; empty where there is none.
    #[serde(default)]
    pub name: String,
    /// `TCP`, `UDP` or `SCTP`. The API server fills it in; a client's own object may lack it.
    #[serde(default = "tcp")]
    pub protocol: String,
    /// `port` of a Service, `containerPort` of a container.
    #[serde(rename = "port", alias = "containerPort")]
    pub number: u16,
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

/// What is to be done for a workload, in this order. Nothing where all is as it should be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The writes.
    pub steps: Vec<Step>,
    /// The companions that it does not get.
    pub skipped: Vec<(Companion, Why)>,
    /// Until when a disruption is let through that would be blocked otherwise.
    pub window: Option<SystemTime>,
    /// When to plan again, though nothing may have happened.
    pub again: Option<SystemTime>,
}

/// One write.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// To be applied (server-side), without force: what somebody else has set is left to them.
    Apply {
        /// Which companion.
        companion: Companion,
        /// Its name.
        name: String,
        /// What we demand of it. Where it exists, with its uid and revision as preconditions.
        body: Value,
        /// Whether it exists already.
        exists: bool,
    },
    /// To be deleted, if it still is what was seen.
    Remove {
        /// Which companion.
        companion: Companion,
        /// Its name.
        name: String,
        /// Its uid.
        uid: String,
        /// Its revision.
        resource_version: String,
        /// Why.
        why: Why,
    },
    /// To be let go of, if it still is what was seen: somebody else has written to it.
    LetGo {
        /// Which companion.
        companion: Companion,
        /// Its name.
        name: String,
        /// The uid of the workload that owned it.
        owner: String,
        /// Who has written to it.
        by: String,
        /// A JSON patch.
        patch: Value,
    },
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

impl Plan {
    /// Plans again at this time, if nothing happens before.
    pub(super) fn look_again(&mut self, at: SystemTime) {
        self.again = Some(self.again.map_or(at, |again| again.min(at)));
    }

    /// Takes this step, or plans again at the time from which on it may be taken.
    pub(super) fn step(&mut self, waits: Option<SystemTime>, step: impl FnOnce() -> Step) {
        match waits {
            Some(at) => self.look_again(at),
            None => self.steps.push(step()),
        }
    }
}

impl Step {
    /// Whether it makes a Service under a name that the user wrote.
    #[must_use]
    pub fn takes_a_written_name(&self, workload: &str) -> bool {
        matches!(self, Self::Apply { companion: Companion::Service, name, .. } if !names::is_given(workload, name))
    }

    /// Which companion it is about.
    #[must_use]
    pub const fn companion(&self) -> Companion {
        let (Self::Apply { companion, .. } | Self::Remove { companion, .. } | Self::LetGo { companion, .. }) = self;
        *companion
    }
}

impl Workload {
    /// A manifest often brings a Service and a budget of its own right behind the workload: they come first.
    pub(super) fn ripe(&self) -> SystemTime {
        self.seen + GRACE
    }

    /// The key of its one Pod, where no other Pod can have it.
    pub(super) fn held_key(&self, around: &Surroundings<'_>) -> Option<&str> {
        self.key.as_deref().filter(|_| around.keys_hold)
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

impl Owner {
    /// Whether it is of this kind and has this name, whichever incarnation it is.
    #[must_use]
    pub fn is(&self, kind: Kind, name: &str) -> bool {
        self.kind == kind.info().name && self.name == name
    }
}

/// An owner reference as it is read.
impl From<&OwnerReference<'_>> for Owner {
    fn from(owner: &OwnerReference<'_>) -> Self {
        Self { kind: owner.kind.to_string(), name: owner.name.to_string(), uid: owner.uid.to_string() }
    }
}

/// One that selects nothing.
impl Default for ServiceSpec {
    fn default() -> Self {
        Self { is_headless: false, publishes_not_ready: false, selector: Some(Labels::new()), ports: Vec::new() }
    }
}

fn tcp() -> String {
    "TCP".to_owned()
}

/// Longer than `kubectl apply` and helm take from one object of a manifest to the next.
const GRACE: Duration = Duration::from_secs(2);
