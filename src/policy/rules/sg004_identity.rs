//! SG004: what a singleton's Pod is found by does not move while there may be a Pod.
//!
//! A StatefulSet whose `spec.ordinals.start` (KEP-3335) changes starts the Pod of the new number and only then ends
//! the one of the old number. A ReplicationController whose `spec.selector` changes, which is mutable there, lets its
//! Pod go and starts another beside it. "There may be a Pod" means that one is desired or that the controller still
//! counts one: after scaling to 0 the old Pod may be terminating.

use super::super::cel;
use super::super::change::{Change, Standing, Via};
use super::super::kind::Kind;
use super::super::object::{Object, same_json};
use super::super::replicas::Replicas;
use super::super::violation::{Code, Violation};
use super::super::webhook::Row;
use super::Rule;

pub(super) const RULE: Rule = Rule {
    code: Code::Sg004,
    summary: "`spec.ordinals.start` of a StatefulSet and `spec.selector` of a ReplicationController must not change while there may be a Pod",
    check,
    trigger,
};

fn check(change: &Change<'_>, standing: Standing) -> Vec<Violation> {
    let Some(from) = change.from.as_ref().filter(|_| change.via == Via::Object) else { return Vec::new() };
    if !standing.ever() || !change.may_have_pod() {
        return Vec::new();
    }
    let (start_before, start_after) = (start(from), start(&change.to));
    if change.is(Kind::StatefulSet) && start_before != start_after {
        return vec![Violation::OrdinalsMoved { from: start_before.to_string(), requested: start_after.to_string() }];
    }
    if change.is(Kind::ReplicationController) && !same_json(from.spec.selector, change.to.spec.selector) {
        let requested = change.to.spec.selector.map_or("none", |selector| selector.get()).to_owned();
        return vec![Violation::SelectorReplaced { requested }];
    }
    Vec::new()
}

fn start<'a>(object: &'a Object<'_>) -> Replicas<'a> {
    object.spec.ordinals.as_ref().map(|ordinals| ordinals.start).unwrap_or_default().or(0)
}

fn trigger(row: Row) -> Option<String> {
    (row == Row::Workload).then(|| {
        format!(
            "{update} && ({before} > 0 || {running} > 0)\n\
             && (request.resource.resource == 'statefulsets'\n\
             && object.spec.?ordinals.?start.orValue(0) != oldObject.spec.?ordinals.?start.orValue(0)\n\
             || request.resource.resource == 'replicationcontrollers'\n\
             && object.spec.?selector != oldObject.spec.?selector)",
            update = cel::UPDATE,
            before = cel::OLD_REPLICAS,
            running = cel::OLD_RUNNING,
        )
    })
}
