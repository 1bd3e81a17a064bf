//! Companions: the headless Service and the PodDisruptionBudget that a singleton should have. Given a workload, what
//! there is in its namespace, the settings and the time: what is to be done, as data, or the reason why nothing is.
//!
//! No client and no clock in here, and nothing that only one replica knows: every replica comes to the same plan and
//! applies the same bytes. What users made is never touched, and nothing is copied from the workload to a companion: a
//! tracking label of a deployment tool on a child makes that tool delete it.

mod budget;
pub mod concerns;
mod name;
pub mod selector;
mod service;
pub mod theirs;
mod why;
pub mod wish;

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::kind::Kind;
use super::mark::MarkKey;
use super::object::OwnerReference;
use super::text::fnv1a;
use selector::{Labels, PodLabels, Selector};
use theirs::Taken;
use wish::{Allowed, Annotations, Disruption};

pub use budget::{POD_NAME, POD_TEMPLATE_HASH, lets_none_go};
pub(crate) use name::service as service_name;
pub use service::{PATIENCE, misses};
pub use theirs::let_go;
pub use why::{Companion, Taker, Why, let_go_of, made, none_of_ours};

/// What the settings say about companions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    /// Whether the controller runs at all.
    pub enabled: bool,
    /// Whether a workload without the annotation gets a headless Service.
    pub headless_service: bool,
    /// What a workload without the annotation wants.
    pub disruption: Disruption,
    /// How far ahead a window of consent may end.
    pub consent_window_max: Duration,
    /// What a workload may ask for.
    pub allowed: Allowed,
    /// What our [`MANAGER_LABEL`] says: see [`managed_by`].
    pub managed_by: String,
}

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
    /// Whether it carries our [`MANAGER_LABEL`] and nobody else has written to it. That of a guard with another mark is not
    /// ours.
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
    /// Whether it lets no Pod go, by [`lets_none_go`]; kept of others' only.
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

/// What is to be done for a marked workload.
#[must_use]
pub fn plan(workload: &Workload, around: &Surroundings<'_>, defaults: &Defaults, now: SystemTime) -> Plan {
    let mut plan = Plan::default();
    let named = (workload.kind, workload.name.as_str());
    plan.steps.extend(let_go(named, Companion::Service, around.services.iter().copied()));
    plan.steps.extend(let_go(named, Companion::Budget, around.budgets.iter().copied()));
    // Its companions go with it: that is the garbage collector's work.
    if workload.is_deleted {
        return plan;
    }
    let owned = workload.kind == Kind::ReplicaSet && workload.controller.is_some();
    service::plan(workload, around, defaults, owned, now, &mut plan);
    budget::plan(workload, around, defaults, owned, now, &mut plan);
    plan
}

/// What is to be done after a release: the budget goes. The Service stays until the workload does, because clients
/// that run depend on it.
#[must_use]
pub fn released(owner: &Owner, budgets: &[&Existing<BudgetSpec>]) -> Plan {
    let theirs = budgets.iter().filter(|budget| {
        budget.is_ours && !budget.is_deleted && budget.controller.as_ref().is_some_and(|held| held.uid == owner.uid)
    });
    let steps = theirs.map(|budget| budget.removal(Companion::Budget, Why::Released)).collect();
    Plan { steps, ..Plan::default() }
}

impl Step {
    /// Whether it makes a Service under a name that the user wrote.
    #[must_use]
    pub fn takes_a_written_name(&self, workload: &str) -> bool {
        matches!(self, Self::Apply { companion: Companion::Service, name, .. } if !name::is_given(workload, name))
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
    fn ripe(&self) -> SystemTime {
        self.seen + GRACE
    }

    /// The key of its one Pod, where no other Pod can have it.
    fn held_key(&self, around: &Surroundings<'_>) -> Option<&str> {
        self.key.as_deref().filter(|_| around.keys_hold)
    }
}

impl<S> Existing<S> {
    /// Whether it is this workload's companion: controlled by it, or by one of the same kind and name that is gone, or
    /// (orphaned) by nobody while it has the name that ours has.
    fn belongs_to(&self, workload: &Workload, name: &str) -> bool {
        self.is_ours
            && match &self.controller {
                Some(owner) => owner.kind == workload.kind.info().name && owner.name == workload.name,
                None => self.name == name,
            }
    }

    fn removal(&self, companion: Companion, why: Why) -> Step {
        Step::Remove {
            companion,
            name: self.name.clone(),
            uid: self.uid.clone(),
            resource_version: self.resource_version.clone(),
            why,
        }
    }

    /// When it may be written: an adopted one not before its time, any other at any.
    fn waits(&self, now: SystemTime) -> Option<SystemTime> {
        self.adoptable.filter(|at| now < *at)
    }

    /// Whether nothing of its metadata has to change.
    fn is_held_by(&self, workload: &Workload) -> bool {
        self.controller.as_ref().is_some_and(|owner| owner.uid == workload.uid)
    }
}

/// The metadata that we demand of a companion. No `blockOwnerDeletion`: it needs a right on the owner's finalizers
/// (admission plugin `OwnerReferencesPermissionEnforcement`), and nobody has to wait for a Service.
fn metadata<S>(workload: &Workload, name: &str, defaults: &Defaults, existing: Option<&Existing<S>>) -> Value {
    let info = workload.kind.info();
    let api_version = match info.group {
        "" => info.version.to_owned(),
        group => format!("{group}/{}", info.version),
    };
    let mut metadata = json!({
        "name": name,
        "namespace": workload.namespace,
        "labels": {MANAGER_LABEL: defaults.managed_by},
        "ownerReferences": [{
            "apiVersion": api_version,
            "kind": info.name,
            "name": workload.name,
            "uid": workload.uid,
            "controller": true,
        }],
    });
    if let Value::Object(metadata) = &mut metadata {
        let revision = existing.map_or(NO_REVISION, |existing| &existing.resource_version);
        metadata.insert("resourceVersion".to_owned(), json!(revision));
        metadata.extend(existing.map(|existing| ("uid".to_owned(), json!(existing.uid))));
    }
    metadata
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

impl Default for Defaults {
    fn default() -> Self {
        Self {
            enabled: true,
            headless_service: true,
            disruption: Disruption::Allow,
            consent_window_max: Duration::from_secs(24 * 60 * 60),
            allowed: Allowed::default(),
            managed_by: managed_by(&MarkKey::default()),
        }
    }
}

/// Who keeps the companions of the workloads with this mark. Two guards with different marks may share a cluster: what
/// one has made must not look to the other like the leavings of a singleton that was released. Running clusters know the
/// old values, so they must never change.
#[must_use]
pub fn managed_by(mark: &MarkKey) -> String {
    if *mark == MarkKey::default() { MANAGER.to_owned() } else { format!("{MANAGER}-{:08x}", fnv1a(mark.as_str())) }
}

fn tcp() -> String {
    "TCP".to_owned()
}

/// The field manager of every write for companions: one for all replicas, another one for a guard with another mark.
#[must_use]
pub fn field_manager(managed_by: &str) -> String {
    format!("{managed_by}-companions")
}

/// The label by which we know our own (Kubernetes, "Recommended Labels").
pub const MANAGER_LABEL: &str = "app.kubernetes.io/managed-by";
/// Its value with the usual mark.
const MANAGER: &str = "singleton-guard";
/// A revision that no object has: an apply with it creates, and conflicts with whatever is there.
const NO_REVISION: &str = "1";
/// Longer than `kubectl apply` and helm take from one object of a manifest to the next.
const GRACE: Duration = Duration::from_secs(2);
