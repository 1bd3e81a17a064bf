//! The kinds of workload: which can be singletons, which cannot, and what a request is about.
//!
//! [`KINDS`] is a registry: the chart's webhook rules, its policies, its RBAC and what the process watches follow from
//! it. It is not the only place that knows a kind: `CONTRIBUTING.md` lists the others.

use super::autoscaler::{AUTOSCALERS, Autoscaler};

/// A workload kind that can be a singleton.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` ReplicaSet.
    ReplicaSet,
    /// `apps/v1` Deployment.
    Deployment,
    /// `v1` ReplicationController.
    ReplicationController,
}

/// What the API server calls a kind.
#[derive(Debug, PartialEq, Eq)]
pub struct KindInfo {
    /// The kind.
    pub kind: Kind,
    /// `kind` of the object, as in `StatefulSet`.
    pub name: &'static str,
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version that our look-ups ask for.
    pub version: &'static str,
    /// Plural resource name, as in `statefulsets`.
    pub resource: &'static str,
    /// Whether a write to `/status` can change labels. The strategies of StatefulSet, ReplicaSet and
    /// ReplicationController restore `spec` only; the one of Deployment restores the labels too
    /// (`deploymentStatusStrategy.PrepareForUpdate`).
    pub status_writes_labels: bool,
}

/// A kind that runs Pods but cannot be a singleton: the mark on it is refused (SG006).
#[derive(Debug, PartialEq, Eq)]
pub struct Unmarkable {
    /// `kind` of the object.
    pub name: &'static str,
    /// API group.
    pub group: &'static str,
    /// Plural resource name.
    pub resource: &'static str,
    /// What to do instead of marking it. kustomize puts its common labels on every object that it builds.
    pub instead: &'static str,
}

/// What the resource of a request is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// A kind we guard.
    Guarded(Kind),
    /// A kind that the mark must not be put on.
    Unmarkable(&'static Unmarkable),
    /// `v1` Pod: the rules of strict singletons speak about it.
    Pod,
    /// An autoscaler: SG003 speaks about it.
    Autoscaler(Autoscaler),
    /// Anything else. No rule speaks about it, so it is allowed: an older replica may be asked about a
    /// resource that only a newer chart knows.
    Unknown,
}

impl Kind {
    /// The names of this kind.
    #[must_use]
    pub const fn info(self) -> &'static KindInfo {
        match self {
            Self::StatefulSet => &STATEFUL_SET,
            Self::ReplicaSet => &REPLICA_SET,
            Self::Deployment => &DEPLOYMENT,
            Self::ReplicationController => &REPLICATION_CONTROLLER,
        }
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

    fn root(&self) -> String {
        let Self { group, version, .. } = self;
        if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") }
    }
}

impl Resource {
    /// Finds the resource that a request names; the version does not matter, the API server has converted the
    /// object to the one our webhook rules name (`matchPolicy: Equivalent`).
    #[must_use]
    pub fn find(group: &str, resource: &str) -> Self {
        if let Some(info) = KINDS.iter().find(|info| info.group == group && info.resource == resource) {
            return Self::Guarded(info.kind);
        }
        if (group, resource) == ("", PODS) {
            return Self::Pod;
        }
        let autoscaler =
            AUTOSCALERS.into_iter().find(|kind| (kind.info().group, kind.info().resource) == (group, resource));
        if let Some(autoscaler) = autoscaler {
            return Self::Autoscaler(autoscaler);
        }
        UNMARKABLE
            .iter()
            .find(|kind| kind.group == group && kind.resource == resource)
            .map_or(Self::Unknown, Self::Unmarkable)
    }

    /// `kind` of the object, as in `StatefulSet`.
    #[must_use]
    pub const fn kind_name(self) -> &'static str {
        match self {
            Self::Guarded(kind) => kind.info().name,
            Self::Unmarkable(kind) => kind.name,
            Self::Autoscaler(kind) => kind.info().name,
            Self::Pod => "Pod",
            Self::Unknown => "object",
        }
    }

    /// Plural resource name; `other` for what we do not know, so that a metric label stays bounded.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Guarded(kind) => kind.info().resource,
            Self::Unmarkable(kind) => kind.resource,
            Self::Autoscaler(kind) => kind.info().resource,
            Self::Pod => PODS,
            Self::Unknown => "other",
        }
    }

    /// API group; empty for the core group and for what we do not know.
    #[must_use]
    pub const fn group(self) -> &'static str {
        match self {
            Self::Guarded(kind) => kind.info().group,
            Self::Unmarkable(kind) => kind.group,
            Self::Autoscaler(kind) => kind.info().group,
            Self::Pod | Self::Unknown => "",
        }
    }
}

/// Plural resource name of the Pods.
pub const PODS: &str = "pods";

/// The kinds we guard.
pub const KINDS: [&KindInfo; 4] = [&STATEFUL_SET, &REPLICA_SET, &DEPLOYMENT, &REPLICATION_CONTROLLER];

/// The kinds that the mark is refused on: they run one Pod per node, or Pods until they are done.
pub const UNMARKABLE: [Unmarkable; 3] = [
    Unmarkable {
        name: "DaemonSet",
        group: "apps",
        resource: "daemonsets",
        instead: "leave the label out (kustomize's commonLabels reach every kind), or use a StatefulSet with one replica",
    },
    Unmarkable {
        name: "Job",
        group: "batch",
        resource: "jobs",
        instead: "leave the label out (kustomize's commonLabels reach every kind); parallelism: 1 runs one Pod at a time",
    },
    Unmarkable {
        name: "CronJob",
        group: "batch",
        resource: "cronjobs",
        instead: "leave the label out (kustomize's commonLabels reach all); concurrencyPolicy: Forbid runs one Job at a time",
    },
];

const STATEFUL_SET: KindInfo = KindInfo {
    kind: Kind::StatefulSet,
    name: "StatefulSet",
    group: "apps",
    version: "v1",
    resource: "statefulsets",
    status_writes_labels: true,
};
const REPLICA_SET: KindInfo = KindInfo {
    kind: Kind::ReplicaSet,
    name: "ReplicaSet",
    group: "apps",
    version: "v1",
    resource: "replicasets",
    status_writes_labels: true,
};
const DEPLOYMENT: KindInfo = KindInfo {
    kind: Kind::Deployment,
    name: "Deployment",
    group: "apps",
    version: "v1",
    resource: "deployments",
    status_writes_labels: false,
};
const REPLICATION_CONTROLLER: KindInfo = KindInfo {
    kind: Kind::ReplicationController,
    name: "ReplicationController",
    group: "",
    version: "v1",
    resource: "replicationcontrollers",
    status_writes_labels: true,
};
