//! SG003: an autoscaler must not newly be able to scale a singleton above one.
//!
//! Such an autoscaler (a HorizontalPodAutoscaler, or a ScaledObject of KEDA) can never have what it asks for: SG001 refuses
//! each of its requests, every few seconds, for ever. So it is refused when it comes, when one of its bounds is raised
//! above one, and when it is pointed at a singleton. A maximum of 1 is right, and so is KEDA's minimum of 0: that is a
//! singleton that sleeps. A ScaledObject without `maxReplicaCount` may ask for 100.
//!
//! What was so before is let stay, or an unchanged manifest could never be applied again once its workload is marked; who
//! changes its bounds and leaves one above one is warned. A mark that comes after the autoscaler is not refused either: it
//! makes the workload safer. It is answered with a warning that names the autoscaler. The HorizontalPodAutoscaler that KEDA
//! makes of a ScaledObject is judged by that.
//!
//! The singleton is found by the kind and the name of the target, without a question to the API server, among the marked
//! workloads that the process knows. A target that is not there (yet) is not judged: with helm an autoscaler comes before
//! its StatefulSet. So this is advice in time, and SG001 is the safety. The setting `autoscalers` makes it a warning, or
//! switches it off.

use super::super::cel;
use super::super::change::Change;
use super::super::code::Code;
use super::super::standing::Standing;
use super::super::violation::Violation;
use super::Rule;
use crate::api::autoscaler::{Autoscaler, BOUNDS, Bound};
use crate::api::kind::Kinds;
use crate::api::object::Object;
use crate::api::replicas::Replicas;
use crate::policy::entry::Row;

pub(super) const RULE: Rule = Rule {
    code: Code::Sg003,
    summary: "an autoscaler (HorizontalPodAutoscaler, ScaledObject of KEDA) must not newly be able to scale a singleton above one",
    check: of_no_workload,
    trigger,
    floor: |_, _| Vec::new(),
};

/// What an autoscaler may ask for that its target, if that is a singleton, is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excess {
    /// What it could not ask for before, each with what is asked for; `None` where it says nothing.
    pub newly: Vec<(Bound, Option<String>)>,
}

/// What is wrong with an autoscaler that is created or changed, as far as that can be said without its target: nothing
/// where it may not ask for more than one, or where neither its bounds nor its target are others than before.
#[must_use]
pub fn judge(autoscaler: Autoscaler, kinds: Kinds, from: Option<&Object<'_>>, to: &Object<'_>) -> Option<Excess> {
    if to.metadata.controller().is_some_and(Autoscaler::has_made) || autoscaler.above_one(to).next().is_none() {
        return None;
    }
    let aims = |object: &Object<'_>| autoscaler.target(object, kinds).map(|(kind, name)| (kind, name.into_owned()));
    let kept = from.filter(|from| aims(from) == aims(to));
    let differs = |from: &Object<'_>| BOUNDS.iter().any(|of| autoscaler.bound(from, *of) != autoscaler.bound(to, *of));
    if kept.is_some_and(|from| !differs(from)) {
        return None;
    }
    let is_raised = |bound: &Bound| {
        kept.is_none_or(|from| autoscaler.bound(to, *bound).increases_from(autoscaler.bound(from, *bound).or(0)))
    };
    let newly = autoscaler.above_one(to).filter(is_raised);
    Some(Excess { newly: newly.map(|bound| (bound, asked(autoscaler, to, bound))).collect() })
}

/// What is written; the maximum of a ScaledObject may not be.
fn asked(autoscaler: Autoscaler, object: &Object<'_>, bound: Bound) -> Option<String> {
    let is_written = autoscaler != Autoscaler::ScaledObject
        || bound != Bound::Max
        || object.spec.max_replica_count != Replicas::Absent;
    is_written.then(|| autoscaler.bound(object, bound).text())
}

/// [`judge`] is asked instead.
fn of_no_workload(_: &Change<'_>, _: Standing) -> Vec<Violation> {
    Vec::new()
}

fn trigger(row: Row, _: Kinds) -> Option<String> {
    match row {
        Row::Autoscalers => Some(newly_above_one()),
        // Who puts the mark on is told of an autoscaler that is there. In a row that lets everything pass in an outage.
        Row::Defaults => Some(format!("{} && ({} || !{})", cel::IS_MARKED, cel::CREATE, cel::WAS_MARKED)),
        _ => None,
    }
}

fn newly_above_one() -> String {
    format!(
        "(request.resource.resource == 'scaledobjects' ? {KEDA_ABOVE_ONE}\n\
             : object.spec.?maxReplicas.orValue(1) > 1 || object.spec.?minReplicas.orValue(1) > 1)\n\
             && ({create} || {differs})",
        create = cel::CREATE,
        differs = DIFFERS.map(|field| format!("object.{field} != oldObject.{field}")).join("\n|| "),
    )
}

/// Whether a ScaledObject may ask for more than one. A number in the annotation is one as KEDA reads it.
const KEDA_ABOVE_ONE: &str = "object.spec.?maxReplicaCount.orValue(100) > 1 || object.spec.?minReplicaCount.orValue(0) > 1\n\
     || object.metadata.?annotations[?'autoscaling.keda.sh/paused-replicas'].orValue('').matches('^[+]?0*([2-9]|[1-9][0-9]+)$')";
/// What an autoscaler aims at and asks for; each kind has its own of them.
const DIFFERS: [&str; 6] = [
    "spec.?scaleTargetRef",
    "spec.?maxReplicas",
    "spec.?minReplicas",
    "spec.?maxReplicaCount",
    "spec.?minReplicaCount",
    "metadata.?annotations[?'autoscaling.keda.sh/paused-replicas']",
];
