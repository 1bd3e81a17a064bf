//! SG001: a singleton has 0 or 1 replicas, by every way a request can come.
//!
//! Only an increase is refused. A workload that is above one already (the guard was installed later, or the glass was
//! broken) stays editable and can be scaled down. A workload whose `spec.replicas` *or* `status.replicas` is above one
//! cannot become a singleton: a Deployment paused in the middle of a rollout wants one Pod and has two.

use super::super::cel;
use super::super::change::Change;
use super::super::floor::{Place, Refusal};
use super::super::replicas::Replicas;
use super::super::standing::Standing;
use super::super::violation::{Code, Violation};
use super::super::webhook::Row;
use super::Rule;

pub(super) const RULE: Rule = Rule {
    code: Code::Sg001,
    summary: "`spec.replicas` of a singleton must be 0 or 1, on every route; what is above one, by spec or by status, cannot become a singleton",
    check,
    trigger,
    floor,
};

fn check(change: &Change<'_>, standing: Standing) -> Vec<Violation> {
    let requested = change.replicas_after();
    let becomes = change.from.is_some() && !standing.before && standing.after;
    if becomes {
        return becoming(change, requested);
    }
    if !standing.ever() || !requested.exceeds(LIMIT) || !change.scales_up() {
        return Vec::new();
    }
    let requested = requested.text();
    vec![if standing.behind_singleton {
        Violation::TooManyBehind { requested }
    } else {
        Violation::TooMany { requested }
    }]
}

fn becoming(change: &Change<'_>, requested: Replicas<'_>) -> Vec<Violation> {
    if requested.exceeds(LIMIT) {
        return vec![Violation::MarkedAboveOne { requested: requested.text() }];
    }
    let running = change.to.status.replicas;
    running.exceeds(LIMIT).then(|| Violation::MarkedWhileRunning { running: running.text() }).into_iter().collect()
}

fn trigger(row: Row) -> Option<String> {
    match row {
        Row::Workload => Some(format!(
            "{after} > 1 && ({create} || {after} > {before})\n\
             || {update} && !{was_marked} && ({after} > 1 || {running} > 1)",
            after = cel::REPLICAS,
            before = cel::OLD_REPLICAS,
            running = cel::RUNNING,
            create = cel::CREATE,
            update = cel::UPDATE,
            was_marked = cel::WAS_MARKED,
        )),
        // A Scale leaves replicas out when they are 0, so the fields have to be asked for.
        Row::Scale => Some(
            "has(object.spec.replicas) && object.spec.replicas > 1\n\
             && (!has(oldObject.spec.replicas) || object.spec.replicas > oldObject.spec.replicas)"
                .to_owned(),
        ),
        // Or one that is above one takes a singleton as its owner.
        Row::Owned => Some(format!(
            "{after} > 1 && ({create} || {after} > {before} || {controller_differs})",
            after = cel::REPLICAS,
            before = cel::OLD_REPLICAS,
            create = cel::CREATE,
            controller_differs = cel::CONTROLLER_DIFFERS,
        )),
        _ => None,
    }
}

fn floor(place: Place) -> Vec<Refusal> {
    let refusal = |violation, when: String| Refusal {
        violation,
        when,
        values: vec![
            ("{replicas}", format!("string({})", cel::REPLICAS)),
            ("{running}", format!("string({})", cel::RUNNING)),
        ],
    };
    let requested = "{replicas}".to_owned();
    let too_many = Violation::TooMany { requested: requested.clone() };
    let too_many_behind = Violation::TooManyBehind { requested: requested.clone() };
    let above = format!("{} > 1", cel::REPLICAS);
    let becomes = format!("{} && !variables.before && variables.after", cel::UPDATE);
    let up = format!("({} || {} > {})", cel::CREATE, cel::REPLICAS, cel::OLD_REPLICAS);
    match place {
        // What the row is not called for would not be evaluated.
        Place::Scale(_) => vec![refusal(too_many, "variables.before".to_owned())],
        Place::ScaleBehind => vec![refusal(too_many_behind, "variables.before".to_owned())],
        Place::Workload | Place::Behind => {
            let mut refusals = vec![
                refusal(Violation::MarkedAboveOne { requested }, format!("{becomes} && {above}")),
                refusal(
                    Violation::MarkedWhileRunning { running: "{running}".to_owned() },
                    format!("{becomes} && {} > 1", cel::RUNNING),
                ),
            ];
            if place == Place::Behind {
                refusals.push(refusal(too_many_behind, format!("variables.behind && {above} && {up}")));
            }
            refusals.push(refusal(
                too_many,
                format!("(variables.before || variables.after) && !({becomes}) && {above} && {up}"),
            ));
            refusals
        }
        _ => Vec::new(),
    }
}

/// The promise of the pattern.
const LIMIT: i64 = 1;
