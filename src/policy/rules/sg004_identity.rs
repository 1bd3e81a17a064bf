//! SG004: what a singleton's Pod is found by does not move while there may be a Pod.
//!
//! A StatefulSet whose `spec.ordinals.start` (KEP-3335) changes starts the Pod of the new number and only then ends
//! the one of the old number. A ReplicationController whose `spec.selector` changes, which is mutable there, lets its
//! Pod go and starts another beside it. "There may be a Pod" means that one is desired or that the controller still
//! counts one: after scaling to 0 the old Pod may be terminating.

use super::super::cel;
use super::super::change::{Change, Via};
use super::super::code::Code;
use super::super::standing::Standing;
use super::super::violation::{Sg004, Violation};
use super::Rule;
use crate::api::key::start;
use crate::api::kind::{Kinds, PodNames, SelectorForm};
use crate::api::object::same_json;
use crate::policy::entry::{Place, Refusal, Row};

pub(super) const RULE: Rule = Rule {
    code: Code::Sg004,
    summary: "`spec.ordinals.start` of a StatefulSet and `spec.selector` of a ReplicationController must not change while there may be a Pod; of a strict StatefulSet `spec.ordinals.start` must not change at all",
    check,
    trigger,
    floor,
};

fn check(change: &Change<'_>, standing: Standing) -> Vec<Violation> {
    let Some(from) = change.from.as_ref().filter(|_| change.via == Via::Object) else { return Vec::new() };
    let (start_before, start_after) = (start(from), start(&change.to));
    let loses_claims = from.spec.scaling_deletes_claims();
    let kind = change.kind();
    let is_numbered = kind.is_some_and(|info| info.pod_names == PodNames::Ordinal);
    if is_numbered && change.is_strict() && change.was_strict() && start_before != start_after {
        let (from, requested) = (start_before.text(), start_after.text());
        return vec![Sg004::OrdinalsFixed { from, requested, loses_claims }.into()];
    }
    if !standing.ever() || !change.may_have_pod() {
        return Vec::new();
    }
    if is_numbered && start_before != start_after {
        let (from, requested) = (start_before.text(), start_after.text());
        return vec![Sg004::OrdinalsMoved { from, requested, loses_claims }.into()];
    }
    let selects_anew = kind.is_some_and(|info| info.selector == SelectorForm::Labels);
    if selects_anew && !same_json(from.spec.selector, change.to.spec.selector) {
        let requested = change.to.spec.selector.map_or("none", |selector| selector.get()).to_owned();
        return vec![Sg004::SelectorReplaced { requested }.into()];
    }
    Vec::new()
}

fn trigger(row: Row, kinds: Kinds) -> Option<String> {
    let moves: Vec<_> = ordinals_move(kinds).into_iter().chain(selector_changes(kinds)).collect();
    if moves.is_empty() || row != Row::Workload {
        return None;
    }
    let fixed = ordinals_fixed(kinds).map(|fixed| format!("\n|| {fixed}")).unwrap_or_default();
    Some(format!("{} && ({}){fixed}", may_have_pod(kinds), moves.join("\n|| ")))
}

fn floor(place: Place, kinds: Kinds) -> Vec<Refusal> {
    if !matches!(place, Place::Workload | Place::Strict) {
        return Vec::new();
    }
    let when = |moved: &str| format!("(variables.before || variables.after) && {} && {moved}", may_have_pod(kinds));
    let start = |object: &str| format!("string({object}.spec.?ordinals.?start.orValue(0))");
    let moved = |violation, when: &str, loses_claims: bool| Refusal {
        violation,
        when: format!("{when}\n&& {}{LOSES_CLAIMS}", if loses_claims { "" } else { "!" }),
        values: vec![("{from}", start("oldObject")), ("{start}", start("object"))],
    };
    // Its labels in any order: CEL has no JSON.
    let selector = "'{' + object.spec.?selector.orValue({}).map(k, '\"' + k + '\":\"' + object.spec.selector[k] + '\"').join(',') + '}'";
    if place == Place::Strict {
        let fixed = |when: &str, loses_claims: bool| {
            let (from, requested) = ("{from}".to_owned(), "{start}".to_owned());
            moved(Sg004::OrdinalsFixed { from, requested, loses_claims }.into(), when, loses_claims)
        };
        return ordinals_fixed(kinds).map(|when| vec![fixed(&when, true), fixed(&when, false)]).unwrap_or_default();
    }
    let any = |condition: &str, loses_claims: bool| {
        let (from, requested) = ("{from}".to_owned(), "{start}".to_owned());
        moved(Sg004::OrdinalsMoved { from, requested, loses_claims }.into(), &when(condition), loses_claims)
    };
    let ordinals = ordinals_move(kinds).map(|condition| vec![any(&condition, true), any(&condition, false)]);
    let replaced = selector_changes(kinds).map(|condition| Refusal {
        violation: Sg004::SelectorReplaced { requested: "{selector}".to_owned() }.into(),
        when: when(&condition),
        values: vec![("{selector}", cel::clip(&format!("({selector})")))],
    });
    ordinals.into_iter().flatten().chain(replaced).collect()
}

fn ordinals_fixed(kinds: Kinds) -> Option<String> {
    let moves = ordinals_move(kinds)?;
    Some(format!("{} && {} && {} && {moves}", cel::UPDATE, cel::IS_STRICT, cel::WAS_STRICT))
}

fn may_have_pod(kinds: Kinds) -> String {
    format!("{} && ({} > 0 || {} > 0)", cel::UPDATE, cel::old_replicas(kinds), cel::OLD_RUNNING)
}

fn ordinals_move(kinds: Kinds) -> Option<String> {
    let is = cel::is(kinds, |info| info.pod_names == PodNames::Ordinal)?;
    Some(format!("{is}\n&& {ORDINALS_DIFFER}"))
}

fn selector_changes(kinds: Kinds) -> Option<String> {
    let is = cel::is(kinds, |info| info.selector == SelectorForm::Labels)?;
    Some(format!("{is}\n&& object.spec.?selector != oldObject.spec.?selector"))
}

const LOSES_CLAIMS: &str = "(oldObject.spec.?persistentVolumeClaimRetentionPolicy.?whenScaled.orValue('') == 'Delete')";
const ORDINALS_DIFFER: &str = "object.spec.?ordinals.?start.orValue(0) != oldObject.spec.?ordinals.?start.orValue(0)";
