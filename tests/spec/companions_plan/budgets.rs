//! The budgets in the plan: what they count, what they let through and until when, and which of several stays.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use singleton_guard::api::annotation::Disruption;
use singleton_guard::api::kind::Kind;
use singleton_guard::companions::plan::selector::{Labels, PodLabels, Selector};
use singleton_guard::companions::plan::{Companion, Step, Surroundings, Workload, lets_none_go, plan};
use singleton_guard::settings::Companions;

use super::{body, made, now, planned, same, workload};

#[test]
fn the_settings_decide_what_no_annotation_does() -> Result<(), String> {
    for (default, annotation, bound) in [
        (Disruption::Allow, None, Some(NONE)),
        (Disruption::Block, None, Some(MORE_THAN_ALL)),
        (Disruption::None, None, None),
        (Disruption::Block, Some("allow"), Some(NONE)),
        (Disruption::None, Some("block"), Some(MORE_THAN_ALL)),
        (Disruption::Block, Some("none"), None),
        (Disruption::Block, Some("never"), Some(MORE_THAN_ALL)),
    ] {
        let mut workload = workload(Kind::REPLICA_SET, "ledger");
        workload.annotations.disruption = annotation.map(str::to_owned);
        let around = Surroundings { workloads: vec![&workload], ..Surroundings::default() };
        let defaults = Companions { disruption: default, ..Companions::default() };
        let budget = body(&plan(&workload, &around, &defaults, now()), Companion::Budget);
        let what = format!("the bound for {default:?} and {annotation:?}");
        same(&budget["spec"]["minAvailable"].as_i64(), &bound, &what)?;
        same(&budget["spec"].get("maxUnavailable"), &None, "what would have the controllers asked")?;
    }
    Ok(())
}

/// Where the workload is to be let go; otherwise it is what somebody wants.
#[test]
fn a_budget_that_lets_none_go_is_a_warning() -> Result<(), String> {
    for (least, most, pods, none) in [
        (json!(1), Value::Null, 1, true),
        // Before there is a Pod, it is about the one that comes.
        (json!(1), Value::Null, 0, true),
        (json!(1), Value::Null, 2, false),
        (json!(0), Value::Null, 1, false),
        (json!("1%"), Value::Null, 1, true),
        (json!("50%"), Value::Null, 2, false),
        (json!("51%"), Value::Null, 2, true),
        (json!("0%"), Value::Null, 1, false),
        (Value::Null, json!(0), 1, true),
        (Value::Null, json!("0%"), 7, true),
        (Value::Null, json!("1%"), 1, false),
        (Value::Null, json!(1), 1, false),
        (Value::Null, Value::Null, 1, true),
        (json!("many"), Value::Null, 1, false),
    ] {
        let bound = |bound: &Value| Some(bound.clone()).filter(|bound| !bound.is_null());
        let got = lets_none_go(bound(&least).as_ref(), bound(&most).as_ref(), pods);
        same(&got, &none, &format!("whether {least}, {most} of {pods} lets none go"))?;
    }
    for (disruption, none, warns) in
        [("allow", true, true), ("allow", false, false), ("block", true, false), ("block", false, false)]
    {
        let mut workload = workload(Kind::DEPLOYMENT, "ledger");
        workload.annotations.disruption = Some(disruption.to_owned());
        let Some(mut theirs) = made(&workload, &Companions::default(), now()).1 else {
            return Err("there is a budget".to_owned());
        };
        (theirs.name, theirs.is_ours, theirs.spec.lets_none_go) = ("theirs".to_owned(), false, none);
        let around = Surroundings { workloads: vec![&workload], budgets: vec![&theirs], ..Surroundings::default() };
        let skipped = plan(&workload, &around, &Companions::default(), now()).skipped;
        let warned: Vec<_> = skipped.iter().map(|(_, why)| why.is_warning()).collect();
        same(&warned, &vec![warns], &format!("whether it is a warning for {disruption}, {none}"))?;
        // While Pods still come, a budget lets none go of the first.
        let (settled, early) = (workload.seen + SETTLING, workload.seen + SETTLING / 2);
        let early = plan(&workload, &around, &Companions::default(), early);
        same(&early.skipped.iter().any(|(_, why)| why.is_warning()), &false, "whether it warns before that")?;
        same(&(early.again == Some(settled)), &warns, "whether it is looked at again when the workload has settled")?;
    }
    Ok(())
}

#[test]
fn consent_opens_and_closes() -> Result<(), String> {
    let mut workload = workload(Kind::STATEFUL_SET, "ledger");
    workload.annotations.disruption = Some("block".to_owned());
    // 2026-01-01T00:00:00Z.
    let midnight = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    workload.annotations.disruption_allowed_until = Some("2026-01-01T01:00:00+01:00".to_owned());
    let at = |ahead: u64| {
        let plan = planned(&workload, midnight - Duration::from_secs(ahead));
        let bound = body(&plan, Companion::Budget)["spec"]["minAvailable"].as_i64();
        (bound, plan.window, plan.again)
    };
    let (open, closed) = (Some(NONE), Some(MORE_THAN_ALL));
    same(&at(1), &(open, Some(midnight), Some(midnight)), "a second before the end")?;
    same(&at(0), &(closed, None, None), "at the end")?;
    same(&at(24 * 3600), &(open, Some(midnight), Some(midnight)), "as far ahead as the settings allow")?;
    let (longest, skew) = (Duration::from_secs(24 * 3600), Duration::from_secs(5 * 60));
    same(&at(25 * 3600), &(closed, None, Some(midnight - longest - skew)), "further ahead: it opens when it may")?;
    workload.annotations.disruption_allowed_until = Some("tomorrow".to_owned());
    let plan = planned(&workload, midnight);
    same(&(plan.window, plan.again), &(None, None), "no time at all")
}

/// What a controller alone gives is selected too, and of a strict one what nobody else can have; that holds only where the
/// API server holds it.
#[test]
fn a_budget_is_about_one_pod() -> Result<(), String> {
    let app = json!({"app": "ledger"});
    let hash = json!([{"key": "pod-template-hash", "operator": "Exists"}]);
    let named = json!({"app": "ledger", "statefulset.kubernetes.io/pod-name": "ledger-0"});
    let keyed = json!({"app": "ledger", "singleton-guard.io/key": "ledger-key"});
    for (kind, key, keys_hold, selector, bound) in [
        (Kind::REPLICA_SET, None, true, json!({"matchLabels": app}), MORE_THAN_ALL),
        (Kind::REPLICATION_CONTROLLER, None, true, json!({"matchLabels": app}), MORE_THAN_ALL),
        (Kind::DEPLOYMENT, None, true, json!({"matchLabels": app, "matchExpressions": hash}), MORE_THAN_ALL),
        (Kind::STATEFUL_SET, None, true, json!({"matchLabels": named}), MORE_THAN_ALL),
        (Kind::STATEFUL_SET, Some("ledger-key"), false, json!({"matchLabels": named}), MORE_THAN_ALL),
        (Kind::STATEFUL_SET, Some("ledger-key"), true, json!({"matchLabels": keyed}), 1),
        (Kind::DEPLOYMENT, Some("ledger-key"), true, json!({"matchLabels": keyed}), 1),
        (Kind::REPLICA_SET, Some("ledger-key"), true, json!({"matchLabels": keyed}), 1),
    ] {
        let mut workload = workload(kind, "ledger");
        workload.key = key.map(str::to_owned);
        workload.annotations.disruption = Some("block".to_owned());
        let around = Surroundings { workloads: vec![&workload], keys_hold, ..Surroundings::default() };
        let plan = plan(&workload, &around, &Companions::default(), now());
        let spec = body(&plan, Companion::Budget)["spec"].clone();
        same(&spec["selector"], &selector, &format!("what the budget of a {kind:?} with the key {key:?} selects"))?;
        same(&spec["minAvailable"].as_i64(), &Some(bound), &format!("what it asks for, with the key {key:?}"))?;
        let service = body(&plan, Companion::Service)["spec"]["selector"].clone();
        let only = if key.is_some() && keys_hold { &keyed } else { &app };
        same(&service, only, "what the Service selects")?;
    }
    let mut long = workload(Kind::STATEFUL_SET, "ledger");
    long.pod.known.insert("statefulset.kubernetes.io/pod-name".to_owned(), "l".repeat(64));
    let selector = body(&planned(&long, now()), Companion::Budget)["spec"]["selector"].clone();
    same(&selector, &json!({"matchLabels": app}), "the selector where the name is too long for a label")
}

/// A budget of a former form is changed once, into what is kept.
#[test]
fn former_budgets_are_changed_once() -> Result<(), String> {
    for (disruption, bound) in [("allow", "maxUnavailable"), ("block", "minAvailable")] {
        let mut workload = workload(Kind::DEPLOYMENT, "ledger");
        workload.annotations.disruption = Some(disruption.to_owned());
        let mut former = made(&workload, &Companions::default(), now()).1.ok_or("there is a budget")?;
        former.spec.selector = Some(workload.selector.clone());
        (former.spec.min_available, former.spec.max_unavailable) =
            if bound == "minAvailable" { (Some(json!(1)), None) } else { (None, Some(json!(1))) };
        let around = Surroundings { workloads: vec![&workload], budgets: vec![&former], ..Surroundings::default() };
        let changed = plan(&workload, &around, &Companions::default(), now());
        let spec = body(&changed, Companion::Budget)["spec"].clone();
        let fresh = body(&planned(&workload, now()), Companion::Budget)["spec"].clone();
        same(&spec, &fresh, "what a former budget becomes")?;
    }
    Ok(())
}

/// Unless their controllers tell them apart.
#[test]
fn two_singletons_that_share_pods_have_one_budget() -> Result<(), String> {
    let (one, mut other) = (workload(Kind::DEPLOYMENT, "a"), workload(Kind::DEPLOYMENT, "b"));
    other.selector = one.selector.clone();
    other.pod = one.pod.clone();
    let budgets = [made(&one, &Companions::default(), now()).1, made(&other, &Companions::default(), now()).1];
    let [Some(first), Some(second)] = &budgets else { return Err("both have a budget alone".to_owned()) };
    let around =
        || Surroundings { workloads: vec![&one, &other], budgets: vec![first, second], ..Surroundings::default() };
    let keeps = |workload: &Workload| {
        let plan = plan(workload, &around(), &Companions::default(), now());
        !plan.steps.iter().any(|step| matches!(step, Step::Remove { companion: Companion::Budget, .. }))
    };
    same(&(keeps(&one), keeps(&other)), &(true, false), "who keeps the budget")?;
    let (mut one, mut other) = (one, other);
    for set in [&mut one, &mut other] {
        set.kind = Kind::STATEFUL_SET;
        let name = format!("{}-0", set.name);
        set.pod = PodLabels { unknown: None, ..set.pod.clone() };
        set.pod.known.insert("statefulset.kubernetes.io/pod-name".to_owned(), name);
    }
    let budgets = [made(&one, &Companions::default(), now()).1, made(&other, &Companions::default(), now()).1];
    let budgets: Vec<_> = budgets.iter().flatten().collect();
    for workload in [&one, &other] {
        let around =
            Surroundings { workloads: vec![&one, &other], budgets: budgets.clone(), ..Surroundings::default() };
        let steps = plan(workload, &around, &Companions::default(), now()).steps;
        let moved = steps.iter().any(|step| step.companion() == Companion::Budget);
        same(&moved, &false, "whether a StatefulSet's budget gives way to that of its neighbour")?;
    }
    Ok(())
}

#[test]
fn what_is_orphaned_is_adopted_by_name_only() -> Result<(), String> {
    let workload = workload(Kind::STATEFUL_SET, "ledger");
    let (_, budget) = made(&workload, &Companions::default(), now());
    let mut orphan = budget.ok_or("there is a budget")?;
    orphan.controller = None;
    let around = |budget| Surroundings { workloads: vec![&workload], budgets: vec![budget], ..Surroundings::default() };
    let adopted = plan(&workload, &around(&orphan), &Companions::default(), now());
    let uid = body(&adopted, Companion::Budget)["metadata"]["ownerReferences"][0]["uid"].clone();
    same(&uid, &json!(workload.uid), "the adopted budget's owner")?;
    let mut theirs = orphan.clone();
    theirs.is_ours = false;
    theirs.spec.selector = Some(Selector::of(Labels::from([("app".to_owned(), "other".to_owned())])));
    let left = plan(&workload, &around(&theirs), &Companions::default(), now());
    let touched = left.steps.iter().any(|step| matches!(step, Step::Apply { companion: Companion::Budget, .. }));
    same(&touched, &false, "whether a budget of theirs is touched")
}

/// How long a workload is given until it is said to be blocked.
const SETTLING: Duration = Duration::from_secs(10);
/// `minAvailable` of the two forms: what is met always, and never.
const NONE: i64 = 0;
const MORE_THAN_ALL: i64 = 2_147_483_647;
