//! What keeps a rollout from replacing a Pod. It is read only where a workload becomes strict, because its Pod has to be made
//! anew with the key; and that a Deployment is paused also where it becomes a singleton.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::api::json::object;
use crate::api::kind::{Kind, Rollout};
use crate::api::object::Object;
use crate::api::replicas::Replicas;

/// `StatefulSetUpdateStrategy` of `apps/v1`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct UpdateStrategy<'a> {
    #[serde(rename = "type", borrow)]
    type_: Option<Cow<'a, str>>,
    #[serde(borrow, deserialize_with = "object")]
    rolling_update: RollingUpdate<'a>,
}

/// `RollingUpdateStatefulSetStrategy` of `apps/v1`.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct RollingUpdate<'a> {
    #[serde(borrow)]
    partition: Replicas<'a>,
}

/// The field that does, and what it says: a Deployment that is paused; a StatefulSet that leaves its Pods to be deleted
/// by hand, or whose partition leaves the first ones as they are.
#[must_use]
pub fn held_back(kind: Kind, workload: &Object<'_>) -> Option<(&'static str, String)> {
    match kind.info().rollout {
        Some(Rollout::Strategy) => is_paused(workload).then(|| (PAUSED, "true".to_owned())),
        Some(Rollout::UpdateStrategy) => {
            let json = workload.spec.update_strategy.map(RawValue::get);
            let strategy: UpdateStrategy<'_> =
                json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
            if strategy.type_.as_deref() == Some(ON_DELETE) {
                return Some((UPDATE_STRATEGY, ON_DELETE.to_owned()));
            }
            let partition = strategy.rolling_update.partition;
            partition.exceeds(0).then(|| (PARTITION, partition.text()))
        }
        None => None,
    }
}

/// Whether it is a Deployment whose controller goes on with no rollout.
pub(super) fn is_paused(workload: &Object<'_>) -> bool {
    workload.spec.paused.is_some_and(|paused| paused.get() == "true")
}

/// `spec.paused` of a Deployment.
pub(crate) const PAUSED: &str = "spec.paused";
/// `spec.updateStrategy.type` of a StatefulSet.
pub(crate) const UPDATE_STRATEGY: &str = "spec.updateStrategy.type";
/// The one of its values under which nobody replaces a Pod.
pub(crate) const ON_DELETE: &str = "OnDelete";
/// `spec.updateStrategy.rollingUpdate.partition` of a StatefulSet.
pub(crate) const PARTITION: &str = "spec.updateStrategy.rollingUpdate.partition";
