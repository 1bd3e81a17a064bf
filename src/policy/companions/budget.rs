//! The PodDisruptionBudget. The popular defaults for one replica are wrong: `minAvailable: 1` blocks every drain for
//! ever, and a second budget for the same Pod makes the API server refuse all evictions with 500. Ours lets a drain
//! through unless it is told otherwise, never keeps an unhealthy Pod (`unhealthyPodEvictionPolicy: AlwaysAllow`,
//! KEP-3017), and is not there where another budget selects the Pods.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::selector::Selector;
use super::wish::{BadWindow, Consent, Disruption};
use super::{BudgetSpec, Companion, Defaults, Existing, Plan, Step, Surroundings, Why, Workload, metadata, name};

pub(super) fn plan(
    workload: &Workload,
    around: &Surroundings<'_>,
    defaults: &Defaults,
    owned: bool,
    now: SystemTime,
    plan: &mut Plan,
) {
    let name = name::budget(workload);
    let disruption =
        workload.annotations.disruption.as_deref().and_then(Disruption::parse).unwrap_or(defaults.disruption);
    let existing = around.budgets.iter().copied().find(|budget| budget.name == name);
    let mine = existing.filter(|budget| budget.belongs_to(workload, &name));
    let rival = rival(workload, around, &name).map(|budget| Why::BudgetSelects { name: budget.name.clone() });
    let against = match disruption {
        _ if owned => Some(Why::Controlled),
        Disruption::None => Some(Why::NotWanted),
        Disruption::Allow | Disruption::Block => rival.or_else(|| {
            let taken = existing.is_some() && mine.is_none();
            taken.then(|| Why::NameTaken { name: name.clone(), governing: false })
        }),
    };
    if let Some(why) = against {
        let removal = mine.filter(|mine| !mine.is_deleted).map(|mine| mine.removal(Companion::Budget, why.clone()));
        plan.steps.extend(removal);
        if !why.is_plain() {
            plan.skipped.push((Companion::Budget, why));
        }
        return;
    }
    let (open, changes) = if disruption == Disruption::Block { window(workload, defaults, now) } else { (None, None) };
    plan.window = open;
    plan.again = [plan.again, changes].into_iter().flatten().min();
    let bound = if disruption == Disruption::Allow || open.is_some() { MAX_UNAVAILABLE } else { MIN_AVAILABLE };
    match mine {
        Some(mine) if mine.is_deleted || is_right(mine, workload, bound) => {}
        None if now < workload.ripe() => plan.again = [plan.again, Some(workload.ripe())].into_iter().flatten().min(),
        _ => plan.steps.push(apply(workload, &name, bound, defaults, mine)),
    }
}

/// Another budget that selects the Pods. Where two workloads select each other's Pods, the one whose budget comes
/// first by name has it; a budget of ours without an owner counts as anybody's.
fn rival<'a>(workload: &Workload, around: &Surroundings<'a>, name: &str) -> Option<&'a Existing<BudgetSpec>> {
    around.budgets.iter().copied().find(|budget| {
        let selects = budget.spec.selector.as_ref().is_some_and(|selector| selector.selects(&workload.pod));
        if !selects || budget.name == name || budget.belongs_to(workload, name) {
            return false;
        }
        let owner = budget.controller.as_ref().filter(|_| budget.is_ours);
        let yields = around.workloads.iter().any(|other| {
            owner.is_some_and(|owner| owner.uid == other.uid)
                && workload.selector.selects(&other.pod)
                && budget.name.as_str() > name
        });
        !yields
    })
}

/// The end of the window of consent, while it is open; and when it closes, or opens. One that nobody refused, with the
/// webhook away or under other settings, opens no earlier than it could have been asked for.
fn window(workload: &Workload, defaults: &Defaults, now: SystemTime) -> (Option<SystemTime>, Option<SystemTime>) {
    let consent = Consent { now, max: defaults.consent_window_max + SKEW };
    let Some(wanted) = workload.annotations.disruption_allowed_until.as_deref() else { return (None, None) };
    match consent.until(wanted) {
        Ok(until) if now < until => (Some(until), Some(until)),
        Err(BadWindow::TooFar { until }) => (None, Some(until)),
        Ok(_) | Err(BadWindow::Malformed) => (None, None),
    }
}

fn is_right(existing: &Existing<BudgetSpec>, workload: &Workload, bound: &str) -> bool {
    let BudgetSpec { selector, min_available, max_unavailable, unhealthy_pod_eviction_policy } = &existing.spec;
    let (wanted, other) =
        if bound == MAX_UNAVAILABLE { (max_unavailable, min_available) } else { (min_available, max_unavailable) };
    existing.is_held_by(workload)
        && selector.as_ref() == Some(&workload.selector)
        && *wanted == Some(json!(1))
        && other.is_none()
        && unhealthy_pod_eviction_policy.as_deref() == Some(ALWAYS_ALLOW)
}

fn apply(
    workload: &Workload,
    name: &str,
    bound: &str,
    defaults: &Defaults,
    existing: Option<&Existing<BudgetSpec>>,
) -> Step {
    let selector: &Selector = &workload.selector;
    let metadata = metadata(workload, name, defaults, existing);
    let body: Value = json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": {bound: 1, "selector": selector, "unhealthyPodEvictionPolicy": ALWAYS_ALLOW},
    });
    Step::Apply { companion: Companion::Budget, name: name.to_owned(), body, exists: existing.is_some() }
}

const MAX_UNAVAILABLE: &str = "maxUnavailable";
const MIN_AVAILABLE: &str = "minAvailable";
const ALWAYS_ALLOW: &str = "AlwaysAllow";
/// The replica that admitted the window may have had another clock than this one.
const SKEW: Duration = Duration::from_secs(5 * 60);
