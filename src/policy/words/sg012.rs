//! What a person reads of SG012: the Pod has another name than its key, or would get one.

use super::{KEY_MAX, VALUE_MAX, or_none};
use crate::api::key::KEY;
use crate::api::mark::MarkKey;
use crate::api::text::clip;
use crate::policy::violation::{Sg012, Words};

impl Words for Sg012 {
    fn field(&self, _: &MarkKey) -> String {
        match self {
            Self::TemplateKey { .. } => format!("spec.template.metadata.labels[{KEY}]"),
            Self::KeepsPod => "status.replicas".to_owned(),
            Self::HeldBack { field, .. } => (*field).to_owned(),
            Self::NotNamed { .. } => "metadata.name".to_owned(),
            Self::KeyChanged { .. } => format!("metadata.labels[{KEY}]"),
        }
    }

    fn sentence(&self, _: &MarkKey) -> String {
        match self {
            Self::TemplateKey { wanted, requested } => format!(
                "is strict: spec.template.metadata.labels must have {KEY}: {}, requested {}",
                clip(wanted, KEY_MAX),
                or_none(requested.as_deref())
            ),
            Self::KeepsPod => {
                format!("cannot become strict yet: it may have a Pod, which might stay without label {KEY}")
            }
            Self::HeldBack { field, requested } => format!(
                "cannot become strict while {field} is {}: its Pod might stay without label {KEY}",
                clip(requested, VALUE_MAX)
            ),
            Self::NotNamed { key, requested } => format!(
                "is of a strict singleton: its name must be {}, as its label {KEY} says, requested {}",
                clip(key, KEY_MAX),
                clip(requested, VALUE_MAX)
            ),
            Self::KeyChanged { requested } => format!(
                "label {KEY} must not be added, changed or taken off, requested {}",
                or_none(requested.as_deref())
            ),
        }
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::TemplateKey { .. } => {
                "put that line under spec.template.metadata.labels (this restarts the Pod), and keep it while it is strict"
            }
            Self::KeepsPod => "scale to 0, wait until its Pod is gone, make it strict, then scale to 1",
            Self::HeldBack { .. } => {
                "change that in the same request; once its Pod carries the label it may be as it was"
            }
            Self::NotNamed { .. } => {
                "give it the name that its label says, or take the label off: one name keeps a second Pod away"
            }
            Self::KeyChanged { .. } => {
                "leave it as it is; what the next Pod carries is what the Pod template of its workload says"
            }
        }
    }
}
