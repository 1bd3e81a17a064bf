//! What a person reads of SG003: an autoscaler that could newly scale a singleton above one.

use super::WARNING_MAX;
use crate::api::autoscaler::{Autoscaler, Bound, KEDA_MAX, PAUSED_REPLICAS};
use crate::api::mark::MarkKey;
use crate::api::reference::Regarding;
use crate::api::text::{clip, line};
use crate::policy::lookup::Scaler;
use crate::policy::violation::{Sg003, Words};

impl Words for Sg003 {
    fn field(&self, _: &MarkKey) -> String {
        self.bound.field(self.autoscaler).to_owned()
    }

    fn sentence(&self, _: &MarkKey) -> String {
        let Self { autoscaler, bound, requested, singleton } = self;
        let field = match bound {
            Bound::Max | Bound::Min => bound.field(*autoscaler).to_owned(),
            Bound::Paused => format!("annotation {PAUSED_REPLICAS}"),
        };
        let wanted = match (bound, requested) {
            (_, None) => format!("must be 1, and is {KEDA_MAX} where it is absent"),
            (Bound::Max, Some(requested)) => format!("must be 1, requested {requested}"),
            (_, Some(requested)) => format!("must be less than or equal to 1, requested {requested}"),
        };
        format!("could scale singleton {} above one: {field} {wanted}", clip(singleton, SINGLETON_MAX))
    }

    fn remedy(&self) -> &'static str {
        match (self.bound, self.autoscaler) {
            (Bound::Paused, _) => "set the annotation to 0 or 1, or take the singleton label off that workload first",
            (_, Autoscaler::HorizontalPodAutoscaler) => {
                "set maxReplicas (and minReplicas) to 1, or take the singleton label off that workload first"
            }
            (_, Autoscaler::ScaledObject) => {
                "set maxReplicaCount (and minReplicaCount, if not 0) to 1, or take the singleton label off that workload first"
            }
        }
    }
}

/// An autoscaler of a singleton may ask for more than one, as it might before.
pub(crate) fn still_autoscaled(subject: &Regarding) -> String {
    line("SG003 ", &subject.id(), ": its target is a singleton, and more than one is refused", WARNING_MAX)
}

/// A workload becomes a singleton while an autoscaler may ask for more than one of it.
pub(crate) fn marked_while_autoscaled(subject: &Regarding, scaler: &Scaler) -> String {
    let Scaler { autoscaler, name, most } = scaler;
    let after = format!(" asks for up to {most} replicas of this {}, and more than one is refused", subject.kind);
    line(&format!("SG003: {} ", autoscaler.info().name), name, &after, WARNING_MAX)
}

/// The kind, the namespace and the name of the singleton, so that a line keeps 16 characters for the autoscaler's own.
const SINGLETON_MAX: usize = 64;
