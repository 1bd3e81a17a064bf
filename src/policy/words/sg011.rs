//! What a person reads of SG011: the Pod of a strict singleton is not given time to end.

use super::NODE_MAX;
use crate::api::mark::MarkKey;
use crate::api::text::clip;
use crate::policy::violation::{Sg011, Words};

impl Words for Sg011 {
    fn field(&self, _: &MarkKey) -> String {
        match self {
            Self::EndsAtOnce { is_pod: true } => "spec.terminationGracePeriodSeconds".to_owned(),
            Self::EndsAtOnce { is_pod: false } => "spec.template.spec.terminationGracePeriodSeconds".to_owned(),
            Self::Forced { .. } => "gracePeriodSeconds".to_owned(),
            Self::OneOfMany { .. } => "metadata.name".to_owned(),
        }
    }

    fn sentence(&self, mark: &MarkKey) -> String {
        match self {
            Self::EndsAtOnce { .. } => {
                format!("is strict: {} must be at least 1, requested 0", self.field(mark))
            }
            Self::Forced { node, .. } => format!(
                "may still run on node {}: the Pod of a strict singleton must be given time to end, requested gracePeriodSeconds 0",
                clip(node, NODE_MAX)
            ),
            Self::OneOfMany { node } => format!(
                "may still run on node {}: the Pod of a strict singleton must be deleted by its name, requested a deletion of many",
                clip(node, NODE_MAX)
            ),
        }
    }

    fn remedy(&self) -> &'static str {
        match self {
            Self::EndsAtOnce { .. } => {
                "leave it out, or set it to at least 1: with 0 a Pod is forgotten before it has ended"
            }
            Self::Forced { is_ending: false, .. } => {
                "delete it without --force (drain: without --grace-period=0), so that it is given its time to end"
            }
            Self::Forced { is_ending: true, .. } => {
                "wait for its kubelet or strict.nodeUsers; a node off for sure: taint node.kubernetes.io/out-of-service:NoExecute"
            }
            Self::OneOfMany { .. } => {
                "name each Pod, as kubectl delete does: of many at once the API server may drop one that is just being started"
            }
        }
    }
}
