//! The kinds of autoscalers that are judged, and the places in which they say how many replicas they may ask for. How these
//! are read is in `reach.rs`.

/// A kind of autoscaler.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Autoscaler {
    /// `autoscaling/v2` HorizontalPodAutoscaler. The API server converts the other versions.
    HorizontalPodAutoscaler,
    /// `keda.sh/v1alpha1` ScaledObject.
    ScaledObject,
}

/// What the API server calls a kind of autoscaler.
#[derive(Debug, PartialEq, Eq)]
pub struct AutoscalerInfo {
    /// `kind` of the object.
    pub name: &'static str,
    /// API group.
    pub group: &'static str,
    /// The API version that is judged and watched.
    pub version: &'static str,
    /// Plural resource name.
    pub resource: &'static str,
}

/// A place in which an autoscaler says how many replicas it may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The most.
    Max,
    /// The least.
    Min,
    /// As many as it has while it is paused (KEDA).
    Paused,
}

impl Autoscaler {
    /// The names of this kind.
    #[must_use]
    pub const fn info(self) -> &'static AutoscalerInfo {
        match self {
            Self::HorizontalPodAutoscaler => &HORIZONTAL_POD_AUTOSCALER,
            Self::ScaledObject => &SCALED_OBJECT,
        }
    }
}

impl Bound {
    /// The path of the field.
    #[must_use]
    pub const fn field(self, of: Autoscaler) -> &'static str {
        match (self, of) {
            (Self::Max, Autoscaler::HorizontalPodAutoscaler) => "spec.maxReplicas",
            (Self::Min, Autoscaler::HorizontalPodAutoscaler) => "spec.minReplicas",
            (Self::Max, Autoscaler::ScaledObject) => "spec.maxReplicaCount",
            (Self::Min, Autoscaler::ScaledObject) => "spec.minReplicaCount",
            (Self::Paused, _) => "metadata.annotations[autoscaling.keda.sh/paused-replicas]",
        }
    }
}

/// All of them.
pub const AUTOSCALERS: [Autoscaler; 2] = [Autoscaler::HorizontalPodAutoscaler, Autoscaler::ScaledObject];

/// KEDA's annotation that keeps the target at a number of replicas, beyond its bounds too.
pub const PAUSED_REPLICAS: &str = "autoscaling.keda.sh/paused-replicas";
/// What a ScaledObject without `maxReplicaCount` may ask for (`defaultHPAMaxReplicas` in KEDA).
pub const KEDA_MAX: i64 = 100;

/// All bounds.
pub const BOUNDS: [Bound; 3] = [Bound::Max, Bound::Min, Bound::Paused];

const HORIZONTAL_POD_AUTOSCALER: AutoscalerInfo = AutoscalerInfo {
    name: "HorizontalPodAutoscaler",
    group: "autoscaling",
    version: "v2",
    resource: "horizontalpodautoscalers",
};
const SCALED_OBJECT: AutoscalerInfo =
    AutoscalerInfo { name: "ScaledObject", group: "keda.sh", version: "v1alpha1", resource: "scaledobjects" };
