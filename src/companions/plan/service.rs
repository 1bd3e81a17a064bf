//! The headless Service: `NAME-singleton.NAMESPACE.svc.cluster.local` is then the Pod itself.
//!
//! A StatefulSet gets the one that its `serviceName` names. Every other workload gets one of a name that nobody else
//! gives ([`crate::api::names`]), unless a Service selects its Pods already; one that is there stays, because clients may depend on it.
//!
//! So does what an earlier version has made under the workload's own name: it is kept right until the workload goes or
//! the annotation asks for another. No second one is made beside it, except where `serviceName` names another: of a
//! StatefulSet that was deleted without its Pods and made anew, the Pods still bear the old name.
//!
//! We make it with our rights, not with those of whoever writes the workload. So the name that he asks for must be the
//! workload's own; and one that he could give as well is left free for a while when somebody has deleted its Service,
//! who may be about to make another.

use std::collections::BTreeSet;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::existing::{Existing, ServiceSpec, Surroundings};
use super::ours::metadata;
use super::selector::{Labels, service_selects};
use super::service_name::{free_until, is_former, is_withheld, usual, wanted};
use super::step::{Plan, Step};
use super::words::{Companion, Taker, Why};
use super::workload::{Port, Workload};
use crate::api::annotation::HeadlessService;
use crate::api::key::KEY;
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
    let is_named = matches!(wish, Some(HeadlessService::Named(_)));
    let selector = selector(workload, around);
    let target = Target { workload, around, defaults, now, wanted: wanted.filter(|_| !owned), is_named, selector };
    let gone = match wanted {
        _ if owned => Why::Controlled,
        None => Why::NotWanted,
        Some(name) => Why::Renamed { name: name.to_owned() },
    };
    let own = |service: &Existing<ServiceSpec>| {
        service.belongs_to(workload, wanted.unwrap_or(&usual)) || is_former(service, workload)
    };
    target.settle_others(&own, &gone, plan);
    if let Some(name) = target.wanted.filter(|name| !is_withheld(name)) {
        target.make(name, &own, plan);
    }
}

/// What the Service of a workload should be.
struct Target<'a> {
    workload: &'a Workload,
    around: &'a Surroundings<'a>,
    defaults: &'a Companions,
    now: SystemTime,
    /// The name that it should have; none where the workload should have no Service of ours.
    wanted: Option<&'a str>,
    /// Whether an annotation gives that name.
    is_named: bool,
    /// None where the workload's selector cannot be written as a Service's.
    selector: Option<Labels>,
}

impl Target<'_> {
    /// Removes what is the workload's under another name, or keeps it right where clients may depend on it.
    fn settle_others(&self, own: &impl Fn(&Existing<ServiceSpec>) -> bool, gone: &Why, plan: &mut Plan) {
        let Self { workload, around, wanted, is_named, .. } = *self;
        for service in around.services.iter().filter(|service| own(service) && !service.is_deleted) {
            if wanted == Some(service.name.as_str()) {
                continue;
            }
            if is_named || wanted.is_none() || !is_former(service, workload) {
                plan.steps.push(service.removal(Companion::Service, gone.clone()));
            } else if let Some(selector) = self.selector.as_ref().filter(|it| !is_right(service, workload, it)) {
                plan.step(service.waits(self.now), || self.apply(&service.name, selector, Some(service)));
            }
        }
    }

    /// Makes the one that is wanted, or puts it right, where nothing is in its way.
    fn make(&self, name: &str, own: &impl Fn(&Existing<ServiceSpec>) -> bool, plan: &mut Plan) {
        let Self { workload, around, now, is_named, .. } = *self;
        let existing = around.services.iter().find(|service| service.name == name);
        if let Some(existing) = existing.filter(|existing| !existing.belongs_to(workload, name)) {
            let by = taker(existing, workload);
            plan.skipped.extend(by.map(|by| (Companion::Service, Why::NameTaken { name: name.to_owned(), by })));
            return;
        }
        let Some(selector) = &self.selector else {
            plan.skipped.push((Companion::Service, Why::NotEqualities));
            return;
        };
        let Some(existing) = existing else {
            // One of ours under another name goes.
            let mut others = around.services.iter().filter(|service| !own(service));
            let other = others.find(|service| service_selects(service.spec.selector.as_ref(), &workload.pod));
            let chosen = workload.service_name.is_some() || is_named;
            if let Some(other) = other.filter(|_| !chosen) {
                let why = Why::ServiceSelects { name: other.name.clone(), whose: whose(other) };
                plan.skipped.push((Companion::Service, why));
            } else {
                let waits = Some(free_until(workload, around, name)).filter(|free| now < *free);
                plan.step(waits, || self.apply(name, selector, None));
            }
            return;
        };
        // It may be on its way out; what comes after is told by its end.
        if !existing.is_deleted && !is_right(existing, workload, selector) {
            plan.step(existing.waits(now), || self.apply(name, selector, Some(existing)));
        }
    }

    fn apply(&self, name: &str, selector: &Labels, existing: Option<&Existing<ServiceSpec>>) -> Step {
        let mut spec = json!({"clusterIP": "None", "selector": selector});
        let ports: Vec<_> = ports(self.workload).iter().map(as_json).collect();
        // A headless Service without ports is complete (its name resolves); an empty list would only be noise.
        if let (false, Value::Object(spec)) = (ports.is_empty(), &mut spec) {
            spec.insert("ports".to_owned(), json!(ports));
        }
        if let (true, Value::Object(spec)) = (self.workload.annotations.publishes_not_ready(), &mut spec) {
            spec.insert("publishNotReadyAddresses".to_owned(), json!(true));
        }
        let metadata = metadata(self.workload, name, self.defaults, existing);
        let body = json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec});
        Step::Apply { companion: Companion::Service, name: name.to_owned(), body, exists: existing.is_some() }
    }
}

/// The workload's selector as a Service has one, with its key beside it where that keeps others' Pods out.
fn selector(workload: &Workload, around: &Surroundings<'_>) -> Option<Labels> {
    let mut selector = workload.selector.equalities().filter(|selector| !selector.is_empty())?;
    selector.extend(around.held_key(workload).map(|key| (KEY.to_owned(), key.to_owned())));
    Some(selector)
}

/// What has the name that the Service should have. A headless Service of theirs is what the Pod needs: nothing is missing.
fn taker(existing: &Existing<ServiceSpec>, workload: &Workload) -> Option<Taker> {
    match whose(existing) {
        Some(other) => Some(Taker::Singleton(other)),
        None if !service_selects(existing.spec.selector.as_ref(), &workload.pod) => Some(Taker::Stranger),
        None => (!existing.spec.is_headless).then_some(Taker::Front),
    }
}

/// For which other singleton a Service of ours was made.
fn whose(service: &Existing<ServiceSpec>) -> Option<String> {
    let owner = service.controller.as_ref().filter(|_| service.is_ours)?;
    Some(format!("{} {}", owner.kind, owner.name))
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
