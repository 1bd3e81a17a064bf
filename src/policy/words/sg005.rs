//! What a person reads of SG005: the mark comes or goes with something else.

use super::{KEY_MAX, or_none};
use crate::api::mark::MarkKey;
use crate::api::text::clip;
use crate::policy::violation::{Sg005, Words};

impl Words for Sg005 {
    fn field(&self, mark: &MarkKey) -> String {
        format!("metadata.labels[{mark}]")
    }

    fn sentence(&self, mark: &MarkKey) -> String {
        let label = clip(mark.as_str(), KEY_MAX);
        match self {
            Self::ReleasedWhileScaling { from, requested } => format!(
                "is a singleton: it must not be released in the request that scales, requested {requested} instead of {from} replicas"
            ),
            Self::ReleasedWithoutGlass => {
                "is a singleton: it must not be released, because the setting release is break-glass".to_owned()
            }
            Self::MarkedThroughStatus { requested } => {
                format!(
                    "label {label} must not be changed through /status, requested {}",
                    or_none(requested.as_deref())
                )
            }
            Self::UnmarkedBehindOwner => {
                format!(
                    "belongs to a singleton: label {label} must stay while its Deployment carries it, requested none"
                )
            }
        }
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::ReleasedWhileScaling { .. } => {
                "do it in two requests: first take the singleton label off (or change the owner), then scale"
            }
            Self::ReleasedWithoutGlass => {
                "ask somebody who may change the workload and impersonate the group singleton-guard:break-glass"
            }
            Self::MarkedThroughStatus { .. } => {
                "change the label on the object itself (kubectl label, apply or patch), not through its status"
            }
            Self::UnmarkedBehindOwner => "take the label off the Deployment: its ReplicaSets follow it",
        }
    }
}
