//! What the registries make: the chart's webhook configurations, the tables of the documentation, the message catalogue.

use std::fmt::Write as _;
use std::time::Duration;

use singleton_guard::api::autoscaler::Autoscaler::{self, HorizontalPodAutoscaler, ScaledObject};
use singleton_guard::api::autoscaler::Bound;
use singleton_guard::api::kind::Kinds;
use singleton_guard::api::mark::MarkKey;
use singleton_guard::api::reference::Regarding;
use singleton_guard::chart::rows::ROWS;
use singleton_guard::chart::webhooks::{Entry, Namespaces, Only, Outage, Selected};
use singleton_guard::policy::annotation::Annotation;
use singleton_guard::policy::denial::Denial;
use singleton_guard::policy::entry::Row;
use singleton_guard::policy::holder::{Holder, State};
use singleton_guard::policy::request::Phase;
use singleton_guard::policy::rules::RULES;
use singleton_guard::policy::violation::{
    More, Sg001, Sg002, Sg003, Sg004, Sg005, Sg006, Sg007, Sg010, Sg011, Sg012, Violation,
};

use super::custom::CUSTOM_ROWS;
use super::snapshot;

/// One template per row of the webhook configuration.
#[test]
fn the_charts_webhook_configurations_are_those_of_the_registries() -> Result<(), String> {
    let root = crate::root();
    for row in ROWS {
        let path = format!("charts/singleton-guard/templates/webhooks/{}.yaml", row.name());
        snapshot::file(root, &path, &template(row, Kinds::BUILT_IN))?;
    }
    Ok(())
}

/// The chart's list of kinds and rows, which its RBAC and the program's arguments are made from.
#[test]
fn the_charts_kinds_and_rows_are_those_of_the_registries() -> Result<(), String> {
    snapshot::file(crate::root(), "charts/singleton-guard/templates/_registry.tpl", &registry(Kinds::BUILT_IN))
}

/// The same, for these kinds.
pub fn registry(kinds: Kinds) -> String {
    let mut text = GENERATED.to_owned();
    text.push_str(
        "
{{- /* The kinds that can be singletons: per API group the plural names. */ -}}
{{- define \"singleton-guard.guardedResources\" -}}
",
    );
    for watched in Row::Defaults.watched(kinds) {
        let group = if watched.group.is_empty() { "\"\"" } else { watched.group };
        let _ = writeln!(text, "- group: {group}\n  resources: [{}]", watched.resources.join(", "));
    }
    text.push_str("{{- end -}}\n\n{{- /* The rows: one webhook configuration object each, by phase. */ -}}\n");
    text.push_str("{{- define \"singleton-guard.webhook.rows\" -}}\n");
    for (name, phase) in [("validating", Phase::Validate), ("mutating", Phase::Mutate)] {
        let of = |only: Option<Only>| {
            let rows = ROWS.iter().filter(|row| row.phase() == phase && row.only_for() == only);
            rows.map(|row| row.name()).collect::<Vec<_>>().join(", ")
        };
        let _ = write!(text, "{name}: [{}", of(None));
        for only in [Only::Strict, Only::Autoscalers] {
            if !of(Some(only)).is_empty() {
                let _ = write!(text, "{{{{ if {} }}}}, {}{{{{ end }}}}", switch(only), of(Some(only)));
            }
        }
        text.push_str(if phase == Phase::Validate { CUSTOM_ROWS } else { "" });
        text.push_str("]\n");
    }
    text.push_str("{{- end -}}\n");
    text
}

/// The table of rules in `docs/rules.md`.
#[test]
fn the_documented_rules_are_those_of_the_registry() -> Result<(), String> {
    let root = crate::root();
    let mut rules: Vec<_> = RULES.iter().collect();
    rules.sort_by_key(|rule| rule.code);
    let mut table = "| code | rule |\n|---|---|\n".to_owned();
    for rule in rules {
        let _ = writeln!(table, "| {} | {} |", rule.code, rule.demands(Kinds::BUILT_IN));
    }
    snapshot::section(root, "docs/rules.md", "rules", &table)
}

/// The table of webhooks in `docs/outages.md`.
#[test]
fn the_documented_webhooks_are_those_of_the_registry() -> Result<(), String> {
    let root = crate::root();
    let mut table = "| webhook | what it does | while no replica answers |\n|---|---|---|\n".to_owned();
    for row in ROWS {
        let entries = row.entries();
        let names: Vec<_> = entries.iter().map(|entry| format!("`{}`", entry.full_name())).collect();
        let outages: Vec<_> = entries.iter().map(|entry| outage(row, *entry)).collect();
        let _ = writeln!(table, "| {} | {} | {} |", names.join(", "), row.purpose(), outages.join("; "));
    }
    snapshot::section(root, "docs/outages.md", "webhooks", &table)
}

fn outage(row: Row, entry: Entry) -> String {
    let does = match (row.phase(), entry.outage) {
        (Phase::Mutate, _) => "fills in nothing",
        (Phase::Validate, Outage::Refuses) => "refuses what it is asked about",
        (Phase::Validate, Outage::LetsPass) => "lets everything pass",
    };
    let place = match entry.namespaces {
        Namespaces::All => "",
        Namespaces::WithSingletons => " in namespaces that hold singletons",
        Namespaces::WithoutSingletons => " in namespaces that hold none",
    };
    format!("{does}{place}")
}

/// Every sentence a person may read, in one file.
#[test]
fn the_message_catalogue_is_the_one_that_was_reviewed() -> Result<(), String> {
    let root = crate::root();
    let mut text = "Every refusal, as kubectl shows it: the line, the field it names, and the remedy that comes along as a warning.\n".to_owned();
    for violation in every_violation() {
        let field = violation.field(&MarkKey::default());
        let (message, remedy) = words(violation);
        let _ = write!(text, "\n{message}\n  field   {field}\n  remedy  {remedy}\n");
    }
    snapshot::file(root, "tests/messages.txt", &text)
}

/// What a person reads of a violation: the line and the remedy.
pub fn words(first: Violation) -> (String, String) {
    let remedy = first.remedy();
    let subject = Regarding {
        group: "apps",
        version: "v1",
        kind: typical_kind(&first),
        namespace: "pay".to_owned(),
        name: "ledger".to_owned(),
        uid: String::new(),
    };
    let denial = Denial::new(subject, MarkKey::default(), first, [], None, "spec.replicas");
    (denial.first().line.clone(), remedy.to_owned())
}

/// Every arm of the catalogue once, with values as a user would write them.
pub fn every_violation() -> Vec<Violation> {
    let text = |text: &str| text.to_owned();
    let unmarkable = |at: usize| &Kinds::BUILT_IN.unmarkable()[at];
    vec![
        Sg001::TooMany { requested: text("3"), more: More::Release }.into(),
        Sg001::TooMany { requested: text("3"), more: More::NoMark }.into(),
        Sg001::TooMany { requested: text("3"), more: More::Glass }.into(),
        Sg001::TooManyBehind { requested: text("3"), more: More::Release }.into(),
        Sg001::TooManyBehind { requested: text("3"), more: More::Glass }.into(),
        Sg001::MarkedAboveOne { requested: text("2") }.into(),
        Sg001::StrictAboveOne.into(),
        Sg001::MarkedWhileDeleted.into(),
        Sg001::MarkedWhilePaused.into(),
        Sg001::MarkedUnseen { generation: text("3"), observed: text("2") }.into(),
        Sg001::MarkedWhileRecreated.into(),
        Sg001::MarkedWhileRolled { from: text("2"), requested: text("1") }.into(),
        Sg002::Surges { requested: text("RollingUpdate with maxSurge 25%") }.into(),
        autoscaled(HorizontalPodAutoscaler, Bound::Max, Some("5")),
        autoscaled(HorizontalPodAutoscaler, Bound::Min, Some("2")),
        autoscaled(ScaledObject, Bound::Max, Some("5")),
        autoscaled(ScaledObject, Bound::Max, None),
        autoscaled(ScaledObject, Bound::Min, Some("2")),
        autoscaled(ScaledObject, Bound::Paused, Some("3")),
        Sg004::OrdinalsMoved { from: text("0"), requested: text("5"), loses_claims: false }.into(),
        Sg004::OrdinalsMoved { from: text("0"), requested: text("5"), loses_claims: true }.into(),
        Sg004::SelectorReplaced { requested: text(r#"{"app":"other"}"#) }.into(),
        Sg005::ReleasedWhileScaling { from: text("1"), requested: text("3") }.into(),
        Sg005::ReleasedWithoutGlass.into(),
        Sg005::MarkedThroughStatus { requested: None }.into(),
        Sg005::UnmarkedBehindOwner.into(),
        Sg006::MalformedMark { requested: text("yes"), strict: true }.into(),
        Sg006::MalformedMark { requested: text("yes"), strict: false }.into(),
        Sg006::StrictMark.into(),
        Sg006::UnmarkableKind { kind: unmarkable(0), guarded: Kinds::BUILT_IN, requested: text("enabled") }.into(),
        Sg006::UnmarkableKind { kind: unmarkable(1), guarded: Kinds::BUILT_IN, requested: text("enabled") }.into(),
        Sg006::UnmarkableKind { kind: unmarkable(2), guarded: Kinds::BUILT_IN, requested: text("enabled") }.into(),
        Sg006::MalformedAnnotation { annotation: Annotation::HeadlessService, requested: text("My.Service") }.into(),
        Sg006::MalformedAnnotation { annotation: Annotation::PublishNotReady, requested: text("yes") }.into(),
        Sg006::MalformedAnnotation { annotation: Annotation::Disruption, requested: text("never") }.into(),
        Sg006::MalformedAnnotation { annotation: Annotation::DisruptionAllowedUntil, requested: text("tomorrow") }
            .into(),
        Sg006::ForeignName { requested: text("db") }.into(),
        Sg006::BlockDenied.into(),
        Sg006::NoServiceRight.into(),
        Sg006::ConsentTooLong { requested: text("2099-01-01T00:00:00Z"), max: Duration::from_secs(24 * 60 * 60) }
            .into(),
        Sg007::SelectedLabel { key: text("app"), requested: None }.into(),
        Sg007::Disowned { requested: Some(text("Deployment other")) }.into(),
        Sg002::RollsStrict { requested: text("RollingUpdate with maxSurge 0") }.into(),
        Sg004::OrdinalsFixed { from: text("0"), requested: text("5"), loses_claims: false }.into(),
        Sg004::OrdinalsFixed { from: text("0"), requested: text("5"), loses_claims: true }.into(),
        Sg010::NameTaken(holder(State::Stays)).into(),
        Sg010::NameTaken(holder(State::Ends(Duration::from_secs(12)))).into(),
        Sg010::NameTaken(holder(State::Ended)).into(),
        Sg010::NameTaken(holder(State::Lingers(Duration::from_secs(12)))).into(),
        Sg010::NameTaken(holder(State::Finalizes(Duration::from_secs(12)))).into(),
        Sg010::NameTaken(Holder { is_strict: false, ..holder(State::Stays) }).into(),
        Sg010::NameTaken(Holder { node: String::new(), ..holder(State::Stays) }).into(),
        Sg011::EndsAtOnce { is_pod: false }.into(),
        Sg011::EndsAtOnce { is_pod: true }.into(),
        Sg010::WantsTwo { node: text("worker-3") }.into(),
        Sg011::Forced { node: text("worker-3"), is_ending: false }.into(),
        Sg011::Forced { node: text("worker-3"), is_ending: true }.into(),
        Sg011::OneOfMany { node: text("worker-3") }.into(),
        Sg012::TemplateKey { wanted: text("ledger-0"), requested: None }.into(),
        Sg012::KeepsPod.into(),
        Sg012::HeldBack { field: "spec.updateStrategy.type", requested: text("OnDelete") }.into(),
        Sg012::NotNamed { key: text("ledger-0"), requested: text("ledger-1") }.into(),
        Sg012::KeyChanged { requested: None }.into(),
    ]
}

fn autoscaled(autoscaler: Autoscaler, bound: Bound, requested: Option<&str>) -> Violation {
    let (requested, singleton) = (requested.map(str::to_owned), "StatefulSet pay/ledger".to_owned());
    Sg003 { autoscaler, bound, requested, singleton }.into()
}

fn holder(state: State) -> Holder {
    Holder { node: "worker-3".to_owned(), is_strict: true, state, controller: String::new() }
}

/// A kind that the violation is found on.
fn typical_kind(violation: &Violation) -> &'static str {
    match violation {
        Violation::Sg003(Sg003 { autoscaler, .. }) => autoscaler.info().name,
        Violation::Sg002(_)
        | Violation::Sg001(
            Sg001::MarkedWhilePaused
            | Sg001::MarkedUnseen { .. }
            | Sg001::MarkedWhileRecreated
            | Sg001::MarkedWhileRolled { .. },
        ) => "Deployment",
        Violation::Sg010(_)
        | Violation::Sg011(Sg011::EndsAtOnce { is_pod: true } | Sg011::Forced { .. } | Sg011::OneOfMany { .. })
        | Violation::Sg012(Sg012::NotNamed { .. } | Sg012::KeyChanged { .. }) => "Pod",
        Violation::Sg004(Sg004::SelectorReplaced { .. }) => "ReplicationController",
        Violation::Sg006(Sg006::UnmarkableKind { kind, .. }) => kind.name,
        Violation::Sg007(_)
        | Violation::Sg012(Sg012::KeepsPod)
        | Violation::Sg001(Sg001::TooManyBehind { .. })
        | Violation::Sg005(Sg005::UnmarkedBehindOwner) => "ReplicaSet",
        _ => "StatefulSet",
    }
}

pub fn template(row: Row, kinds: Kinds) -> String {
    let kind = match row.phase() {
        Phase::Validate => "Validating",
        Phase::Mutate => "Mutating",
    };
    let mut yaml = format!(
        r#"{GENERATED}{{{{- $mark := include "singleton-guard.markKey" . -}}}}
{begin}apiVersion: admissionregistration.k8s.io/v1
kind: {kind}WebhookConfiguration
metadata:
  name: {{{{ include "singleton-guard.webhook.name" (dict "root" $ "row" "{name}") }}}}
  {{{{- include "singleton-guard.webhook.metadata" . | nindent 2 }}}}
webhooks:
  # {purpose}
"#,
        begin = row.only_for().map_or_else(String::new, |only| format!("{{{{- if {} }}}}\n", switch(only))),
        name = row.name(),
        purpose = row.purpose(),
    );
    for entry in row.entries() {
        yaml.push_str(&webhook(row, *entry, kinds));
    }
    if row.only_for().is_some() {
        yaml.push_str("{{- end }}\n");
    }
    yaml
}

/// The condition under which the chart has a row.
const fn switch(only: Only) -> &'static str {
    match only {
        Only::Strict => ".Values.strict.enabled",
        Only::Autoscalers => r#"ne (include "singleton-guard.autoscalers" .) "off""#,
    }
}

/// How every template begins that is made from the registries.
pub const GENERATED: &str = "{{- /* Generated from the registries in src: `UPDATE=1 cargo test` rewrites it. */ -}}\n";

/// The name of a policy, and of its binding.
pub fn policy_name(last: &str) -> String {
    format!(r#"{{{{ include "singleton-guard.webhook.name" (dict "root" $ "row" "{last}") }}}}"#)
}

/// A policy or its binding, as `kind` says, up to what its spec holds.
pub fn policy_head(kind: &str, name: &str) -> String {
    format!(
        r#"apiVersion: admissionregistration.k8s.io/v1
kind: {kind}
metadata:
  name: {name}
  {{{{- include "singleton-guard.metadata" (dict "root" .) | nindent 2 }}}}
spec:
"#
    )
}

/// An expression of a policy as the lines of a block, with the chart's values, and the users who stand for a node.
pub fn block(expression: &str) -> String {
    let users = r#"{{- with include "singleton-guard.strict.nodeUsers.conditions" . }}{{ . | nindent 8 }}{{ end }}"#;
    let expression = with_values(expression).replace("NODE_USERS", users);
    expression.lines().map(|line| format!("        {line}")).collect::<Vec<_>>().join("\n")
}

/// What keeps requests about other objects away, with an indent of four.
pub fn object_selector(selected: Selected) -> String {
    let expression = match selected {
        Selected::All => return String::new(),
        Selected::Marked => "{key: {{ $mark | quote }}, operator: Exists}",
        Selected::Unmarked => "{key: {{ $mark | quote }}, operator: DoesNotExist}",
        Selected::Strict => "{key: {{ $mark | quote }}, operator: In, values: [strict]}",
        Selected::Keyed => "{key: singleton-guard.io/key, operator: Exists}",
    };
    format!("    objectSelector:\n      matchExpressions:\n        - {expression}\n")
}

/// An expression with the chart's values where they belong: the label key of the mark, what is wished for where an annotation
/// is not there, and what a workload may not ask for.
pub fn with_values(expression: &str) -> String {
    [
        ("MARK", "{{ $mark }}"),
        ("UNSAID", r#"{{ ternary "auto" "none" .Values.companions.headlessService }}"#),
        ("DENY-NAMES", "{{ .Values.companions.foreignNames }}"),
        ("DENY-BLOCK", "{{ .Values.companions.block }}"),
    ]
    .iter()
    .fold(expression.to_owned(), |text, (place, value)| text.replace(place, value))
}

/// One entry of a row's template.
fn webhook(row: Row, entry: Entry, kinds: Kinds) -> String {
    let (path, timeout, reinvocation, side_effects) = match row.phase() {
        Phase::Validate => (
            "/validate",
            "{{ include \"singleton-guard.webhook.timeoutSeconds\" . }}",
            "",
            "{{ include \"singleton-guard.webhook.sideEffects\" . }}",
        ),
        Phase::Mutate => ("/mutate", "1", "    reinvocationPolicy: IfNeeded\n", "None"),
    };
    let policy = match entry.outage {
        Outage::Refuses => {
            let row = row.name();
            format!(r#"{{{{ include "singleton-guard.webhook.failurePolicy" (dict "root" $ "row" "{row}") }}}}"#)
        }
        Outage::LetsPass => "Ignore".to_owned(),
    };
    let mut yaml = match entry.namespaces {
        Namespaces::All => "",
        Namespaces::WithSingletons => "  # in the namespaces that hold singletons, once the process has said which\n",
        Namespaces::WithoutSingletons => "  # in the namespaces that hold none, once the process has said which\n",
    }
    .to_owned();
    let _ = write!(
        yaml,
        r#"  - name: {name}
    clientConfig:
      {{{{- include "singleton-guard.webhook.clientConfig" (dict "root" $ "path" "{path}") | nindent 6 }}}}
    admissionReviewVersions: [v1]
    sideEffects: {side_effects}
    failurePolicy: {policy}
    timeoutSeconds: {timeout}
    matchPolicy: Equivalent
{reinvocation}    rules:
"#,
        name = entry.full_name(),
    );
    for watched in row.watched(kinds) {
        let _ = writeln!(
            yaml,
            "      - apiGroups: [\"{}\"]\n        apiVersions: [{}]\n        operations: [{}]\n        resources: [{}]\n        scope: Namespaced",
            watched.group,
            watched.version,
            row.operations().join(", "),
            watched.resources.join(", "),
        );
    }
    yaml.push_str(&object_selector(row.selected()));
    if row.selected() == Selected::Keyed {
        yaml.push_str("    {{- include \"singleton-guard.webhook.namespaceSelector\" . | nindent 4 }}\n");
    }
    yaml.push_str("    matchConditions:\n      {{- include \"singleton-guard.webhook.exemptions\" . | nindent 6 }}\n");
    for condition in row.conditions(kinds) {
        let _ = writeln!(yaml, "      - name: {}\n        expression: |-", condition.name);
        for line in with_values(&condition.expression).lines() {
            let _ = writeln!(yaml, "          {line}");
        }
    }
    yaml
}
