//! The native floor as the chart's templates, and what it must say: the same as the webhook.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use singleton_guard::api::kind::Kinds;
use singleton_guard::chart::policies::{COMPANION_PLACES, Parameters, STRICT_PLACES, places};
use singleton_guard::chart::webhooks::Selected;
use singleton_guard::policy::annotation::Annotation;
use singleton_guard::policy::entry::Place;
use singleton_guard::policy::violation::{Sg006, Violation};

use super::generated::{GENERATED, block, every_violation, object_selector, policy_head, policy_name};
use super::snapshot;

/// One template per policy.
#[test]
fn the_charts_native_policies_are_those_of_the_registries() -> Result<(), String> {
    let root = crate::root();
    for place in places(Kinds::BUILT_IN).into_iter().chain(STRICT_PLACES).chain(COMPANION_PLACES) {
        let directory = match place {
            Place::ServiceRight => "companions",
            place if place.is_floor() => "floor",
            _ => "strict",
        };
        let path = format!("charts/singleton-guard/templates/{directory}/{}.yaml", place.name());
        snapshot::file(root, &path, &template(place, Kinds::BUILT_IN))?;
    }
    Ok(())
}

/// Every way to break a rule is held by the floor, but for those that are listed.
#[test]
fn it_holds_every_rule_but_what_it_cannot_see() -> Result<(), String> {
    let held: BTreeSet<String> = places(Kinds::BUILT_IN)
        .into_iter()
        .chain(STRICT_PLACES)
        .chain(COMPANION_PLACES)
        .flat_map(|place| place.refusals(Kinds::BUILT_IN))
        .map(|refusal| variant(&refusal.violation))
        .collect();
    let all: BTreeSet<String> = every_violation().iter().map(variant).collect();
    let missing: Vec<_> = all.difference(&held).map(String::as_str).collect();
    if missing == NOT_HELD { Ok(()) } else { Err(format!("the floor lacks {missing:?}, and may lack {NOT_HELD:?}")) }
}

/// CEL has no clock, so how far ahead consent is given cannot be told; the policies do not know the settings `release`
/// and `strict`; and which Pod holds a name, and how far an autoscaler may reach, is advice.
const NOT_HELD: [&str; 6] = ["ConsentTooLong", "NameTaken", "ReleasedWithoutGlass", "Sg003", "StrictMark", "WantsTwo"];

/// The name of a violation, and of the annotation where it is about one.
fn variant(violation: &Violation) -> String {
    let name = format!("{violation:?}");
    let name = name.split([' ', '{', '(', ')']).nth(1).unwrap_or_default();
    match violation {
        Violation::Sg006(Sg006::MalformedAnnotation { annotation, .. }) => {
            format!("{name} {}", Annotation::key(*annotation))
        }
        _ => name.to_owned(),
    }
}

pub fn template(place: Place, kinds: Kinds) -> String {
    let name = policy_name(&place.name());
    let head = |kind: &str| policy_head(kind, &name);
    let mut yaml = format!(
        "{GENERATED}{{{{- if {} -}}}}\n\
         {{{{- $mark := include \"singleton-guard.markKey\" . -}}}}\n{}  failurePolicy: Fail\n",
        switch(place),
        head("ValidatingAdmissionPolicy")
    );
    if let Some(Parameters { api_version, kind, .. }) = place.parameters() {
        let _ = writeln!(yaml, "  paramKind: {{apiVersion: {api_version}, kind: {kind}}}");
    }
    // All of it, defaults too: it is one value, and who applies another one takes it from the others.
    yaml.push_str("  matchConstraints:\n    matchPolicy: Equivalent\n    namespaceSelector: {}\n");
    yaml.push_str(match place.selected() {
        Selected::All => "    objectSelector: {}\n",
        _ => "",
    });
    yaml.push_str(&object_selector(place.selected()));
    yaml.push_str("    resourceRules:\n");
    for watched in place.watched(kinds) {
        let _ = writeln!(
            yaml,
            "      - apiGroups: [\"{}\"]\n        apiVersions: [{}]\n        operations: [{}]\n        resources: [{}]\n        scope: Namespaced",
            watched.group,
            watched.version,
            place.operations().join(", "),
            watched.resources.join(", "),
        );
    }
    let _ = writeln!(yaml, "  matchConditions:\n    {{{{- include \"{}\" . | nindent 4 }}}}", exemptions(place));
    for condition in place.conditions(kinds) {
        let _ =
            writeln!(yaml, "    - name: {}\n      expression: |-\n{}", condition.name, block(&condition.expression));
    }
    let variables = place.variables(kinds);
    if !variables.is_empty() {
        yaml.push_str("  variables:\n");
    }
    for (name, expression) in variables {
        let _ = writeln!(yaml, "    - name: {name}\n      expression: |-\n{}", block(&expression));
    }
    yaml.push_str("  validations:\n");
    for refusal in place.refusals(kinds) {
        let _ = writeln!(
            yaml,
            "    - expression: |-\n{}\n      reason: Forbidden\n      message: {:?}\n      messageExpression: |-\n{}",
            block(&format!("!({})", refusal.when)),
            refusal.fallback(),
            block(&refusal.message(place)),
        );
    }
    let _ = write!(
        yaml,
        "---\n{}  policyName: {name}\n  validationActions: [Deny]\n",
        head("ValidatingAdmissionPolicyBinding")
    );
    if let Some(Parameters { selected, .. }) = place.parameters() {
        let selector = object_selector(selected).replacen("    objectSelector", "    selector", 1);
        let _ = write!(
            yaml,
            "  # Those in the namespace of the request.\n  paramRef:\n{selector}    parameterNotFoundAction: Allow\n",
        );
    }
    yaml.push_str("{{- end }}\n");
    yaml
}

/// The value that a policy depends on.
fn switch(place: Place) -> &'static str {
    match place {
        Place::Deletion | Place::Eviction => "and .Values.strict.enabled .Values.strict.refuseForcedDeletion",
        Place::Strict | Place::StrictBehind | Place::Pods => ".Values.strict.enabled",
        Place::ServiceRight => "and .Values.companions.enabled .Values.companions.requireServiceRight",
        _ => ".Values.nativeFloor.enabled",
    }
}

/// Whom it never judges.
fn exemptions(place: Place) -> &'static str {
    match place {
        // Not even who breaks the glass may have two of them.
        Place::Strict | Place::StrictBehind | Place::Pods => "singleton-guard.strict.exemptions",
        _ => "singleton-guard.floor.exemptions",
    }
}
