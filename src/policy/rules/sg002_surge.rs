//! SG002: a rollout of a singleton Deployment does not run a second Pod.
//!
//! The strategy is `Recreate`, or a rolling update whose `maxSurge` resolves to 0 at one replica. `maxUnavailable`
//! does not matter: where both resolve to 0 the Deployment controller uses an unavailability of 1.
//!
//! For a strict one it is `Recreate` alone: a rolling update counts desired replicas, not Pods, and starts the new one while
//! the old one ends.
//!
//! Judged when the Deployment is created, when the mark is added, and when the strategy or the Pod template changes:
//! the requests that choose a strategy or start a rollout. Never on other edits, so that a Deployment stored with a
//! surging strategy (the guard was installed later) can still be scaled, annotated and released.

use super::super::cel;
use super::super::change::{Change, Via};
use super::super::code::Code;
use super::super::standing::Standing;
use super::super::violation::{Sg002, Violation};
use super::Rule;
use crate::api::kind::{Kinds, Rollout};
use crate::api::object::{Object, Strategy, same_json};
use crate::policy::entry::{Place, Refusal, Row};

pub(super) const RULE: Rule = Rule {
    code: Code::Sg002,
    summary: "a singleton Deployment must not surge: `Recreate`, or a `maxSurge` that resolves to 0 at one replica; a strict one must use `Recreate`",
    check,
    trigger,
    floor,
};

fn check(change: &Change<'_>, standing: Standing) -> Vec<Violation> {
    if change.rollout() != Some(Rollout::Strategy) || change.via != Via::Object || !standing.after {
        return Vec::new();
    }
    let strategy = change.to.spec.strategy.clone().unwrap_or_default();
    let alike = change.from.as_ref().is_some_and(|from| rolls_out_alike(from, &change.to));
    let (recreates, surges) = (strategy.recreates(), surges(&strategy));
    let max_surge = strategy.rolling_update.map(|bounds| bounds.max_surge).unwrap_or_default();
    let requested = format!("RollingUpdate with maxSurge {max_surge}");
    if change.is_strict() && !recreates && !(change.was_strict() && alike) {
        return vec![Sg002::RollsStrict { requested }.into()];
    }
    if surges && !(standing.before && alike) {
        return vec![Sg002::Surges { requested }.into()];
    }
    Vec::new()
}

fn surges(strategy: &Strategy<'_>) -> bool {
    !strategy.recreates() && strategy.rolling_update.as_ref().is_none_or(|bounds| bounds.max_surge.surges())
}

fn rolls_out_alike(from: &Object<'_>, to: &Object<'_>) -> bool {
    from.spec.strategy == to.spec.strategy && same_json(from.spec.template, to.spec.template)
}

fn trigger(row: Row, kinds: Kinds) -> Option<String> {
    let rolls = rolls(kinds).filter(|_| row == Row::Workload)?;
    Some(format!("{}\n|| {}", surging(&rolls), rolling_strict(&rolls)))
}

fn floor(place: Place, kinds: Kinds) -> Vec<Refusal> {
    let Some(rolls) = rolls(kinds) else { return Vec::new() };
    let surge = "string(object.spec.?strategy.?rollingUpdate.?maxSurge.orValue('25%'))";
    let values = vec![("{surge}", cel::clip(surge))];
    let requested = "RollingUpdate with maxSurge {surge}".to_owned();
    match place {
        Place::Workload => {
            vec![Refusal { violation: Sg002::Surges { requested }.into(), when: surging(&rolls), values }]
        }
        Place::Strict => {
            vec![Refusal { violation: Sg002::RollsStrict { requested }.into(), when: rolling_strict(&rolls), values }]
        }
        _ => Vec::new(),
    }
}

fn surging(rolls: &str) -> String {
    format!(
        "{rolls} && {is_marked}\n\
         && !string(object.spec.?strategy.?rollingUpdate.?maxSurge.orValue('25%')).matches('^0+%?$')\n\
         && ({create} || !{was_marked} || {DIFFERS})",
        is_marked = cel::IS_MARKED,
        was_marked = cel::WAS_MARKED,
        create = cel::CREATE,
    )
}

fn rolling_strict(rolls: &str) -> String {
    format!(
        "{rolls} && {is_strict}\n&& ({create} || !{was_strict} || {DIFFERS})",
        is_strict = cel::IS_STRICT,
        was_strict = cel::WAS_STRICT,
        create = cel::CREATE,
    )
}

fn rolls(kinds: Kinds) -> Option<String> {
    let is = cel::is(kinds, |info| info.rollout == Some(Rollout::Strategy))?;
    Some(format!("{is} && object.spec.?strategy.?type.orValue('') != 'Recreate'"))
}

const DIFFERS: &str =
    "object.spec.?strategy != oldObject.spec.?strategy || object.spec.template != oldObject.spec.template";
