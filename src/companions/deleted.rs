//! Which Services were deleted under the name that a singleton of ours goes by, so that whoever has deleted one may make
//! another: see [`crate::companions::plan::RECREATION_GRACE`]. Known to this process alone: one that starts meanwhile makes ours
//! as soon as it makes one for a new singleton.

use std::collections::HashMap;
use std::time::SystemTime;

use super::index::Look;
use crate::cluster::store::Change;
use crate::companions::plan::{Existing, RECREATION_GRACE, ServiceSpec, misses};
use crate::settings::Companions;

/// When, by the uid of the singleton and the name.
#[derive(Debug, Default)]
pub(super) struct Deleted(HashMap<String, HashMap<String, SystemTime>>);

impl Deleted {
    /// Takes note of a Service that is gone. What the garbage collector takes with a singleton of before is nobody's wish.
    pub(super) fn observe(
        &mut self,
        change: &Change<(), Existing<ServiceSpec>>,
        look: &Look<'_>,
        defaults: &Companions,
        now: SystemTime,
    ) {
        let (Some(before), None) = (&change.before, &change.after) else { return };
        self.0.retain(|_, names| {
            names.retain(|_, at| now.duration_since(*at).is_ok_and(|age| age < RECREATION_GRACE));
            !names.is_empty()
        });
        for workload in look.around(&change.key.namespace).workloads {
            let is_of_another = before.controller.as_ref().is_some_and(|owner| owner.uid != workload.uid);
            if !is_of_another && misses(workload, defaults, &before.name) {
                self.0.entry(workload.uid.clone()).or_default().insert(before.name.clone(), now);
            }
        }
    }

    /// Those that this singleton misses.
    pub(super) fn of(&self, uid: &str) -> Vec<(&str, SystemTime)> {
        self.0.get(uid).into_iter().flatten().map(|(name, at)| (name.as_str(), *at)).collect()
    }
}
