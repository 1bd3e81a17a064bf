//! What a person reads of SG007: a ReplicaSet leaves its Deployment.

use super::{KEY_MAX_SHORT, or_none};
use crate::api::mark::MarkKey;
use crate::api::text::clip;
use crate::policy::violation::{Sg007, Words};

impl Words for Sg007 {
    fn field(&self, _: &MarkKey) -> String {
        match self {
            Self::SelectedLabel { key, .. } => format!("metadata.labels[{key}]"),
            Self::Disowned { .. } => "metadata.ownerReferences".to_owned(),
        }
    }

    fn sentence(&self, _: &MarkKey) -> String {
        match self {
            Self::SelectedLabel { key, requested } => format!(
                "belongs to a singleton: label {}, which its selector names, must not change, requested {}",
                clip(key, KEY_MAX_SHORT),
                or_none(requested.as_deref())
            ),
            Self::Disowned { requested } => format!(
                "belongs to a singleton: its controller must not change, requested {}",
                or_none(requested.as_deref())
            ),
        }
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::SelectedLabel { .. } | Self::Disowned { .. } => {
                "its Deployment would start a second copy: to keep this one, delete that with --cascade=orphan"
            }
        }
    }
}
