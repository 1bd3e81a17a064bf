//! What a person reads of SG004: the identity of the Pod moves.

use super::VALUE_MAX;
use crate::api::mark::MarkKey;
use crate::api::text::clip;
use crate::policy::violation::{Sg004, Words};

impl Words for Sg004 {
    fn field(&self, _: &MarkKey) -> String {
        match self {
            Self::OrdinalsMoved { .. } | Self::OrdinalsFixed { .. } => "spec.ordinals.start".to_owned(),
            Self::SelectorReplaced { .. } => "spec.selector".to_owned(),
        }
    }

    fn sentence(&self, _: &MarkKey) -> String {
        match self {
            Self::OrdinalsFixed { from, requested, .. } => format!(
                "is strict: spec.ordinals.start, which its Pod is named by, must stay {from}, requested {requested}"
            ),
            Self::OrdinalsMoved { from, requested, .. } => format!(
                "is a singleton: spec.ordinals.start must stay {from} while there may be a Pod, requested {requested}"
            ),
            Self::SelectorReplaced { requested } => format!(
                "is a singleton: spec.selector must not change while there may be a Pod, requested {}",
                clip(requested, VALUE_MAX)
            ),
        }
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::OrdinalsMoved { loses_claims: true, .. } => {
                "scaling to 0 deletes its claims: set whenScaled to Retain first; then scale to 0, change start, scale to 1"
            }
            Self::OrdinalsMoved { loses_claims: false, .. } => {
                "scale to 0, wait until status.replicas is 0, then change ordinals.start, then scale to 1"
            }
            Self::SelectorReplaced { .. } => {
                "scale to 0, wait until its Pod is gone, change the selector and the template's labels, then scale to 1"
            }
            Self::OrdinalsFixed { loses_claims: true, .. } => {
                "set whenScaled to Retain, the mark to enabled; scale to 0; change start and the key; scale to 1; mark it strict"
            }
            Self::OrdinalsFixed { loses_claims: false, .. } => {
                "set the mark to enabled, scale to 0, change start and the key in the template, scale to 1, mark it strict"
            }
        }
    }
}
