//! The headless Service: `NAME.NAMESPACE.svc.cluster.local` is then the Pod itself.
//!
//! A StatefulSet gets the one that its `serviceName` names. Every other workload gets one of its own name, unless a
//! Service selects its Pods already; one that is there stays, because clients may depend on it.
//!
//! We make it with our rights, not with those of whoever writes the workload. So the name that he asks for must be the
//! workload's own; and one that he could give as well is left free for a while when somebody has deleted its Service,
//! who may be about to make another.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::selector::{Labels, service_selects};
use super::wish::HeadlessService;
use super::{
    Companion, Defaults, Existing, Plan, Port, ServiceSpec, Step, Surroundings, Why, Workload, metadata, name,
};
use crate::policy::key::KEY;

pub(super) fn plan(
    workload: &Workload,
    around: &Surroundings<'_>,
    defaults: &Defaults,
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
    let wanted = wanted(workload, wish, defaults);
    for name in denied.into_iter().chain(wanted.as_deref().filter(|name| is_withheld(name))) {
        // Theirs may be about to come.
        let free = free_until(workload, around, name);
        if now < free {
            plan.again = [plan.again, Some(free)].into_iter().flatten().min();
        } else {
            plan.skipped.push((Companion::Service, Why::ForeignName { name: name.to_owned() }));
        }
    }
    let usual = workload.service_name.as_deref().map_or_else(|| name::service_label(&workload.name), Cow::Borrowed);
    let own = |service: &Existing<ServiceSpec>| service.belongs_to(workload, wanted.as_deref().unwrap_or(&usual));
    let mine = around.services.iter().filter(|service| own(service) && !service.is_deleted);
    let gone = match &wanted {
        _ if owned => Some(Why::Controlled),
        None => Some(Why::NotWanted),
        Some(name) => Some(Why::Renamed { name: name.clone().into_owned() }),
    };
    for service in mine.filter(|service| owned || wanted.as_deref() != Some(service.name.as_str())) {
        plan.steps.extend(gone.clone().map(|why| service.removal(Companion::Service, why)));
    }
    let Some(name) = wanted.as_deref().filter(|name| !owned && !is_withheld(name)) else { return };
    let existing = around.services.iter().find(|service| service.name == name);
    if let Some(existing) = existing.filter(|existing| !existing.belongs_to(workload, name)) {
        // A headless Service of theirs is what the Pod needs: nothing is missing.
        let governing = workload.service_name.is_some() && !existing.spec.is_headless;
        if governing || !existing.spec.is_headless || !service_selects(existing.spec.selector.as_ref(), &workload.pod) {
            plan.skipped.push((Companion::Service, Why::NameTaken { name: name.to_owned(), governing }));
        }
        return;
    }
    let Some(mut selector) = workload.selector.equalities().filter(|selector| !selector.is_empty()) else {
        plan.skipped.push((Companion::Service, Why::NotEqualities));
        return;
    };
    selector.extend(workload.held_key(around).map(|key| (KEY.to_owned(), key.to_owned())));
    let chosen = workload.service_name.is_some() || matches!(wish, Some(HeadlessService::Named(_)));
    match existing {
        // It may be on its way out; what comes after is told by its end.
        Some(existing) if existing.is_deleted || is_right(existing, workload, &selector) => {}
        Some(existing) => plan.steps.push(apply(workload, name, &selector, defaults, Some(existing))),
        None => {
            // One of ours under another name goes.
            let mut others = around.services.iter().filter(|service| !own(service));
            let other = others.find(|service| service_selects(service.spec.selector.as_ref(), &workload.pod));
            if let Some(other) = other.filter(|_| !chosen) {
                plan.skipped.push((Companion::Service, Why::ServiceSelects { name: other.name.clone() }));
            } else if let Some(free) = Some(free_until(workload, around, name)).filter(|free| now < *free) {
                plan.again = [plan.again, Some(free)].into_iter().flatten().min();
            } else {
                plan.steps.push(apply(workload, name, &selector, defaults, None));
            }
        }
    }
}

/// The name of the Service that the workload should have, if one.
fn wanted<'a>(workload: &'a Workload, wish: Option<HeadlessService<'a>>, defaults: &Defaults) -> Option<Cow<'a, str>> {
    match (wish, workload.service_name.as_deref()) {
        (Some(HeadlessService::None), _) => None,
        (None, _) if !defaults.headless_service => None,
        (Some(HeadlessService::Named(name)), _) | (_, Some(name)) => Some(Cow::Borrowed(name)),
        (_, None) => Some(name::service_label(&workload.name)),
    }
}

/// Whether the workload goes by a Service of this name, so that one must be there as soon as none is.
#[must_use]
pub fn misses(workload: &Workload, defaults: &Defaults, service: &str) -> bool {
    let wish = workload.annotations.wished_service();
    !workload.is_deleted && wanted(workload, wish, defaults).as_deref() == Some(service)
}

/// Whether a name is not the workload's to take. What was made under it while it was stays until its workload goes.
fn is_withheld(workload: &Workload, around: &Surroundings<'_>, defaults: &Defaults, name: &str) -> bool {
    let existing = around.services.iter().find(|service| service.name == name);
    let is_free = existing.is_none_or(|it| it.belongs_to(workload, name) && !it.is_held_by(workload));
    is_free && !defaults.allowed.names(&workload.name, name)
}

/// Until when a name is left free for who may want to give it.
fn free_until(workload: &Workload, around: &Surroundings<'_>, name: &str) -> SystemTime {
    let deleted =
        around.deleted.iter().filter(|(deleted, _)| *deleted == name && !name::is_derived(&workload.name, name));
    deleted.map(|(_, at)| *at + PATIENCE).chain([workload.ripe()]).max().unwrap_or_else(|| workload.ripe())
}

fn is_right(existing: &Existing<ServiceSpec>, workload: &Workload, selector: &Labels) -> bool {
    let mut stored = existing.spec.ports.clone();
    let mut wanted = ports(workload);
    stored.sort_unstable();
    wanted.sort_unstable();
    existing.is_held_by(workload) && existing.spec.selector.as_ref() == Some(selector) && stored == wanted
}

fn apply(
    workload: &Workload,
    name: &str,
    selector: &Labels,
    defaults: &Defaults,
    existing: Option<&Existing<ServiceSpec>>,
) -> Step {
    let mut spec = json!({"clusterIP": "None", "selector": selector});
    let ports: Vec<_> = ports(workload).iter().map(as_json).collect();
    // A headless Service without ports is complete (its name resolves); an empty list would only be noise.
    if let (false, Value::Object(spec)) = (ports.is_empty(), &mut spec) {
        spec.insert("ports".to_owned(), json!(ports));
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
