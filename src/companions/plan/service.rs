//! The headless Service: `NAME-singleton.NAMESPACE.svc.cluster.local` is then the Pod itself.
//!
//! A StatefulSet gets the one that its `serviceName` names. Every other workload gets one of a name that nobody else
//! gives ([`names`]), unless a Service selects its Pods already; one that is there stays, because clients may depend on it.
//!
//! So does what an earlier version has made under the workload's own name: it is kept right until the workload goes or
//! the annotation asks for another. No second one is made beside it, except where `serviceName` names another: of a
//! StatefulSet that was deleted without its Pods and made anew, the Pods still bear the old name.
//!
//! We make it with our rights, not with those of whoever writes the workload. So the name that he asks for must be the
//! workload's own; and one that he could give as well is left free for a while when somebody has deleted its Service,
//! who may be about to make another.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::ours::metadata;
use super::selector::{Labels, service_selects};
use super::terms::{Existing, Plan, Port, ServiceSpec, Step, Surroundings, Workload};
use super::words::{Companion, Taker, Why};
use crate::api::annotation::HeadlessService;
use crate::api::key::KEY;
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
    let is_withheld = |name: &str| !owned && is_withheld(workload, around, defaults, name);
    let asked = workload.annotations.wished_service();
    let denied = match asked {
        Some(HeadlessService::Named(name)) if is_withheld(name) => Some(name),
        _ => None,
    };
    let wish = if denied.is_some() { Some(HeadlessService::Auto) } else { asked };
    let usual = usual(workload, around);
    let wanted = wanted(wish, defaults, &usual);
    for name in denied.into_iter().chain(wanted.filter(|name| is_withheld(name))) {
        // Theirs may be about to come.
        let free = free_until(workload, around, name);
        if now < free {
            plan.look_again(free);
        } else {
            plan.skipped.push((Companion::Service, Why::ForeignName { name: name.to_owned() }));
        }
    }
    let selector = workload.selector.equalities().filter(|selector| !selector.is_empty()).map(|mut selector| {
        selector.extend(workload.held_key(around).map(|key| (KEY.to_owned(), key.to_owned())));
        selector
    });
    let own = |service: &Existing<ServiceSpec>| {
        service.belongs_to(workload, wanted.unwrap_or(&usual)) || is_former(service, workload)
    };
    let gone = match wanted {
        _ if owned => Some(Why::Controlled),
        None => Some(Why::NotWanted),
        Some(name) => Some(Why::Renamed { name: name.to_owned() }),
    };
    let is_named = matches!(wish, Some(HeadlessService::Named(_)));
    for service in around.services.iter().filter(|service| own(service) && !service.is_deleted) {
        if !owned && wanted == Some(service.name.as_str()) {
            continue;
        }
        if owned || is_named || wanted.is_none() || !is_former(service, workload) {
            plan.steps.extend(gone.clone().map(|why| service.removal(Companion::Service, why)));
        } else if let Some(selector) = selector.as_ref().filter(|selector| !is_right(service, workload, selector)) {
            plan.step(service.waits(now), || apply(workload, &service.name, selector, defaults, Some(service)));
        }
    }
    let Some(name) = wanted.filter(|name| !owned && !is_withheld(name)) else { return };
    let existing = around.services.iter().find(|service| service.name == name);
    if let Some(existing) = existing.filter(|existing| !existing.belongs_to(workload, name)) {
        let selects = service_selects(existing.spec.selector.as_ref(), &workload.pod);
        let by = match whose(existing) {
            Some(other) => Some(Taker::Singleton(other)),
            None if !selects => Some(Taker::Stranger),
            // A headless Service of theirs is what the Pod needs: nothing is missing.
            None => (!existing.spec.is_headless).then_some(Taker::Front),
        };
        plan.skipped.extend(by.map(|by| (Companion::Service, Why::NameTaken { name: name.to_owned(), by })));
        return;
    }
    let Some(selector) = selector else {
        plan.skipped.push((Companion::Service, Why::NotEqualities));
        return;
    };
    match existing {
        // It may be on its way out; what comes after is told by its end.
        Some(existing) if existing.is_deleted || is_right(existing, workload, &selector) => {}
        Some(existing) => {
            plan.step(existing.waits(now), || apply(workload, name, &selector, defaults, Some(existing)));
        }
        None => {
            // One of ours under another name goes.
            let mut others = around.services.iter().filter(|service| !own(service));
            let other = others.find(|service| service_selects(service.spec.selector.as_ref(), &workload.pod));
            let chosen = workload.service_name.is_some() || is_named;
            if let Some(other) = other.filter(|_| !chosen) {
                plan.skipped
                    .push((Companion::Service, Why::ServiceSelects { name: other.name.clone(), whose: whose(other) }));
            } else {
                let waits = Some(free_until(workload, around, name)).filter(|free| now < *free);
                plan.step(waits, || apply(workload, name, &selector, defaults, None));
            }
        }
    }
}

/// The name of the Service that the workload should have, if one.
fn wanted<'a>(wish: Option<HeadlessService<'a>>, defaults: &Companions, usual: &'a str) -> Option<&'a str> {
    match wish {
        Some(HeadlessService::None) => None,
        None if !defaults.headless_service => None,
        Some(HeadlessService::Named(name)) => Some(name),
        Some(HeadlessService::Auto) | None => Some(usual),
    }
}

/// The one that it has where no annotation names one: see [`names`].
fn usual<'a>(workload: &'a Workload, around: &Surroundings<'_>) -> Cow<'a, str> {
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

/// For which other singleton a Service of ours was made.
fn whose(service: &Existing<ServiceSpec>) -> Option<String> {
    let owner = service.controller.as_ref().filter(|_| service.is_ours)?;
    Some(format!("{} {}", owner.kind, owner.name))
}

/// Whether an earlier version has made it for this workload.
fn is_former(service: &Existing<ServiceSpec>, workload: &Workload) -> bool {
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
fn is_withheld(workload: &Workload, around: &Surroundings<'_>, defaults: &Companions, name: &str) -> bool {
    let existing = around.services.iter().find(|service| service.name == name);
    let is_free = existing.is_none_or(|it| it.belongs_to(workload, name) && !it.is_held_by(workload));
    is_free && !defaults.allowed.names(&workload.name, name)
}

/// Until when a name is left free for who may want to give it.
fn free_until(workload: &Workload, around: &Surroundings<'_>, name: &str) -> SystemTime {
    let deleted =
        around.deleted.iter().filter(|(deleted, _)| *deleted == name && !names::is_given(&workload.name, name));
    deleted.map(|(_, at)| *at + PATIENCE).chain([workload.ripe()]).max().unwrap_or_else(|| workload.ripe())
}

fn is_right(existing: &Existing<ServiceSpec>, workload: &Workload, selector: &Labels) -> bool {
    let mut stored = existing.spec.ports.clone();
    let mut wanted = ports(workload);
    stored.sort_unstable();
    wanted.sort_unstable();
    existing.is_held_by(workload)
        && existing.spec.selector.as_ref() == Some(selector)
        && existing.spec.publishes_not_ready == workload.annotations.publishes_not_ready()
        && stored == wanted
}

fn apply(
    workload: &Workload,
    name: &str,
    selector: &Labels,
    defaults: &Companions,
    existing: Option<&Existing<ServiceSpec>>,
) -> Step {
    let mut spec = json!({"clusterIP": "None", "selector": selector});
    let ports: Vec<_> = ports(workload).iter().map(as_json).collect();
    // A headless Service without ports is complete (its name resolves); an empty list would only be noise.
    if let (false, Value::Object(spec)) = (ports.is_empty(), &mut spec) {
        spec.insert("ports".to_owned(), json!(ports));
    }
    if let (true, Value::Object(spec)) = (workload.annotations.publishes_not_ready(), &mut spec) {
        spec.insert("publishNotReadyAddresses".to_owned(), json!(true));
    }
    let metadata = metadata(workload, name, defaults, existing);
    let body = json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec});
    Step::Apply { companion: Companion::Service, name: name.to_owned(), body, exists: existing.is_some() }
}

fn as_json(port: &Port) -> Value {
    json!({"name": port.name, "port": port.number, "protocol": port.protocol})
}

/// The declared ports, each number once, each with a name of its own: a Service with several must name them all.
fn ports(workload: &Workload) -> Vec<Port> {
    let mut names = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    let mut ports = Vec::new();
    for Port { name, protocol, number } in &workload.ports {
        if !numbers.insert((protocol, *number)) {
            continue;
        }
        let made = format!("{}-{number}", protocol.to_ascii_lowercase());
        // Somebody may have given another one the name that would be made.
        let more = (2..).map(|count| format!("{made}-{count}"));
        let mut candidates = [name.clone(), made.clone()].into_iter().chain(more);
        let Some(name) = candidates.find(|name| !name.is_empty() && !names.contains(name)) else { continue };
        names.insert(name.clone());
        ports.push(Port { name, protocol: protocol.clone(), number: *number });
    }
    ports
}

/// Longer than people and tools take to make what they have deleted anew.
pub const PATIENCE: Duration = Duration::from_secs(60);
