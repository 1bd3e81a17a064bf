//! SG002: a rollout of a singleton Deployment does not run a second Pod.
//!
//! The strategy is `Recreate`, or a rolling update whose `maxSurge` resolves to 0 at one replica. `maxUnavailable`
//! does not matter: where both resolve to 0 the Deployment controller uses an unavailability of 1.
//!
//! Judged when the Deployment is created, when the mark is added, and when the strategy or the Pod template changes:
//! the requests that choose a strategy or start a rollout. Never on other edits, so that a Deployment stored with a
//! surging strategy (the guard was installed later) can still be scaled, annotated and released.

use super::super::cel;
use super::super::change::{Change, Standing, Via};
use super::super::floor::{Place, Refusal};
use super::super::kind::Kind;
use super::super::object::{Object, Strategy, same_json};
use super::super::violation::{Code, Violation};
use super::super::webhook::Row;
use super::Rule;

pub(super) const RULE: Rule = Rule {
    code: Code::Sg002,
    summary: "a singleton Deployment must not surge: `Recreate`, or a `maxSurge` that resolves to 0 at one replica",
    check,
    trigger,
    floor,
};

fn check(change: &Change<'_>, standing: Standing) -> Vec<Violation> {
    if !change.is(Kind::Deployment) || change.via != Via::Object || !standing.after {
        return Vec::new();
    }
    let strategy = change.to.spec.strategy.clone().unwrap_or_default();
    let untouched = change.from.as_ref().is_some_and(|from| standing.before && rolls_out_alike(from, &change.to));
    if untouched || !surges(&strategy) {
        return Vec::new();
    }
    let max_surge = strategy.rolling_update.map(|bounds| bounds.max_surge).unwrap_or_default();
    vec![Violation::Surges { requested: format!("RollingUpdate with maxSurge {max_surge}") }]
}

fn surges(strategy: &Strategy<'_>) -> bool {
    strategy.type_.as_deref() != Some("Recreate")
        && strategy.rolling_update.as_ref().is_none_or(|bounds| bounds.max_surge.surges())
}

fn rolls_out_alike(from: &Object<'_>, to: &Object<'_>) -> bool {
    from.spec.strategy == to.spec.strategy && same_json(from.spec.template, to.spec.template)
}

fn trigger(row: Row) -> Option<String> {
    (row == Row::Workload).then(|| {
        format!(
            "request.resource.resource == 'deployments' && {is_marked}\n\
             && object.spec.?strategy.?type.orValue('') != 'Recreate'\n\
             && !string(object.spec.?strategy.?rollingUpdate.?maxSurge.orValue('25%')).matches('^0+%?$')\n\
             && ({create} || !{was_marked}\n\
             || object.spec.?strategy != oldObject.spec.?strategy || object.spec.template != oldObject.spec.template)",
            is_marked = cel::IS_MARKED,
            was_marked = cel::WAS_MARKED,
            create = cel::CREATE,
        )
    })
}

fn floor(place: Place) -> Vec<Refusal> {
    let when = trigger(place.row()).filter(|_| place == Place::Workload);
    let surge = "string(object.spec.?strategy.?rollingUpdate.?maxSurge.orValue('25%'))";
    when.map(|when| Refusal {
        violation: Violation::Surges { requested: "RollingUpdate with maxSurge {surge}".to_owned() },
        when,
        values: vec![("{surge}", cel::clip(surge))],
    })
    .into_iter()
    .collect()
}
