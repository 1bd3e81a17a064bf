//! Objects as the watches decode them: only the fields that a plan reads, and those reduced at once to the plan's own
//! types. What a Service or a budget of a user is like beyond its selector is not kept.

use std::time::SystemTime;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use serde_json::Value;

use super::field_manager;
use crate::cluster::follow::Seen;
use crate::policy::companions::selector::{Labels, PodLabels, Selector};
use crate::policy::companions::wish::{Annotations, DISRUPTION, DISRUPTION_ALLOWED_UNTIL, HEADLESS_SERVICE};
use crate::policy::companions::{BudgetSpec, Existing, MANAGER_LABEL, Owner, Port, ServiceSpec, Workload};
use crate::policy::kind::Kind;
use crate::policy::mark::is_dns_label;

/// A marked workload with what is needed beside the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marked {
    /// What its companions follow from.
    pub(super) workload: Workload,
    /// The larger of `spec.replicas` and `status.replicas`.
    pub(super) replicas: i64,
    /// The annotation in which a Deployment counts its ReplicaSets: another one means that there is another.
    pub(super) revision: Option<String>,
    /// Whether the mark is (also) our own stamp.
    pub(super) is_stamped: bool,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct WorkloadSpec {
    replicas: Option<i64>,
    selector: Option<WorkloadSelector>,
    service_name: Option<String>,
    ordinals: Ordinals,
    template: Template,
}

/// `LabelSelector`, or the plain map of a ReplicationController.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(untagged)]
enum WorkloadSelector {
    Equal(Labels),
    Full(Selector),
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
struct Ordinals {
    start: i64,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
struct Template {
    metadata: TemplateMetadata,
    spec: PodSpec,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
struct TemplateMetadata {
    labels: Option<Labels>,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
struct PodSpec {
    containers: Vec<Container>,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
struct Container {
    ports: Option<Vec<ContainerPort>>,
}

#[derive(Debug, Clone, serde::Deserialize)]
struct ContainerPort {
    #[serde(default)]
    name: String,
    #[serde(default = "tcp")]
    protocol: String,
    #[serde(rename = "containerPort")]
    number: u16,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct WorkloadStatus {
    replicas: Option<i64>,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SeenServiceSpec {
    #[serde(rename = "clusterIP")]
    cluster_ip: String,
    selector: Option<Labels>,
    ports: Vec<SeenServicePort>,
}

#[derive(Debug, Clone, serde::Deserialize)]
struct SeenServicePort {
    #[serde(default)]
    name: String,
    #[serde(default = "tcp")]
    protocol: String,
    port: u16,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SeenBudgetSpec {
    selector: Option<Selector>,
    min_available: Option<Value>,
    max_unavailable: Option<Value>,
    unhealthy_pod_eviction_policy: Option<String>,
}

impl<S, T> Seen<S, T> {
    fn reduce<R>(self, managed_by: &str, keep: impl FnOnce(S, bool) -> R) -> Existing<R> {
        let controller = controller(&self.metadata);
        let ObjectMeta { name, uid, resource_version, labels, deletion_timestamp, .. } = self.metadata;
        let is_ours =
            labels.is_some_and(|labels| labels.get(MANAGER_LABEL).is_some_and(|manager| manager == managed_by));
        let kept = |value: Option<String>| value.filter(|_| is_ours).unwrap_or_default();
        Existing {
            name: name.unwrap_or_default(),
            // Of theirs nothing is ever written, so neither is of use, and a change of either is no news.
            uid: kept(uid),
            resource_version: kept(resource_version),
            is_deleted: deletion_timestamp.is_some(),
            is_ours,
            controller: controller.filter(|_| is_ours),
            spec: keep(self.spec, is_ours),
        }
    }
}

impl Seen<SeenServiceSpec> {
    pub(super) fn service(self, managed_by: &str) -> Existing<ServiceSpec> {
        self.reduce(managed_by, |spec, is_ours| ServiceSpec {
            is_headless: spec.cluster_ip == "None",
            selector: spec.selector.unwrap_or_default(),
            ports: if is_ours { spec.ports.into_iter().map(Port::from).collect() } else { Vec::new() },
        })
    }
}

impl Seen<SeenBudgetSpec> {
    pub(super) fn budget(self, managed_by: &str) -> Existing<BudgetSpec> {
        self.reduce(managed_by, |spec, is_ours| BudgetSpec {
            selector: spec.selector,
            min_available: spec.min_available.filter(|_| is_ours),
            max_unavailable: spec.max_unavailable.filter(|_| is_ours),
            unhealthy_pod_eviction_policy: spec.unhealthy_pod_eviction_policy.filter(|_| is_ours),
        })
    }
}

impl Seen<WorkloadSpec, WorkloadStatus> {
    pub(super) fn marked(self, kind: Kind, seen: SystemTime, managed_by: &str) -> Marked {
        let controller = controller(&self.metadata);
        let ObjectMeta { name, namespace, uid, annotations, deletion_timestamp, managed_fields, .. } = self.metadata;
        let WorkloadSpec { replicas, selector, service_name, ordinals, template } = self.spec;
        let mut annotations = annotations.unwrap_or_default();
        let name = name.unwrap_or_default();
        let mut known = template.metadata.labels.unwrap_or_default();
        if kind == Kind::StatefulSet {
            // StatefulSetPodNameLabel and PodIndexLabel of apps/v1: the one Pod has exactly these.
            known.insert("statefulset.kubernetes.io/pod-name".to_owned(), format!("{name}-{}", ordinals.start));
            known.insert("apps.kubernetes.io/pod-index".to_owned(), ordinals.start.to_string());
        }
        let unknown = match kind {
            Kind::StatefulSet => Some("controller-revision-hash"),
            Kind::Deployment => Some("pod-template-hash"),
            Kind::ReplicaSet | Kind::ReplicationController => None,
        };
        let is_ours = |entry: &ManagedFieldsEntry| entry.manager.as_deref() == Some(&*field_manager(managed_by));
        Marked {
            replicas: replicas.unwrap_or(1).max(self.status.replicas.unwrap_or(0)),
            revision: annotations.remove("deployment.kubernetes.io/revision"),
            is_stamped: managed_fields.is_some_and(|entries| entries.iter().any(is_ours)),
            workload: Workload {
                kind,
                namespace: namespace.unwrap_or_default(),
                name,
                uid: uid.unwrap_or_default(),
                is_deleted: deletion_timestamp.is_some(),
                controller,
                annotations: Annotations {
                    headless_service: annotations.remove(HEADLESS_SERVICE),
                    disruption: annotations.remove(DISRUPTION),
                    disruption_allowed_until: annotations.remove(DISRUPTION_ALLOWED_UNTIL),
                },
                selector: match selector {
                    None => Selector::of(known.clone()),
                    Some(WorkloadSelector::Equal(labels)) => Selector::of(labels),
                    Some(WorkloadSelector::Full(selector)) => selector,
                },
                pod: PodLabels { known, unknown },
                ports: template
                    .spec
                    .containers
                    .into_iter()
                    .flat_map(|container| container.ports.unwrap_or_default())
                    .map(Port::from)
                    .collect(),
                // The API server stores any text here; only one that can be a name is one.
                service_name: service_name.filter(|name| is_dns_label(name)),
                seen,
            },
        }
    }
}

fn controller(metadata: &ObjectMeta) -> Option<Owner> {
    let owner = metadata.owner_references.iter().flatten().find(|owner| owner.controller == Some(true))?;
    Some(Owner { kind: owner.kind.clone(), name: owner.name.clone(), uid: owner.uid.clone() })
}

impl From<ContainerPort> for Port {
    fn from(port: ContainerPort) -> Self {
        Self { name: port.name, protocol: port.protocol, number: port.number }
    }
}

impl From<SeenServicePort> for Port {
    fn from(port: SeenServicePort) -> Self {
        Self { name: port.name, protocol: port.protocol, number: port.port }
    }
}

/// The API server fills it in; a client's own object may lack it.
fn tcp() -> String {
    "TCP".to_owned()
}
