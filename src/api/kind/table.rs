//! The kinds that every cluster serves: those that can be singletons, in the order that decides whose Service has the plain
//! name ([`crate::api::names`]), and those that the mark is refused on.

use super::info::{Kind, KindInfo, Makes, MetricNames, PodNames, ReplicasField, Rollout, SelectorForm, Unmarkable};

impl Kind {
    /// `apps/v1` StatefulSet.
    pub const STATEFUL_SET: Self = Self(&STATEFUL_SET);
    /// `apps/v1` ReplicaSet.
    pub const REPLICA_SET: Self = Self(&REPLICA_SET);
    /// `apps/v1` Deployment.
    pub const DEPLOYMENT: Self = Self(&DEPLOYMENT);
    /// `v1` ReplicationController.
    pub const REPLICATION_CONTROLLER: Self = Self(&REPLICATION_CONTROLLER);
}

/// The kinds we guard.
pub(super) static GUARDED: [Kind; 4] =
    [Kind::STATEFUL_SET, Kind::REPLICA_SET, Kind::DEPLOYMENT, Kind::REPLICATION_CONTROLLER];

static STATEFUL_SET: KindInfo = KindInfo {
    order: 0,
    name: "StatefulSet",
    group: "apps",
    version: "v1",
    resource: "statefulsets",
    metrics: MetricNames {
        main: "statefulsets",
        scale: "statefulsets/scale",
        status: "statefulsets/status",
        every: Some("every statefulset"),
    },
    suffix: "statefulset",
    replicas: SPEC_REPLICAS,
    status_writes_labels: true,
    makes: Makes::Pods,
    rollout: Some(Rollout::UpdateStrategy),
    pod_names: PodNames::Ordinal,
    selector: SelectorForm::LabelSelector,
    hash_label: Some("controller-revision-hash"),
    revision: None,
    custom: None,
};
static REPLICA_SET: KindInfo = KindInfo {
    order: 1,
    name: "ReplicaSet",
    group: "apps",
    version: "v1",
    resource: "replicasets",
    metrics: MetricNames { main: "replicasets", scale: "replicasets/scale", status: "replicasets/status", every: None },
    suffix: "replicaset",
    replicas: SPEC_REPLICAS,
    status_writes_labels: true,
    makes: Makes::PodsForOwner,
    rollout: None,
    pod_names: PodNames::Key("-rs"),
    selector: SelectorForm::LabelSelector,
    hash_label: None,
    revision: None,
    custom: None,
};
static DEPLOYMENT: KindInfo = KindInfo {
    order: 2,
    name: "Deployment",
    group: "apps",
    version: "v1",
    resource: "deployments",
    metrics: MetricNames {
        main: "deployments",
        scale: "deployments/scale",
        status: "other",
        every: Some("every deployment"),
    },
    suffix: "deployment",
    replicas: SPEC_REPLICAS,
    status_writes_labels: false,
    makes: Makes::ReplicaSets,
    rollout: Some(Rollout::Strategy),
    pod_names: PodNames::Key("-deploy"),
    selector: SelectorForm::LabelSelector,
    hash_label: Some("pod-template-hash"),
    revision: Some("deployment.kubernetes.io/revision"),
    custom: None,
};
static REPLICATION_CONTROLLER: KindInfo = KindInfo {
    order: 3,
    name: "ReplicationController",
    group: "",
    version: "v1",
    resource: "replicationcontrollers",
    metrics: MetricNames {
        main: "replicationcontrollers",
        scale: "replicationcontrollers/scale",
        status: "replicationcontrollers/status",
        every: Some("every replicationcontroller"),
    },
    suffix: "replicationcontroller",
    replicas: SPEC_REPLICAS,
    status_writes_labels: true,
    makes: Makes::Pods,
    rollout: None,
    pod_names: PodNames::Key("-rc"),
    selector: SelectorForm::Labels,
    hash_label: None,
    revision: None,
    custom: None,
};

/// The API server fills in 1 for each of them.
pub const SPEC_REPLICAS: ReplicasField = ReplicasField { path: "spec.replicas", absent: 1 };

/// The kinds that the mark is refused on: they run one Pod per node, or Pods until they are done.
pub(super) static UNMARKABLE: [Unmarkable; 3] = [
    Unmarkable {
        name: "DaemonSet",
        group: "apps",
        version: "v1",
        resource: "daemonsets",
        instead: "leave the label out (kustomize's commonLabels reach every kind), or use a StatefulSet with one replica",
    },
    Unmarkable {
        name: "Job",
        group: "batch",
        version: "v1",
        resource: "jobs",
        instead: "leave the label out (kustomize's commonLabels reach every kind); parallelism: 1 runs one Pod at a time",
    },
    Unmarkable {
        name: "CronJob",
        group: "batch",
        version: "v1",
        resource: "cronjobs",
        instead: "leave the label out (kustomize's commonLabels reach all); concurrencyPolicy: Forbid runs one Job at a time",
    },
];

/// Plural resource name of the Pods.
pub const PODS: &str = "pods";
