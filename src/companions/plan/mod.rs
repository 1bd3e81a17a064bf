//! Companions: the headless Service and the PodDisruptionBudget that a singleton should have. Given a workload, what
//! there is in its namespace, the settings and the time: what is to be done, as data, or the reason why nothing is.
//!
//! No client and no clock in here: every replica comes to the same plan and applies the same bytes. Two things that a
//! plan reads differ between replicas, since when a workload is known ([`Workload::seen`]) and which Services somebody
//! has deleted ([`Surroundings::deleted`]); both only delay what is done and said.
//!
//! What users made is never touched. A companion takes the selector, the ports and the key from the workload. No label
//! and no annotation is copied: a tracking label of a deployment tool on a child makes that tool delete it.

mod budget;
pub mod concerns;
mod existing;
mod ours;
pub mod selector;
mod service;
mod service_name;
mod step;
pub mod theirs;
mod words;
mod workload;

use std::time::SystemTime;

use crate::api::kind::Makes;
use crate::settings::Companions;

pub use budget::{POD_NAME, lets_none_go};
pub use existing::{BudgetSpec, Existing, ServiceSpec, Surroundings, Taken};
pub use ours::{MANAGER_LABEL, field_manager};
pub use service_name::{RECREATION_GRACE, misses};
pub use step::{Plan, Step};
pub use theirs::let_go;
pub use words::{Companion, Taker, Why, let_go_of, made, none_of_ours};
pub use workload::{Owner, Port, Workload};

/// What is to be done for a marked workload.
#[must_use]
pub fn plan(workload: &Workload, around: &Surroundings<'_>, defaults: &Companions, now: SystemTime) -> Plan {
    let mut plan = Plan { steps: let_go(workload.kind, &workload.name, around), ..Plan::default() };
    // Its companions go with it: that is the garbage collector's work.
    if workload.is_deleted || !workload.has_pods_we_know() {
        return plan;
    }
    let owned = workload.kind.info().makes == Makes::PodsForOwner && workload.controller.is_some();
    service::plan(workload, around, defaults, owned, now, &mut plan);
    budget::plan(workload, around, defaults, owned, now, &mut plan);
    plan
}

/// What is to be done after a release: the budget goes. The Service stays until the workload does, because clients
/// that run depend on it.
#[must_use]
pub fn released(owner: &Owner, budgets: &[&Existing<BudgetSpec>]) -> Plan {
    let theirs = budgets.iter().filter(|budget| {
        budget.is_ours && !budget.is_deleted && budget.controller.as_ref().is_some_and(|held| held.uid == owner.uid)
    });
    let steps = theirs.map(|budget| budget.removal(Companion::Budget, Why::Released)).collect();
    Plan { steps, ..Plan::default() }
}
