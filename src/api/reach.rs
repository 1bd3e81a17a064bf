//! What an autoscaler scales, and up to how many replicas it may ask for. What is absent means here what its own controller
//! takes it for.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::autoscaler::{Autoscaler, BOUNDS, Bound, KEDA_MAX};
use super::kind::{Kind, Kinds, group_of};
use super::metadata::OwnerReference;
use super::object::Object;
use super::replicas::Replicas;

impl Autoscaler {
    /// How many replicas it may ask for by one of its bounds.
    #[must_use]
    pub fn bound<'a>(self, object: &Object<'a>, bound: Bound) -> Replicas<'a> {
        let spec = &object.spec;
        match (self, bound) {
            // The API server refuses an HPA without a maximum.
            (Self::HorizontalPodAutoscaler, Bound::Max) => spec.max_replicas.or(1),
            (Self::HorizontalPodAutoscaler, Bound::Min) => spec.min_replicas.or(1),
            (Self::HorizontalPodAutoscaler, Bound::Paused) => Replicas::Absent,
            (Self::ScaledObject, Bound::Max) => spec.max_replica_count.or(KEDA_MAX),
            (Self::ScaledObject, Bound::Min) => spec.min_replica_count.or(0),
            (Self::ScaledObject, Bound::Paused) => {
                let annotation = object.metadata.annotations.paused_replicas.as_deref();
                annotation.and_then(paused).map_or(Replicas::Absent, Replicas::Count)
            }
        }
    }

    /// The bounds by which it may ask for more than one.
    pub fn above_one(self, object: &Object<'_>) -> impl Iterator<Item = Bound> {
        BOUNDS.into_iter().filter(move |bound| self.bound(object, *bound).exceeds(1))
    }

    /// How many replicas it may ask for, by what is written of its bounds, each of which is a number.
    #[must_use]
    pub fn most(self, max: Option<i64>, min: Option<i64>, annotation: Option<&str>) -> i64 {
        let (max, annotation) = match self {
            Self::HorizontalPodAutoscaler => (max.unwrap_or(1), None),
            Self::ScaledObject => (max.unwrap_or(KEDA_MAX), annotation.and_then(paused)),
        };
        max.max(min.unwrap_or(0)).max(annotation.unwrap_or(0))
    }

    /// The kind and the name of the workload that it scales, if that is of a kind that can be a singleton.
    #[must_use]
    pub fn target<'a>(self, object: &Object<'a>, kinds: Kinds) -> Option<(Kind, Cow<'a, str>)> {
        let Target { api_version, kind, name } = Target::read(object.spec.scale_target_ref?)?;
        Some((self.kind_of_target(&api_version, &kind, kinds)?, name))
    }

    /// The kind that it means, if that can be a singleton. The version does not matter, as it does not to its controller.
    #[must_use]
    pub fn kind_of_target(self, api_version: &str, kind: &str, kinds: Kinds) -> Option<Kind> {
        // KEDA fills in each of the two by itself (`ParseGVKR`).
        let or = |value, default| if self == Self::ScaledObject && str::is_empty(value) { default } else { value };
        let (api_version, kind) = (or(api_version, "apps/v1"), or(kind, "Deployment"));
        kinds.named(group_of(api_version), kind)
    }

    /// Whether this controller of an autoscaler is another one, which is judged instead.
    #[must_use]
    pub fn has_made(controller: &OwnerReference<'_>) -> bool {
        let keda = Self::ScaledObject.info();
        controller.kind == keda.name && group_of(&controller.api_version) == keda.group
    }
}

/// `CrossVersionObjectReference` of `autoscaling/v2`, and KEDA's `ScaleTarget`.
#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Target<'a> {
    #[serde(borrow)]
    api_version: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

impl<'a> Target<'a> {
    /// One that cannot be read targets nothing: the API server refuses it, or its controller cannot read it either.
    fn read(json: &'a RawValue) -> Option<Self> {
        serde_json::from_str(json.get()).ok()
    }
}

/// KEDA reads a number (`strconv.ParseInt` to 32 bits); with anything else it pauses nothing.
fn paused(annotation: &str) -> Option<i64> {
    annotation.parse::<i32>().ok().map(i64::from)
}
