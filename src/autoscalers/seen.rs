//! What is kept of an autoscaler: what it scales, and up to how many replicas it may ask for. Pure.

use crate::api::autoscaler::{Autoscaler, PAUSED_REPLICAS};
use crate::api::kind::{Kind, Kinds};
use crate::cluster::seen::{Meta, Nothing, Seen};
use crate::cluster::sieve::Keep;

/// An autoscaler as the watch reads it.
pub type SeenAutoscaler<'a> = Seen<'a, AutoscalerSpec, Nothing>;

/// The fields of both kinds.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AutoscalerSpec {
    scale_target_ref: Option<Target>,
    max_replicas: Option<i64>,
    min_replicas: Option<i64>,
    max_replica_count: Option<i64>,
    min_replica_count: Option<i64>,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Target {
    api_version: String,
    kind: String,
    name: String,
}

/// An autoscaler that may ask for more than one replica of a workload that could be a singleton.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reaching {
    /// Its uid.
    pub uid: String,
    /// The kind of its target.
    pub kind: Kind,
    /// The name of its target.
    pub target: String,
    /// How many replicas it may ask for.
    pub most: i64,
}

/// What is read of it.
#[must_use]
pub fn keep() -> Keep {
    let metadata = Meta::keep([("annotations", Keep::shorts([PAUSED_REPLICAS])), Meta::keep_owners()]);
    let spec = Keep::shorts(["maxReplicas", "minReplicas", "maxReplicaCount", "minReplicaCount"])
        .and([("scaleTargetRef", Keep::shorts(["apiVersion", "kind", "name"]))]);
    Keep::fields([("metadata", metadata), ("spec", spec)])
}

impl Reaching {
    /// Reduces what was read; nothing is kept of one that another autoscaler has made.
    ///
    /// # Errors
    /// It has more owners than are read.
    pub fn read(autoscaler: Autoscaler, kinds: Kinds, seen: SeenAutoscaler<'_>) -> Result<Option<Self>, &'static str> {
        let Seen { metadata, spec, .. } = seen;
        if metadata.controller()?.is_some_and(Autoscaler::has_made) {
            return Ok(None);
        }
        let (max, min) = match autoscaler {
            Autoscaler::HorizontalPodAutoscaler => (spec.max_replicas, spec.min_replicas),
            Autoscaler::ScaledObject => (spec.max_replica_count, spec.min_replica_count),
        };
        let most = autoscaler.most(max, min, metadata.annotations.get(PAUSED_REPLICAS));
        let target = spec.scale_target_ref.filter(|_| most > 1);
        Ok(target.and_then(|Target { api_version, kind, name }| {
            let kind = autoscaler.kind_of_target(&api_version, &kind, kinds)?;
            Some(Self { uid: metadata.uid.into_owned(), kind, target: name, most })
        }))
    }
}
