//! How long a write waits after another replica of ours has undone the same. Replicas may disagree, by their
//! configuration or their version; two that answered each other at once would do so many times a second, for as long as
//! both run.
//!
//! What is remembered of a write is what was wished for, and not what there was of ours before. Another wish (an
//! annotation, a setting, somebody else's budget, the end of a window of consent) is never held up, nor is what a user
//! has done: a companion that is gone is made again at once, the first time. This file holds data only; the clock is
//! passed in.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::companions::plan::{
    BudgetSpec, Companion, Existing, Plan, Port, ServiceSpec, Step, Surroundings, Why, Workload, plan,
};
use crate::settings::Companions;

/// What was written for one workload of late.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backoff {
    written: Vec<Written>,
    /// By which wish the steps were planned that are carried out now.
    wish: Vec<(Object, u64)>,
}

/// A companion by its kind and name.
type Object = (Companion, String);

/// A note that an object was written, or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Written {
    object: Object,
    /// A hash of what was wished of it; nothing where it was not wanted.
    wish: Option<u64>,
    /// How often the same was written, each time after it had been undone.
    times: u32,
    /// Since when it is known to be undone (again).
    undone: Option<Instant>,
    /// When it was written, or found undone.
    last: Instant,
}

impl Backoff {
    /// Takes out of a plan what has to wait, and says until when the first of it has.
    pub fn hold(
        &mut self,
        plan: &mut Plan,
        (workload, around, defaults): (&Workload, &Surroundings<'_>, &Companions),
        (time, now): (SystemTime, Instant),
    ) -> Option<Instant> {
        self.written.retain(|written| now.saturating_duration_since(written.last) < FORGOTTEN);
        if self.written.is_empty() && plan.steps.is_empty() {
            return None;
        }
        self.wish = wish(workload, around, defaults, time);
        let (wish, written) = (&self.wish, &mut self.written);
        written.retain(|written| written.wish == wished(wish, &written.object));
        for written in written.iter_mut().filter(|written| !plan.steps.iter().any(|step| is_about(step, written))) {
            written.undone = None;
        }
        let mut first: Option<Instant> = None;
        plan.steps.retain(|step| {
            let Some(written) = written.iter_mut().find(|written| is_about(step, written)) else { return true };
            let undone = *written.undone.get_or_insert_with(|| {
                written.last = now;
                now
            });
            let due = undone + pause(step, written.times, workload, around);
            if due <= now {
                return true;
            }
            first = Some(first.map_or(due, |first| first.min(due)));
            false
        });
        first
    }

    /// A step of the plan that was looked at last has been carried out.
    pub fn wrote(&mut self, object: Object, now: Instant) {
        if let Some(written) = self.written.iter_mut().find(|written| written.object == object) {
            (written.times, written.undone, written.last) = (written.times.saturating_add(1), None, now);
            return;
        }
        let wish = wished(&self.wish, &object);
        self.written.push(Written { object, wish, times: 1, undone: None, last: now });
    }
}

fn pause(step: &Step, times: u32, workload: &Workload, around: &Surroundings<'_>) -> Duration {
    let before = match step {
        // No replica disagrees about somebody else's budget, and with two the API server evicts nobody.
        // What is let go of is so once.
        Step::Remove { why: Why::BudgetSelects { .. }, .. } | Step::LetGo { .. } => return Duration::ZERO,
        Step::Apply { companion: Companion::Budget, name, exists: true, .. } => {
            let mut budgets = around.budgets.iter().filter(|budget| budget.name == *name);
            if budgets.any(|budget| is_whole(budget, workload)) { times } else { times.saturating_sub(1) }
        }
        Step::Apply { exists: false, .. } => times.saturating_sub(1),
        Step::Apply { .. } | Step::Remove { .. } => times,
    };
    match before.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => FIRST.saturating_mul(2_u32.saturating_pow(doublings)).min(LAST),
    }
}

/// Whether a budget is as one of our replicas writes it. A user who changes a value becomes its owner, and then it is
/// left alone; one who takes something away leaves it in pieces.
fn is_whole(budget: &Existing<BudgetSpec>, workload: &Workload) -> bool {
    let BudgetSpec { selector, min_available, max_unavailable, unhealthy_pod_eviction_policy, .. } = &budget.spec;
    budget.controller.as_ref().is_some_and(|owner| owner.uid == workload.uid)
        && selector.is_some()
        && min_available.is_some() != max_unavailable.is_some()
        && unhealthy_pod_eviction_policy.is_some()
}

/// What is wished for, whatever there is of ours. A Service of ours tells the name under which it is wished for, and
/// nothing else: what it is like counts as wrong.
fn wish(workload: &Workload, around: &Surroundings<'_>, defaults: &Companions, time: SystemTime) -> Vec<(Object, u64)> {
    let (own, others): (Vec<_>, Vec<_>) =
        around.services.iter().copied().partition(|service| is_own(service, workload));
    let own = own.into_iter().filter(|service| service.controller.is_some()).cloned();
    let wrong = Port { name: String::new(), protocol: String::new(), number: 0 };
    let own: Vec<_> = own
        .map(|service| {
            let spec = ServiceSpec { ports: vec![wrong.clone()], ..service.spec };
            Existing { is_deleted: false, spec, ..service }
        })
        .collect();
    let around = Surroundings {
        workloads: around.workloads.clone(),
        services: others.into_iter().chain(&own).collect(),
        budgets: around.budgets.iter().copied().filter(|budget| !is_own(budget, workload)).collect(),
        keys_hold: around.keys_hold,
        deleted: Vec::new(),
    };
    let known_for_long = Workload { seen: UNIX_EPOCH, ..workload.clone() };
    let steps = plan(&known_for_long, &around, defaults, time).steps;
    steps.iter().filter_map(|step| Some((object(step), hash(step)?))).collect()
}

fn wished(wish: &[(Object, u64)], object: &Object) -> Option<u64> {
    wish.iter().find(|(wished, _)| wished == object).map(|(_, hash)| *hash)
}

fn is_own<S>(existing: &Existing<S>, workload: &Workload) -> bool {
    existing.is_ours && existing.controller.as_ref().is_none_or(|owner| owner.is(workload.kind, &workload.name))
}

/// The object that a step writes.
pub(super) fn object(step: &Step) -> Object {
    let (Step::Apply { companion, name, .. }
    | Step::Remove { companion, name, .. }
    | Step::LetGo { companion, name, .. }) = step;
    (*companion, name.clone())
}

fn is_about(step: &Step, written: &Written) -> bool {
    object(step) == written.object
}

/// A hash of what a step wishes for, without what says to which version of the object it is applied.
fn hash(step: &Step) -> Option<u64> {
    let Step::Apply { body, .. } = step else { return None };
    let mut wish = body.clone();
    if let Some(metadata) = wish.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|field, _| !["uid", "resourceVersion"].contains(&field.as_str()));
    }
    let mut hasher = DefaultHasher::new();
    wish.to_string().hash(&mut hasher);
    Some(hasher.finish())
}

/// The first pause. Two replicas that disagree write together twice in the first minute, and then once a minute.
const FIRST: Duration = Duration::from_secs(30);
/// The longest pause, which is the longest that the queue waits after failures.
const LAST: Duration = Duration::from_secs(60);
/// When a write is forgotten. It is longer than the other replica waits at most: what has stood for so long was not
/// undone in answer to it.
const FORGOTTEN: Duration = Duration::from_secs(120);
