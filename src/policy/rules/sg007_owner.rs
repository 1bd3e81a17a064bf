//! SG007: the ReplicaSet behind a singleton Deployment stays behind it.
//!
//! A Deployment finds its ReplicaSets by label and by owner reference. One that loses either is let go, runs on, and
//! the Deployment makes another: two copies for good. So a label that the ReplicaSet's own selector names (it holds
//! the Deployment's selector and the template's hash) and its controller may not change, through `/status` either, by
//! anyone except the controllers whose work that is.

use serde_json::value::RawValue;

use super::super::cel;
use super::super::change::{Change, Via};
use super::super::code::Code;
use super::super::standing::Standing;
use super::super::violation::{Sg007, Violation};
use super::Rule;
use crate::api::json::few;
use crate::api::kind::Kinds;
use crate::api::labels::Labels;
use crate::api::object::Object;
use crate::policy::entry::{Place, Refusal, Row};

pub(super) const RULE: Rule = Rule {
    code: Code::Sg007,
    summary: "a ReplicaSet behind a singleton Deployment must keep the labels its own selector names, and its controller",
    check,
    trigger,
    floor,
};

fn check(change: &Change<'_>, standing: Standing) -> Vec<Violation> {
    let Some(from) = change.from.as_ref() else { return Vec::new() };
    if change.via == Via::Scale || !standing.behind_singleton {
        return Vec::new();
    }
    let mut violations = Vec::new();
    let controller = change.to.metadata.controller();
    if from.metadata.controller() != controller {
        let requested = controller.map(|owner| format!("{} {}", owner.kind, owner.name));
        violations.push(Sg007::Disowned { requested }.into());
    }
    violations.extend(changed_label(from, &change.to));
    violations
}

fn changed_label(from: &Object<'_>, to: &Object<'_>) -> Option<Violation> {
    let (before, after) = (&from.metadata.labels, &to.metadata.labels);
    let changed = |key: &&str| before.get(key) != after.get(key);
    let key = match from.spec.selector.map(selected_keys) {
        Some(Some(keys)) => keys.iter().map(String::as_str).find(changed)?.to_owned(),
        // A selector that we cannot read may name any label.
        Some(None) | None => before.keys().chain(after.keys()).find(changed)?.to_owned(),
    };
    let requested = after.get(&key).map(ToOwned::to_owned);
    Some(Sg007::SelectedLabel { key, requested }.into())
}

/// The label keys that a `LabelSelector` names; `None` where it is not one.
fn selected_keys(selector: &RawValue) -> Option<Vec<String>> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct LabelSelector<'a> {
        #[serde(borrow, default)]
        match_labels: Option<Labels<'a>>,
        #[serde(default, deserialize_with = "few")]
        match_expressions: Vec<Requirement>,
    }
    #[derive(serde::Deserialize)]
    struct Requirement {
        key: String,
    }
    let selector: LabelSelector<'_> = serde_json::from_str(selector.get()).ok()?;
    let mut keys: Vec<String> = selector.match_labels.unwrap_or_default().keys().map(ToOwned::to_owned).collect();
    keys.extend(selector.match_expressions.into_iter().map(|requirement| requirement.key));
    Some(keys)
}

fn trigger(row: Row, _: Kinds) -> Option<String> {
    (row == Row::Owned).then(|| {
        format!(
            "{update} && ({controller_differs}\n\
             || {MATCH_LABELS}.exists(key, {DIFFERS})\n\
             || {MATCH_EXPRESSIONS}.exists(key, {DIFFERS}))",
            update = cel::UPDATE,
            controller_differs = cel::CONTROLLER_DIFFERS,
        )
    })
}

fn floor(place: Place, _: Kinds) -> Vec<Refusal> {
    if place != Place::Behind {
        return Vec::new();
    }
    let controller = "object.metadata.?ownerReferences.orValue([]).filter(r, r.?controller.orValue(false))\n\
                      .map(r, r.kind + ' ' + r.name)[?0]";
    let key = format!("({MATCH_LABELS}.filter(key, {DIFFERS}) + {MATCH_EXPRESSIONS}.filter(key, {DIFFERS}))[0]");
    vec![
        Refusal {
            violation: Sg007::Disowned { requested: Some("{controller}".to_owned()) }.into(),
            when: format!("variables.behind && {}", cel::CONTROLLER_DIFFERS),
            values: vec![("\"{controller}\"", cel::or_none(controller))],
        },
        Refusal {
            violation: Sg007::SelectedLabel { key: "{key}".to_owned(), requested: Some("{label}".to_owned()) }.into(),
            when: format!(
                "variables.behind && ({MATCH_LABELS}.exists(key, {DIFFERS}) || {MATCH_EXPRESSIONS}.exists(key, {DIFFERS}))"
            ),
            values: vec![
                ("{key}", key.clone()),
                ("\"{label}\"", cel::or_none(&format!("object.metadata.?labels[?{key}]"))),
            ],
        },
    ]
}

/// The keys that the ReplicaSet's selector names, and the condition under which the label of a key changes.
const MATCH_LABELS: &str = "oldObject.spec.selector.?matchLabels.orValue({})";
const MATCH_EXPRESSIONS: &str = "oldObject.spec.selector.?matchExpressions.orValue([]).map(term, term.key)";
const DIFFERS: &str = "object.metadata.?labels[?key] != oldObject.metadata.?labels[?key]";
