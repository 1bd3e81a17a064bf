//! The few fields of a Kubernetes object that a decision reads, borrowed from the body of the review.
//!
//! One set of types serves every kind: a field that a kind does not have is absent. What is not named here is
//! skipped without being kept, so its depth and its size cost nothing. The types say what was written, the rules
//! say what it means.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::int_or_string::IntOrString;
use super::json::{object, some_object};
use super::mark::{Mark, MarkKey};
use super::metadata::Metadata;
use super::replicas::Replicas;
use crate::api::annotation::HeadlessService;

/// A workload, the Scale of one, an autoscaler, or a Pod.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct Object<'a> {
    /// Standard object metadata.
    #[serde(borrow, deserialize_with = "object")]
    pub metadata: Metadata<'a>,
    /// The desired state.
    #[serde(borrow, deserialize_with = "object")]
    pub spec: Spec<'a>,
    /// The observed state.
    #[serde(borrow, deserialize_with = "object")]
    pub status: Status<'a>,
}

/// The fields of the specs that the rules read.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Spec<'a> {
    /// Desired number of Pods.
    #[serde(borrow)]
    pub replicas: Replicas<'a>,
    /// Deployment: how a rollout replaces Pods.
    #[serde(borrow, deserialize_with = "some_object")]
    pub strategy: Option<Strategy<'a>>,
    /// Deployment: whether its controller leaves it alone. Read only where it becomes a singleton, or strict.
    #[serde(borrow)]
    pub paused: Option<&'a RawValue>,
    /// StatefulSet: how a rollout replaces Pods. Read only where it becomes strict.
    #[serde(borrow)]
    pub update_strategy: Option<&'a RawValue>,
    /// StatefulSet: in which order Pods come and go. Read only where it becomes a singleton.
    #[serde(borrow)]
    pub pod_management_policy: Option<&'a RawValue>,
    /// StatefulSet: the governing Service.
    #[serde(borrow)]
    pub service_name: Option<Cow<'a, str>>,
    /// StatefulSet: where the Pods' numbers begin (KEP-3335).
    #[serde(borrow, deserialize_with = "some_object")]
    pub ordinals: Option<Ordinals<'a>>,
    /// StatefulSet: what becomes of its claims (KEP-1847).
    #[serde(borrow)]
    pub persistent_volume_claim_retention_policy: Option<&'a RawValue>,
    /// Which Pods belong to the workload: a `LabelSelector`, for a ReplicationController a map of labels.
    #[serde(borrow)]
    pub selector: Option<&'a RawValue>,
    /// Pod: how long it is given to end.
    #[serde(borrow)]
    pub termination_grace_period_seconds: Replicas<'a>,
    /// HorizontalPodAutoscaler, ScaledObject: what it scales.
    #[serde(borrow)]
    pub scale_target_ref: Option<&'a RawValue>,
    /// HorizontalPodAutoscaler: the most replicas that it asks for.
    #[serde(borrow)]
    pub max_replicas: Replicas<'a>,
    /// HorizontalPodAutoscaler: the least.
    #[serde(borrow)]
    pub min_replicas: Replicas<'a>,
    /// ScaledObject: the most.
    #[serde(borrow)]
    pub max_replica_count: Replicas<'a>,
    /// ScaledObject: the least.
    #[serde(borrow)]
    pub min_replica_count: Replicas<'a>,
    /// The Pod template: compared, and read only for what `strict` needs of it.
    #[serde(borrow)]
    pub template: Option<&'a RawValue>,
}

/// `DeploymentStrategy` of `apps/v1`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Strategy<'a> {
    /// `Recreate` or `RollingUpdate`; absent means `RollingUpdate`.
    #[serde(rename = "type", borrow)]
    pub type_: Option<Cow<'a, str>>,
    /// Bounds of a rolling update.
    #[serde(borrow, deserialize_with = "some_object")]
    pub rolling_update: Option<RollingUpdate<'a>>,
}

/// `RollingUpdateDeployment` of `apps/v1`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RollingUpdate<'a> {
    /// How many Pods above the desired number a rollout may run.
    #[serde(borrow)]
    pub max_surge: IntOrString<'a>,
    /// How many Pods below it.
    #[serde(borrow)]
    pub max_unavailable: IntOrString<'a>,
}

/// `StatefulSetOrdinals` of `apps/v1`.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct Ordinals<'a> {
    /// The first Pod's number; absent means 0. Held like a replica count: an integer or something unreadable.
    #[serde(borrow)]
    pub start: Replicas<'a>,
}

/// The observed state.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Status<'a> {
    /// Pods that exist, as the controller last counted them. A ReplicaSet's and a ReplicationController's leave out those
    /// that end.
    #[serde(borrow)]
    pub replicas: Replicas<'a>,
    /// Deployment: those of the newest Pod template.
    #[serde(borrow)]
    pub updated_replicas: Replicas<'a>,
    /// The generation that the controller has seen. Compared as it was written.
    #[serde(borrow)]
    pub observed_generation: Option<&'a RawValue>,
    /// ReplicaSet: those that end (KEP-3973, from Kubernetes 1.35 on).
    #[serde(borrow)]
    pub terminating_replicas: Replicas<'a>,
}

impl Object<'_> {
    /// What the workload wants of its headless Service, where it says something that means something.
    #[must_use]
    pub fn headless_service(&self) -> Option<HeadlessService<'_>> {
        self.metadata.annotations.ours.wished_service()
    }

    /// What the mark says.
    #[must_use]
    pub fn mark(&self, key: &MarkKey) -> Mark<'_> {
        Mark::parse(self.metadata.labels.get(key.as_str()))
    }
}

impl Strategy<'_> {
    /// Whether a rollout ends the old Pods before it starts the new ones.
    #[must_use]
    pub fn recreates(&self) -> bool {
        self.type_.as_deref() == Some("Recreate")
    }
}

impl Spec<'_> {
    /// Whether the claims of a Pod go when it is scaled away.
    #[must_use]
    pub fn scaling_deletes_claims(&self) -> bool {
        #[derive(Default, serde::Deserialize)]
        #[serde(default, rename_all = "camelCase")]
        struct Policy<'a> {
            #[serde(borrow)]
            when_scaled: Cow<'a, str>,
        }
        let json = self.persistent_volume_claim_retention_policy.map(RawValue::get);
        let policy = json.and_then(|json| serde_json::from_str::<Policy<'_>>(json).ok()).unwrap_or_default();
        policy.when_scaled == "Delete"
    }
}

/// Whether two pieces of JSON say the same. Equal bytes, the API server's normal case, cost nothing more; what is
/// large and has not the same bytes counts as different.
#[must_use]
pub fn same_json(a: Option<&RawValue>, b: Option<&RawValue>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => {
            a.get() == b.get()
                || a.get().len().max(b.get().len()) <= COMPARED_MAX
                    && matches!(
                        (serde_json::from_str::<serde_json::Value>(a.get()), serde_json::from_str::<serde_json::Value>(b.get())),
                        (Ok(a), Ok(b)) if a == b
                    )
        }
        _ => false,
    }
}

/// Up to which size two pieces of JSON are compared by meaning: parsed, they take many times their bytes.
const COMPARED_MAX: usize = 256 << 10;
