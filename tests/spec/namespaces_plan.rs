//! The list of namespaces that hold singletons, pure: how it grows and shrinks, and how it stands in a configuration.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use singleton_guard::namespaces::plan::{Absences, LISTED_FOR, NAMES_MAX, Selection, Step, step, target};
use singleton_guard::namespaces::selectors::{answer_alike, refuses_in_listed, selection, written};

#[test]
fn what_is_seen_is_listed_at_once_what_is_gone_only_later_and_with_more_proof() -> Result<(), String> {
    let many: Vec<String> = (0..=NAMES_MAX).map(|number| format!("n{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    // What is stored, what is seen, what is gone: what it should be, and what it takes.
    let table = [
        (listed(&["a"]), &["a"][..], &[][..], listed(&["a"]), Step::Keep),
        (listed(&["a"]), &["b"], &[], listed(&["a", "b"]), Step::Widen),
        (listed(&["a", "b"]), &["b"], &["a"], listed(&["b"]), Step::Narrow),
        (listed(&["a"]), &["b"], &["a"], listed(&["b"]), Step::Narrow),
        // Seen again since: not gone.
        (listed(&["a"]), &["a"], &["a"], listed(&["a"]), Step::Keep),
        // A first list and a repaired one refuse in less than before.
        (Selection::Everywhere, &["a"], &[], listed(&["a"]), Step::Narrow),
        (Selection::Foreign, &["a"], &[], listed(&["a"]), Step::Narrow),
        // Too many to list.
        (listed(&["a"]), &many, &[], Selection::Everywhere, Step::Widen),
        (Selection::Foreign, &many, &[], Selection::Everywhere, Step::Widen),
        (Selection::Everywhere, &many, &[], Selection::Everywhere, Step::Keep),
    ];
    for (stored, held, gone, expected, takes) in table {
        let next = target([&stored], &names(held), &names(gone));
        same(&next, &expected)?;
        same(&step(&stored, &next), &takes)?;
    }
    // One that was wiped gets back what the others still know.
    let next = target([&listed(&["a", "b"]), &Selection::Everywhere], &names(&["b"]), &names(&[]));
    same(&next, &listed(&["a", "b"]))
}

#[test]
fn a_namespace_is_gone_when_it_was_absent_for_long_without_a_break() -> Result<(), String> {
    let (start, moment) = (Instant::now(), Duration::from_secs(1));
    let mut absences = Absences::default();
    let both = names(&["a", "b"]);
    same(&absences.gone(&both, &names(&["a"]), start), &names(&[]))?;
    same(&absences.gone(&both, &names(&["a"]), start + LISTED_FOR / 2), &names(&[]))?;
    same(&absences.gone(&both, &names(&["a"]), start + LISTED_FOR), &names(&["b"]))?;
    // It is back for a moment: its time begins anew.
    same(&absences.gone(&both, &both, start + LISTED_FOR), &names(&[]))?;
    same(&absences.gone(&both, &names(&[]), start + LISTED_FOR + moment), &names(&[]))?;
    same(&absences.gone(&both, &names(&[]), start + LISTED_FOR + moment + LISTED_FOR), &both)
}

#[test]
fn what_is_written_is_what_is_read() -> Result<(), String> {
    for configuration in [twins(), json!({"webhooks": [{"name": "first.singleton-guard.io"}]})] {
        for selection_ in [listed(&["a", "b"]), Selection::Everywhere] {
            let stored = with_selectors(&configuration, &written(&configuration, &selection_));
            same(&selection(&stored), &Some(selection_))?;
        }
    }
    let stored = written(&twins(), &listed(&["b", "a"]));
    let expression = |operator| json!({"matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": operator, "values": ["a", "b"]}]});
    same(
        &json!(stored),
        &json!([
            {"name": "scale.singleton-guard.io", "namespaceSelector": expression("In")},
            {"name": "scale-elsewhere.singleton-guard.io", "namespaceSelector": expression("NotIn")},
        ]),
    )?;
    // This one has no twin: elsewhere nobody is asked.
    let alone = json!({"webhooks": [{"name": "autoscalers.singleton-guard.io"}]});
    same(
        &json!(written(&alone, &listed(&["a", "b"]))),
        &json!([{"name": "autoscalers.singleton-guard.io", "namespaceSelector": expression("In")}]),
    )?;
    same(&refuses_in_listed(&twins()), &true)?;
    same(&refuses_in_listed(&json!({"webhooks": [{"name": "first.singleton-guard.io"}]})), &false)?;
    // Not by namespace, not of this version, and one without its twin, which must be called everywhere.
    for name in ["scale.singleton-guard.io", "workload.singleton-guard.io", "newer.singleton-guard.io"] {
        same(&selection(&json!({"webhooks": [{"name": name}]})), &None)?;
    }
    Ok(())
}

#[test]
fn what_somebody_else_has_written_is_foreign() -> Result<(), String> {
    let selectors = written(&twins(), &listed(&["a"]));
    let good = with_selectors(&twins(), &selectors);
    let changes = [
        ("/webhooks/0/namespaceSelector", json!({})),
        ("/webhooks/1/namespaceSelector/matchExpressions/0/values", json!(["a", "b"])),
        ("/webhooks/0/namespaceSelector/matchExpressions/0/key", json!("team")),
        ("/webhooks/0/namespaceSelector/matchExpressions/0/operator", json!("NotIn")),
        ("/webhooks/0/namespaceSelector", json!({"matchLabels": {"team": "a"}})),
    ];
    for (pointer, value) in changes {
        let mut other = good.clone();
        *other.pointer_mut(pointer).ok_or(pointer)? = value;
        same(&selection(&other), &Some(Selection::Foreign)).map_err(|why| format!("{pointer}: {why}"))?;
    }
    let mut trusted = good;
    same(&answer_alike(&trusted), &true)?;
    trusted["webhooks"][0]["clientConfig"]["caBundle"] = json!("QQ==");
    same(&answer_alike(&trusted), &false)
}

fn twins() -> Value {
    json!({"webhooks": [{"name": "scale.singleton-guard.io"}, {"name": "scale-elsewhere.singleton-guard.io"}]})
}

fn with_selectors(configuration: &Value, selectors: &[Value]) -> Value {
    let mut configuration = configuration.clone();
    for (index, entry) in selectors.iter().enumerate() {
        configuration["webhooks"][index]["namespaceSelector"] = entry["namespaceSelector"].clone();
    }
    configuration
}

fn listed(of: &[&str]) -> Selection {
    Selection::Listed(names(of))
}

fn names(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|name| (*name).to_owned()).collect()
}

fn same<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("expected {expected:?}, found {found:?}")) }
}
