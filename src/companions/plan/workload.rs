//! What a plan reads of a marked workload.

use std::time::{Duration, SystemTime};

use super::selector::{PodLabels, Selector};
use crate::api::annotation::Annotations;
use crate::api::kind::{Kind, Kinds, group_of};
use crate::api::metadata::OwnerReference;

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
    /// The API group of its kind.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
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

impl Workload {
    /// Whether it is known which Pods are its own: of a kind of others only where a template says it.
    pub(super) fn has_pods_we_know(&self) -> bool {
        self.kind.info().custom.is_none_or(|custom| custom.has_template && !self.pod.known.is_empty())
    }

    /// A manifest often brings a Service and a budget of its own right behind the workload: they come first.
    pub(super) fn ripe(&self) -> SystemTime {
        self.seen + GRACE
    }
}

impl Owner {
    /// Whether it is of this kind and has this name, whichever incarnation it is.
    #[must_use]
    pub fn is(&self, kind: Kind, name: &str) -> bool {
        self.name == name && self.kind == kind.info().name && self.group == kind.info().group
    }

    /// The kind, if it is one that is guarded.
    #[must_use]
    pub fn kind(&self, kinds: Kinds) -> Option<Kind> {
        kinds.named(&self.group, &self.kind)
    }
}

/// An owner reference as it is read.
impl From<&OwnerReference<'_>> for Owner {
    fn from(owner: &OwnerReference<'_>) -> Self {
        let group = group_of(&owner.api_version).to_owned();
        Self { group, kind: owner.kind.to_string(), name: owner.name.to_string(), uid: owner.uid.to_string() }
    }
}

fn tcp() -> String {
    "TCP".to_owned()
}

/// Longer than `kubectl apply` and helm take from one object of a manifest to the next.
const GRACE: Duration = Duration::from_secs(2);
