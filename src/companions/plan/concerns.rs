//! Whether a Service or a budget could matter to the plan of a workload. Saying yes too often costs a plan without a
//! step; saying no wrongly would cost a step.

use super::existing::{BudgetSpec, Existing, ServiceSpec};
use super::selector::service_selects;
use super::workload::Workload;
use crate::api::annotation::HeadlessService;
use crate::api::names;

/// What selects Pods, and is looked for by name.
pub trait Selects {
    /// Whether it selects the workload's Pods.
    fn selects(&self, workload: &Workload) -> bool;
    /// Whether ours could be called so.
    fn could_be_called(name: &str, workload: &Workload) -> bool;
}

impl<S: Selects> Existing<S> {
    /// Whether the plan for this workload could change with it.
    #[must_use]
    pub fn concerns(&self, workload: &Workload) -> bool {
        S::could_be_called(&self.name, workload) || self.spec.selects(workload)
    }
}

impl Selects for ServiceSpec {
    fn selects(&self, workload: &Workload) -> bool {
        service_selects(self.selector.as_ref(), &workload.pod)
    }

    fn could_be_called(called: &str, workload: &Workload) -> bool {
        let wish = workload.annotations.wished_service();
        wish == Some(HeadlessService::Named(called))
            || workload.service_name.as_deref() == Some(called)
            || called == workload.name
            || names::is_given(&workload.name, workload.kind, called)
    }
}

impl Selects for BudgetSpec {
    fn selects(&self, workload: &Workload) -> bool {
        self.selector.as_ref().is_some_and(|selector| selector.selects(&workload.pod))
    }

    fn could_be_called(called: &str, workload: &Workload) -> bool {
        names::budget(&workload.name, workload.kind) == called
    }
}
