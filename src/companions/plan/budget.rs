//! The PodDisruptionBudget. The popular defaults for one replica are wrong: `minAvailable: 1` blocks every drain for
//! ever, and a second budget for the same Pod makes the API server refuse all evictions with 500. Ours lets a drain
//! through unless it is told otherwise, never keeps an unhealthy Pod (`unhealthyPodEvictionPolicy: AlwaysAllow`,
//! KEP-3017), and is not there where another budget selects the Pods.
//!
//! A budget counts every Pod that its selector matches: a Job's, one without a controller, a neighbour's. With
//! `maxUnavailable` or a percentage the disruption controller asks the controllers of all of them for a number, fails at
//! a Job, and finds one too many where another Pod is ready. An integer `minAvailable` asks nobody, so ours is always
//! one: 0 is met whatever there is; what is more than all Pods there could be is met by none.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::existing::{BudgetSpec, Existing, Surroundings};
use super::ours::metadata;
use super::selector::{Operator, Requirement, Selector};
use super::step::{Plan, Step};
use super::words::{Companion, Taker, Why};
use super::workload::Workload;
use crate::api::annotation::{BadWindow, Consent, Disruption};
use crate::api::key::KEY;
use crate::api::kind::{Makes, PodNames};
use crate::api::names;
use crate::settings::Companions;

pub(super) fn plan(
    workload: &Workload,
    around: &Surroundings<'_>,
    defaults: &Companions,
    owned: bool,
    now: SystemTime,
    plan: &mut Plan,
) {
    let name = names::budget(&workload.name, workload.kind);
    let disruption =
        workload.annotations.disruption.as_deref().and_then(Disruption::parse).unwrap_or(defaults.disruption);
    let is_denied = disruption == Disruption::Block && !defaults.allowed.block;
    let disruption = if is_denied { Disruption::Allow } else { disruption };
    let existing = around.budgets.iter().copied().find(|budget| budget.name == name);
    let mine = existing.filter(|budget| budget.belongs_to(workload, &name));
    let settled = workload.seen + SETTLING;
    let rival = rival(workload, around, &name).map(|budget| {
        let blocks = budget.spec.lets_none_go && disruption == Disruption::Allow;
        if blocks && now < settled {
            plan.look_again(settled);
        }
        Why::BudgetSelects { name: budget.name.clone(), blocks: blocks && settled <= now }
    });
    let against = match disruption {
        _ if owned => Some(Why::Controlled),
        Disruption::None => Some(Why::NotWanted),
        Disruption::Allow | Disruption::Block => rival.or_else(|| {
            let taken = existing.is_some() && mine.is_none();
            taken.then(|| Why::NameTaken { name: name.clone(), by: Taker::Stranger })
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
    plan.skipped.extend(is_denied.then_some((Companion::Budget, Why::BlockDenied)));
    let (open, changes) = if disruption == Disruption::Block { window(workload, defaults, now) } else { (None, None) };
    plan.window = open;
    if let Some(at) = changes {
        plan.look_again(at);
    }
    let spec = demanded(workload, around, disruption == Disruption::Block && open.is_none());
    match mine {
        Some(mine) if mine.is_deleted || mine.is_held_by(workload) && mine.spec == spec => {}
        _ => {
            let waits = mine.map_or_else(|| Some(workload.ripe()).filter(|ripe| now < *ripe), |mine| mine.waits(now));
            plan.step(waits, || apply(workload, &name, &spec, defaults, mine));
        }
    }
}

/// The spec that the budget should have, where it blocks and where it lets disruptions through.
fn demanded(workload: &Workload, around: &Surroundings<'_>, blocks: bool) -> BudgetSpec {
    let min_available = match around.held_key(workload) {
        _ if !blocks => NONE,
        Some(_) => THE_ONE,
        None => MORE_THAN_ALL,
    };
    BudgetSpec {
        selector: Some(counted(workload, around)),
        min_available: Some(json!(min_available)),
        max_unavailable: None,
        unhealthy_pod_eviction_policy: Some(ALWAYS_ALLOW.to_owned()),
        lets_none_go: false,
    }
}

/// The workload's selector, with a label beside it that its controller alone gives, where it gives one. Others' Pods are
/// then left to other budgets; those that carry that label too are why the number has to hold by itself.
fn counted(workload: &Workload, around: &Surroundings<'_>) -> Selector {
    let (mut selector, info) = (workload.selector.clone(), workload.kind.info());
    if let Some(key) = around.held_key(workload) {
        selector.match_labels.insert(KEY.to_owned(), key.to_owned());
    } else if info.pod_names == PodNames::Ordinal {
        // One that is too long for a label is that of no Pod.
        let pod = workload.pod.known.get(POD_NAME).filter(|name| name.len() <= LABEL_MAX);
        selector.match_labels.extend(pod.map(|name| (POD_NAME.to_owned(), name.clone())));
    } else if info.makes == Makes::ReplicaSets {
        selector.match_expressions.extend(info.hash_label.map(|key| Requirement {
            key: key.to_owned(),
            operator: Operator::Exists,
            values: Vec::new(),
        }));
    }
    selector
}

/// Another budget that selects the Pods. Where two workloads select each other's Pods, the one whose budget comes
/// first by name has it; a budget of ours without an owner counts as anybody's.
fn rival<'a>(workload: &Workload, around: &Surroundings<'a>, name: &str) -> Option<&'a Existing<BudgetSpec>> {
    let ours = counted(workload, around);
    around.budgets.iter().copied().find(|budget| {
        let selects = budget.spec.selector.as_ref().is_some_and(|selector| selector.selects(&workload.pod));
        if !selects || budget.belongs_to(workload, name) {
            return false;
        }
        let owner = budget.controller.as_ref().filter(|_| budget.is_ours);
        let yields = around.workloads.iter().any(|other| {
            owner.is_some_and(|owner| owner.uid == other.uid) && ours.selects(&other.pod) && budget.name.as_str() > name
        });
        !yields
    })
}

/// Whether a budget lets none of its Pods be evicted, even if all are ready: of so many, and of one where it counts none
/// now. Both bounds are rounded up, and with neither the disruption controller expects no Pod and lets none go
/// (`getExpectedPodCount` in kubernetes/kubernetes, `pkg/controller/disruption`).
#[must_use]
pub fn lets_none_go(min_available: Option<&Value>, max_unavailable: Option<&Value>, pods: i64) -> bool {
    let pods = pods.max(1);
    let resolved = |bound: &Value| match bound {
        Value::String(text) => {
            let percent: i64 = text.strip_suffix('%')?.parse().ok()?;
            percent.checked_mul(pods).map(|hundredfold| (hundredfold + 99) / 100)
        }
        bound => bound.as_i64(),
    };
    match (max_unavailable, min_available) {
        (Some(most), _) => resolved(most).is_some_and(|most| most <= 0),
        (None, Some(least)) => resolved(least).is_some_and(|least| least >= pods),
        (None, None) => true,
    }
}

/// The end of the window of consent, while it is open; and when it closes, or opens. A window that nobody refused,
/// because the webhook was away or the settings were others, opens no earlier than it could have been asked for.
fn window(workload: &Workload, defaults: &Companions, now: SystemTime) -> (Option<SystemTime>, Option<SystemTime>) {
    let consent = Consent { now, max: defaults.consent_window_max + SKEW };
    let Some(wanted) = workload.annotations.disruption_allowed_until.as_deref() else { return (None, None) };
    match consent.until(wanted) {
        Ok(until) if now < until => (Some(until), Some(until)),
        Err(BadWindow::TooFar { until }) => (None, Some(until)),
        Ok(_) | Err(BadWindow::Malformed) => (None, None),
    }
}

fn apply(
    workload: &Workload,
    name: &str,
    spec: &BudgetSpec,
    defaults: &Companions,
    existing: Option<&Existing<BudgetSpec>>,
) -> Step {
    let BudgetSpec { selector, min_available, unhealthy_pod_eviction_policy, .. } = spec;
    let metadata = metadata(workload, name, defaults, existing);
    let body: Value = json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": {
            "minAvailable": min_available,
            "selector": selector,
            "unhealthyPodEvictionPolicy": unhealthy_pod_eviction_policy,
        },
    });
    Step::Apply { companion: Companion::Budget, name: name.to_owned(), body, exists: existing.is_some() }
}

/// `minAvailable` that any number of Pods meets.
const NONE: i32 = 0;
/// `minAvailable` that only the one Pod with the key can meet, and that is not met once it is evicted. `kubectl` and
/// alerts then show 1 of 1.
const THE_ONE: i32 = 1;
/// `minAvailable` that no number of Pods meets: the field is an `int32`.
const MORE_THAN_ALL: i32 = i32::MAX;
/// The label that the controller of a StatefulSet adds to its Pods (`StatefulSetPodNameLabel` of apps/v1).
pub const POD_NAME: &str = "statefulset.kubernetes.io/pod-name";
/// For so long a workload that has just been marked, or made, is not said to be blocked: its budget counts Pods as they
/// come, and of the first of two it lets none go.
const SETTLING: Duration = Duration::from_secs(10);
/// The longest value of a label.
const LABEL_MAX: usize = 63;
const ALWAYS_ALLOW: &str = "AlwaysAllow";
/// How much further ahead a window may end: the replica that admitted it may have had another clock than this one.
const SKEW: Duration = Duration::from_secs(5 * 60);
