//! What there is to know of a kind.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// A workload kind that can be a singleton: an entry of a table of kinds.
#[derive(Clone, Copy)]
pub struct Kind(pub(super) &'static KindInfo);

/// What there is to know of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindInfo {
    /// Its place among all kinds. It tells kinds apart, and of two workloads of one name the Service of the kind that comes
    /// first has the plain name: see [`crate::api::names`].
    pub order: u16,
    /// `kind` of the object, as in `StatefulSet`.
    pub name: &'static str,
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version that our look-ups, watches and webhook rules ask for.
    pub version: &'static str,
    /// Plural resource name, as in `statefulsets`.
    pub resource: &'static str,
    /// What it is called in metrics.
    pub metrics: MetricNames,
    /// What the names of its companions end with. A running cluster knows it, so it must never change.
    pub suffix: &'static str,
    /// Where the desired number of Pods is.
    pub replicas: ReplicasField,
    /// Whether a write to `/status` can change labels. The strategies of StatefulSet, ReplicaSet and
    /// ReplicationController restore `spec` only; the one of Deployment restores the labels too
    /// (`deploymentStatusStrategy.PrepareForUpdate`).
    pub status_writes_labels: bool,
    /// What its controller makes.
    pub makes: Makes,
    /// How its Pods are replaced when their template changes; without one they stay.
    pub rollout: Option<Rollout>,
    /// How its Pods are named.
    pub pod_names: PodNames,
    /// How `spec.selector` is written.
    pub selector: SelectorForm,
    /// The label of its Pods whose value only its controller knows.
    pub hash_label: Option<&'static str>,
    /// The annotation in which it counts the ReplicaSets that it has made: another value means that there is another.
    pub revision: Option<&'static str>,
    /// What a configuration says of a kind of others; none of one that every cluster serves.
    pub custom: Option<Custom>,
}

/// What is known of a kind of others alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Custom {
    /// The user that its controller is, who writes its ReplicaSets.
    pub controller_user: Option<&'static str>,
    /// Whether it has a Pod template at `spec.template`. One without gets no companions.
    pub has_template: bool,
}

/// How metrics call a kind. Each is a value of a label, so it is written out and never made of what somebody asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricNames {
    /// The objects.
    pub main: &'static str,
    /// Their `/scale`.
    pub scale: &'static str,
    /// Their `/status`, of a kind whose labels can be written there.
    pub status: &'static str,
    /// The watch of every change, by which it is proven whether a workload is marked. None where another object decides that.
    pub every: Option<&'static str>,
}

/// Where the desired number of Pods is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplicasField {
    /// The path from the object, as in `spec.replicas`.
    pub path: &'static str,
    /// What it means where it is absent.
    pub absent: i64,
}

/// What the controller of a kind makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Makes {
    /// Pods.
    Pods,
    /// Pods, for the workload that has made it where one has: such a ReplicaSet is a singleton exactly if that is.
    PodsForOwner,
    /// ReplicaSets, which make Pods.
    ReplicaSets,
}

/// How Pods are replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollout {
    /// `spec.strategy` as a Deployment has it: it may run a second Pod, and `spec.paused` stops it.
    Strategy,
    /// `spec.updateStrategy` as a StatefulSet has it: the old Pod ends before the new one starts.
    UpdateStrategy,
}

/// How Pods are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodNames {
    /// By their number behind the name of the workload, from `spec.ordinals.start` on; they find each other by the Service
    /// that `spec.serviceName` names.
    Ordinal,
    /// By chance, and those of a strict singleton by its key, which ends with this where we derive it: the short name by
    /// which kubectl knows the kind.
    Key(&'static str),
    /// By its controller, in a way that we do not know: it cannot be strict.
    Unknown,
}

/// How a selector is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelectorForm {
    /// A `LabelSelector`, which cannot be changed.
    LabelSelector,
    /// A map of labels, which can.
    Labels,
}

/// A kind that runs Pods but cannot be a singleton: the mark on it is refused (SG006).
#[derive(Debug, PartialEq, Eq)]
pub struct Unmarkable {
    /// `kind` of the object.
    pub name: &'static str,
    /// API group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Plural resource name.
    pub resource: &'static str,
    /// What to do instead of marking it. kustomize puts its common labels on every object that it builds.
    pub instead: &'static str,
}

impl Kind {
    /// An entry. It is made once and stays, so that a kind can be handed on like a number.
    #[must_use]
    pub fn new(info: KindInfo) -> Self {
        Self(Box::leak(Box::new(info)))
    }

    /// What there is to know of it.
    #[must_use]
    pub const fn info(self) -> &'static KindInfo {
        self.0
    }
}

impl KindInfo {
    /// The path of all objects of the kind, in every namespace.
    #[must_use]
    pub fn collection(&self) -> String {
        format!("{}/{}", self.root(), self.resource)
    }

    /// The path of all objects of the kind in one namespace.
    #[must_use]
    pub fn within(&self, namespace: &str) -> String {
        format!("{}/namespaces/{namespace}/{}", self.root(), self.resource)
    }

    /// The path of one object.
    #[must_use]
    pub fn object(&self, namespace: &str, name: &str) -> String {
        format!("{}/{name}", self.within(namespace))
    }

    /// Group and version, as an object and an owner reference name them.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether this is the kind that somebody means, in any version of its group.
    #[must_use]
    pub fn is(&self, api_version: &str, kind: &str) -> bool {
        self.name == kind && group_of(api_version) == self.group
    }

    /// Whether the mark may be `strict`: its Pods have names that we know, or give.
    #[must_use]
    pub fn can_be_strict(&self) -> bool {
        self.pod_names != PodNames::Unknown
    }

    /// Whether the API server's own policies hold it: the native floor.
    #[must_use]
    pub const fn has_floor(&self) -> bool {
        self.custom.is_none()
    }

    fn root(&self) -> String {
        let Self { group, version, .. } = self;
        if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") }
    }
}

/// The group of an `apiVersion`; empty for the core group.
#[must_use]
pub fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.0.order == other.0.order
    }
}

impl Eq for Kind {}

impl Ord for Kind {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.order.cmp(&other.0.order)
    }
}

impl PartialOrd for Kind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Kind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.order.hash(state);
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}
