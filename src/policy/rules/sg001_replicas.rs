//! SG001: a singleton has 0 or 1 replicas, by every way a request can come.
//!
//! Only an increase is refused. A workload that is above one already (the guard was installed later, or the glass was
//! broken) stays editable and can be scaled down. What wants more than one after the request cannot become a singleton; what
//! has more becomes one where its controller will certainly end the others, and its user is warned. It
//! becomes strict only after the other Pods have ended; a ReplicaSet or a ReplicationController must have no Pod at all (SG012).

use super::super::change::Change;
use super::super::code::Code;
use super::super::standing::Standing;
use super::super::violation::{More, Sg001, Violation};
use super::super::{cel, surplus};
use super::Rule;
use crate::api::kind::{KindInfo, Kinds, Rollout};
use crate::policy::entry::{Place, Refusal, Row};
use crate::settings::Release;

pub(super) const RULE: Rule = Rule {
    code: Code::Sg001,
    summary: "`spec.replicas` of a singleton must be 0 or 1, on every route; a workload with more Pods becomes one, with a warning, only if its controller will certainly end the others, and becomes strict only once they have ended",
    check,
    trigger,
    floor,
};

fn check(change: &Change<'_>, standing: Standing) -> Vec<Violation> {
    let requested = change.replicas_after();
    let becomes = standing.becomes(change);
    if becomes && requested.exceeds(LIMIT) {
        return vec![Sg001::MarkedAboveOne { requested: requested.text() }.into()];
    }
    if change.kind().is_some_and(|info| info.rollout.is_some())
        && change.is_strict()
        && !change.was_strict()
        && surplus::may_be(change)
    {
        return vec![Sg001::StrictAboveOne.into()];
    }
    if becomes {
        return surplus::stays(change).into_iter().collect();
    }
    if !standing.ever() || !requested.exceeds(LIMIT) || !change.scales_up() {
        return Vec::new();
    }
    let requested = requested.text();
    let more = match change.release {
        Release::BreakGlass => More::Glass,
        Release::Free if change.from.is_none() => More::NoMark,
        Release::Free => More::Release,
    };
    // A new one that its Deployment alone makes a singleton belongs to that, too.
    let behind = standing.behind_singleton || change.is_of_deployment() && !change.mark_after().is_present();
    vec![if behind {
        Sg001::TooManyBehind { requested, more }.into()
    } else {
        Sg001::TooMany { requested, more }.into()
    }]
}

fn trigger(row: Row, kinds: Kinds) -> Option<String> {
    match row {
        Row::Workload => Some(format!(
            "{after} > 1 && ({create} || {after} > {before})\n\
             || {update} && !{was_marked} && ({after} > 1 || {may_be_more}){strict}",
            after = cel::replicas(kinds),
            before = cel::old_replicas(kinds),
            may_be_more = surplus::may_be_cel(kinds),
            create = cel::CREATE,
            update = cel::UPDATE,
            was_marked = cel::WAS_MARKED,
            strict = becomes_strict(kinds).map(|strict| format!("\n|| {strict}")).unwrap_or_default(),
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
            after = cel::replicas(kinds),
            before = cel::old_replicas(kinds),
            create = cel::CREATE,
            controller_differs = cel::CONTROLLER_DIFFERS,
        )),
        _ => None,
    }
}

fn floor(place: Place, kinds: Kinds) -> Vec<Refusal> {
    let replicas = match place {
        // A Scale has them where a workload has them, and what is absent there is no more than what is absent here.
        Place::Scale(_) | Place::ScaleBehind => cel::replicas(Kinds::BUILT_IN),
        _ => cel::replicas(kinds),
    };
    let values = || vec![("{replicas}", format!("string({replicas})"))];
    let refusal = |violation, when: String| Refusal { violation, when, values: values() };
    let requested = "{replicas}".to_owned();
    let more = |more| Sg001::TooMany { requested: "{replicas}".to_owned(), more }.into();
    let too_many = more(More::Release);
    let too_many_behind = Sg001::TooManyBehind { requested: requested.clone(), more: More::Release }.into();
    let above = format!("{replicas} > 1");
    let becomes = format!("{} && !variables.before && variables.after", cel::UPDATE);
    let up = format!("({} || {replicas} > {})", cel::CREATE, cel::old_replicas(kinds));
    match place {
        // What the row is not called for would not be evaluated.
        Place::Scale(_) => vec![refusal(too_many, "variables.before".to_owned())],
        Place::ScaleBehind => vec![refusal(too_many_behind, "variables.before".to_owned())],
        Place::Workload | Place::Behind => {
            let is_behind = place == Place::Behind;
            let mut refusals =
                vec![refusal(Sg001::MarkedAboveOne { requested }.into(), format!("{becomes} && {above}"))];
            if !is_behind {
                refusals.extend(becomes_strict(kinds).map(|when| refusal(Sg001::StrictAboveOne.into(), when)));
            }
            // Nothing but its own deletion keeps the controller of a ReplicaSet from ending Pods.
            let concerns = |stays: &Refusal| !is_behind || stays.violation == Sg001::MarkedWhileDeleted.into();
            let stays = surplus::stays_cel(kinds).into_iter().filter(concerns);
            refusals.extend(stays.map(|stays| Refusal { when: format!("{becomes} && {}", stays.when), ..stays }));
            if is_behind {
                let is_new = format!("{} && !{} && variables.after", cel::CREATE, cel::IS_MARKED);
                refusals.push(refusal(too_many_behind, format!("(variables.behind || {is_new}) && {above} && {up}")));
            }
            refusals.push(refusal(more(More::NoMark), format!("{} && variables.after && {above}", cel::CREATE)));
            refusals.push(refusal(
                too_many,
                format!("(variables.before || variables.after) && !({becomes}) && {above} && {up}"),
            ));
            refusals
        }
        _ => Vec::new(),
    }
}

/// One that may have more Pods than one becomes strict.
fn becomes_strict(kinds: Kinds) -> Option<String> {
    let rolled_by = |rollout| kinds.that(move |info: &KindInfo| info.rollout == Some(rollout));
    let is = cel::among(kinds, rolled_by(Rollout::Strategy).chain(rolled_by(Rollout::UpdateStrategy)))?;
    Some(format!(
        "{is} && {update} && {is_strict}\n\
         && !{was_strict} && {may_be_more}",
        update = cel::UPDATE,
        is_strict = cel::IS_STRICT,
        was_strict = cel::WAS_STRICT,
        may_be_more = surplus::may_be_cel(kinds),
    ))
}

/// The promise of the pattern.
const LIMIT: i64 = 1;
