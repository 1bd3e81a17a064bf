//! Which name the Service of a workload has, and whether the workload may take it.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use super::existing::{Existing, ServiceSpec, Surroundings};
use super::selector::service_selects;
use super::workload::Workload;
use crate::api::annotation::HeadlessService;
use crate::api::names;
use crate::settings::Companions;

/// The name of the Service that the workload should have, if one.
pub(super) fn wanted<'a>(wish: Option<HeadlessService<'a>>, defaults: &Companions, usual: &'a str) -> Option<&'a str> {
    match wish {
        Some(HeadlessService::None) => None,
        None if !defaults.headless_service => None,
        Some(HeadlessService::Named(name)) => Some(name),
        Some(HeadlessService::Auto) | None => Some(usual),
    }
}

/// The one that it has where no annotation names one: see [`names`].
pub(super) fn usual<'a>(workload: &'a Workload, around: &Surroundings<'_>) -> Cow<'a, str> {
    if let Some(name) = &workload.service_name {
        return Cow::Borrowed(name);
    }
    let has = |name: &str| {
        let mut called = around.services.iter().filter(|service| service.name == name && !service.is_deleted);
        called.any(|service| service.is_kept_for(workload))
    };
    let (former, plain) = (names::former(&workload.name), names::service(&workload.name));
    let of_kind = names::service_of_kind(&workload.name, workload.kind);
    if has(&former) {
        return former;
    }
    let is_taken = !has(&plain)
        && (has(&of_kind) || comes_after_another(workload, around) || is_anothers(workload, around, &plain));
    Cow::Owned(if is_taken { of_kind } else { plain })
}

/// Whether a marked workload of the same name is of a kind before this one's.
fn comes_after_another(workload: &Workload, around: &Surroundings<'_>) -> bool {
    let mut same = around.workloads.iter().filter(|other| other.name == workload.name);
    same.any(|other| other.kind < workload.kind && other.controller.is_none() && !other.is_deleted)
}

/// Whether the Service of another marked workload has this name. That of one that is gone goes too.
fn is_anothers(workload: &Workload, around: &Surroundings<'_>, name: &str) -> bool {
    let others = || around.workloads.iter().filter(|other| other.uid != workload.uid);
    let mut called = around.services.iter().filter(|service| service.name == name && service.is_ours);
    called.any(|service| others().any(|other| service.is_held_by(other)))
}

/// Whether an earlier version has made it for this workload.
pub(super) fn is_former(service: &Existing<ServiceSpec>, workload: &Workload) -> bool {
    names::former(&workload.name) == service.name && service.is_kept_for(workload)
}

impl Existing<ServiceSpec> {
    /// Whether it is this workload's, or was when it was left without an owner.
    fn is_kept_for(&self, workload: &Workload) -> bool {
        let was = || self.controller.is_none() && service_selects(self.spec.selector.as_ref(), &workload.pod);
        self.is_ours && (self.is_held_by(workload) || was())
    }
}

/// Whether the workload goes by a Service of this name, which people may give too, so that one must be there as soon as
/// none is.
#[must_use]
pub fn misses(workload: &Workload, defaults: &Companions, service: &str) -> bool {
    let named = workload.service_name.as_deref().unwrap_or_default();
    !workload.is_deleted && wanted(workload.annotations.wished_service(), defaults, named) == Some(service)
}

/// Whether a name is not the workload's to take. What was made under it while it was stays until its workload goes.
pub(super) fn is_withheld(workload: &Workload, around: &Surroundings<'_>, defaults: &Companions, name: &str) -> bool {
    let existing = around.services.iter().find(|service| service.name == name);
    let is_free = existing.is_none_or(|it| it.belongs_to(workload, name) && !it.is_held_by(workload));
    is_free && !defaults.allowed.names(&workload.name, name)
}

/// Until when a name is left free for who may want to give it.
pub(super) fn free_until(workload: &Workload, around: &Surroundings<'_>, name: &str) -> SystemTime {
    let deleted = around
        .deleted
        .iter()
        .filter(|(deleted, _)| *deleted == name && !names::is_given(&workload.name, workload.kind, name));
    deleted.map(|(_, at)| *at + RECREATION_GRACE).chain([workload.ripe()]).max().unwrap_or_else(|| workload.ripe())
}

/// Longer than people and tools take to make what they have deleted anew.
pub const RECREATION_GRACE: Duration = Duration::from_secs(60);
