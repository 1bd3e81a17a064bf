//! The plan for companions, pure: what the live tests cannot reach, or not in every combination.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use singleton_guard::api::annotation::{Allowed, Annotations};
use singleton_guard::api::kind::Kind;
use singleton_guard::companions::plan::selector::{Labels, PodLabels, Selector};
use singleton_guard::companions::plan::{
    BudgetSpec, Companion, Existing, Owner, Plan, Port, ServiceSpec, Step, Surroundings, Why, Workload, plan, released,
};
use singleton_guard::settings::Companions;

mod budgets;
mod names;
mod theirs;

/// Putting what a plan applies into the surroundings, as the watch would, leaves nothing to do: no write for ever.
#[test]
fn what_is_made_is_what_is_kept() -> Result<(), String> {
    for kind in [Kind::STATEFUL_SET, Kind::REPLICA_SET, Kind::DEPLOYMENT, Kind::REPLICATION_CONTROLLER] {
        for disruption in ["allow", "block", "none"] {
            let mut workload = workload(kind, "ledger");
            workload.annotations.disruption = Some(disruption.to_owned());
            workload.ports = vec![port("http", 80), port("", 9090)];
            let (service, budget) = made(&workload, &Companions::default(), now());
            let around = Surroundings {
                workloads: vec![&workload],
                services: service.iter().collect(),
                budgets: budget.iter().collect(),
                ..Surroundings::default()
            };
            let again = plan(&workload, &around, &Companions::default(), now());
            same(&again.steps, &Vec::new(), "steps of a second plan")?;
            same(&budget.is_some(), &(disruption != "none"), "whether there is a budget")?;
            let other = Workload { seen: workload.seen - Duration::from_secs(3600), ..workload.clone() };
            same(&planned(&other, now()).steps, &planned(&workload, now()).steps, "what another replica applies")?;
        }
    }
    Ok(())
}

/// `serviceName` names it, the workload where there is none, the annotation above all.
#[test]
fn the_service_has_the_name_asked_for() -> Result<(), String> {
    let foreign = Allowed { foreign_names: true, ..Allowed::default() };
    let all = Companions { allowed: foreign, ..Companions::default() };
    let few = Companions { headless_service: false, ..all.clone() };
    for (governing, wish, defaults, named) in [
        (None, None, &all, Some("ledger-singleton")),
        (Some("books"), None, &all, Some("books")),
        (Some("books"), Some("auto"), &all, Some("books")),
        (None, Some("accounts"), &all, Some("accounts")),
        (Some("books"), Some("accounts"), &all, Some("accounts")),
        (None, Some("none"), &all, None),
        (Some("books"), Some("none"), &all, None),
        (None, Some("No Such Word"), &all, Some("ledger-singleton")),
        (None, None, &few, None),
        (Some("books"), None, &few, None),
        (None, Some("auto"), &few, Some("ledger-singleton")),
        (Some("books"), Some("auto"), &few, Some("books")),
        (None, Some("accounts"), &few, Some("accounts")),
    ] {
        let mut workload = workload(Kind::STATEFUL_SET, "ledger");
        workload.service_name = governing.map(str::to_owned);
        workload.annotations.headless_service = wish.map(str::to_owned);
        let around = Surroundings { workloads: vec![&workload], ..Surroundings::default() };
        let plan = plan(&workload, &around, defaults, now());
        let name = body(&plan, Companion::Service)["metadata"]["name"].as_str().map(str::to_owned);
        same(
            &name.as_deref(),
            &named,
            &format!("the Service for {governing:?}, {wish:?}, {}", defaults.headless_service),
        )?;
    }
    Ok(())
}

/// Unless the workload needs another one or has it: a StatefulSet's own, one asked for by name, one that is there.
#[test]
fn a_service_that_selects_the_pods_is_enough() -> Result<(), String> {
    let deployment = workload(Kind::DEPLOYMENT, "web");
    let mut governed = workload(Kind::STATEFUL_SET, "web");
    governed.service_name = Some("web".to_owned());
    let mut asking = deployment.clone();
    asking.annotations.headless_service = Some("web-own".to_owned());
    let front = |app: &str| {
        let selector = Some(Labels::from([("app".to_owned(), app.to_owned())]));
        let service = existing(&Value::Null, &deployment, ServiceSpec { selector, ..ServiceSpec::default() });
        Existing { name: "front".to_owned(), is_ours: false, controller: None, ..service }
    };
    for (workload, app, made) in
        [(&deployment, "web", false), (&deployment, "other", true), (&governed, "web", true), (&asking, "web", true)]
    {
        let front = front(app);
        let around = Surroundings { workloads: vec![workload], services: vec![&front], ..Surroundings::default() };
        let plan = plan(workload, &around, &Companions::default(), now());
        same(&!body(&plan, Companion::Service).is_null(), &made, &format!("whether {workload:#?} gets one"))?;
        let why = Why::ServiceSelects { name: "front".to_owned(), whose: None };
        same(&plan.skipped.contains(&(Companion::Service, why)), &!made, "whether that is said")?;
    }
    let (Some(ours), _) = made(&deployment, &Companions::default(), now()) else {
        return Err("none is made".to_owned());
    };
    let front = front("web");
    let around =
        Surroundings { workloads: vec![&deployment], services: vec![&ours, &front], ..Surroundings::default() };
    let plan = plan(&deployment, &around, &Companions::default(), now());
    let moved = plan.steps.iter().any(|step| step.companion() == Companion::Service);
    same(&moved, &false, "whether clients lose a Service to one that came later")
}

/// The workload asked for another name before.
#[test]
fn a_service_of_ours_under_another_name_is_exchanged() -> Result<(), String> {
    let workload = workload(Kind::DEPLOYMENT, "web");
    let mut asking = workload.clone();
    asking.annotations.headless_service = Some("web-own".to_owned());
    let (Some(before), _) = made(&asking, &Companions::default(), now()) else { return Err("none is made".to_owned()) };
    let around = Surroundings { workloads: vec![&workload], services: vec![&before], ..Surroundings::default() };
    let plan = plan(&workload, &around, &Companions::default(), now());
    let steps = plan.steps.iter().filter(|step| step.companion() == Companion::Service);
    let kinds: Vec<_> = steps.map(|step| matches!(step, Step::Apply { .. })).collect();
    same(&(kinds, plan.skipped.len()), &(vec![false, true], 0), "one goes, one comes, and nothing is skipped")
}

/// Also one whose controller is no singleton; what it had of its own goes.
#[test]
fn who_is_controlled_gets_nothing() -> Result<(), String> {
    let mut workload = workload(Kind::REPLICA_SET, "web-5d9c");
    let (Some(service), Some(budget)) = made(&workload, &Companions::default(), now()) else {
        return Err("it has both alone".to_owned());
    };
    workload.controller = Some(Owner {
        group: "apps".to_owned(),
        kind: "Deployment".to_owned(),
        name: "web".to_owned(),
        uid: "uid-of-web".to_owned(),
    });
    same(&planned(&workload, now()), &Plan::default(), "the plan for one that never had any")?;
    let around = Surroundings {
        workloads: vec![&workload],
        services: vec![&service],
        budgets: vec![&budget],
        ..Surroundings::default()
    };
    let steps = plan(&workload, &around, &Companions::default(), now()).steps;
    let gone = |step: &Step| matches!(step, Step::Remove { why: Why::Controlled, .. });
    same(&(steps.len(), steps.iter().all(gone)), &(2, true), "what goes")
}

/// The budget of who is released goes, and no other: not that of a namesake, nor of anybody who is not ours.
#[test]
fn a_release_is_of_one_workload() -> Result<(), String> {
    let workload = workload(Kind::STATEFUL_SET, "ledger");
    let Some(budget) = made(&workload, &Companions::default(), now()).1 else {
        return Err("there is a budget".to_owned());
    };
    let owner = |uid: &str| Owner {
        group: "apps".to_owned(),
        kind: "StatefulSet".to_owned(),
        name: "ledger".to_owned(),
        uid: uid.to_owned(),
    };
    let steps = |owner: &Owner, budget: &Existing<BudgetSpec>| released(owner, &[budget]).steps.len();
    let mine = owner(&workload.uid);
    let theirs = Existing { is_ours: false, ..budget.clone() };
    let ending = Existing { is_deleted: true, ..budget.clone() };
    let left = [steps(&owner("another"), &budget), steps(&mine, &theirs), steps(&mine, &ending)];
    same(&(steps(&mine, &budget), left), &(1, [0, 0, 0]), "what a release removes")
}

#[test]
fn names_of_ports_are_distinct() -> Result<(), String> {
    let mut workload = workload(Kind::DEPLOYMENT, "web");
    let udp = Port { name: String::new(), protocol: "UDP".to_owned(), number: 80 };
    workload.ports = vec![port("http", 80), port("http", 81), port("", 80), udp, port("", 82)];
    let names = |workload: &Workload| {
        let ports = body(&planned(workload, now()), Companion::Service)["spec"]["ports"].clone();
        ports.as_array().into_iter().flatten().map(|port| port["name"].clone()).collect::<Vec<_>>()
    };
    let expected = ["http", "tcp-81", "udp-80", "tcp-82"].map(|name| json!(name)).to_vec();
    same(&names(&workload), &expected, "names of ports")?;
    workload.ports = vec![port("tcp-81", 90), port("", 81)];
    same(&names(&workload), &vec![json!("tcp-81"), json!("tcp-81-2")], "where the made name is taken")
}

#[test]
fn expressions_are_no_service() -> Result<(), String> {
    let mut workload = workload(Kind::DEPLOYMENT, "web");
    let selector = |value: Value| serde_json::from_value::<Selector>(value).map_err(|error| error.to_string());
    workload.selector = selector(json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}))?;
    same(
        &body(&planned(&workload, now()), Companion::Service)["spec"]["selector"],
        &json!({"app": "web"}),
        "one value",
    )?;
    workload.selector =
        selector(json!({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "b"]}]}))?;
    let plan = planned(&workload, now());
    same(&plan.skipped, &vec![(Companion::Service, Why::NotEqualities)], "several values")?;
    let kept = body(&plan, Companion::Budget)["spec"]["selector"].clone();
    let of_deployment = json!({"key": "pod-template-hash", "operator": "Exists"});
    let several = json!({"key": "app", "operator": "In", "values": ["web", "b"]});
    same(&kept, &json!({"matchExpressions": [several, of_deployment]}), "the budget's selector")
}

#[test]
fn nothing_happens_to_what_is_being_deleted() -> Result<(), String> {
    let mut workload = workload(Kind::STATEFUL_SET, "ledger");
    workload.is_deleted = true;
    same(&planned(&workload, now()), &Plan::default(), "the plan")
}

/// The companions that a plan makes, as the watch would show them.
pub fn made(
    workload: &Workload,
    defaults: &Companions,
    now: SystemTime,
) -> (Option<Existing<ServiceSpec>>, Option<Existing<BudgetSpec>>) {
    let around = Surroundings { workloads: vec![workload], ..Surroundings::default() };
    let plan = plan(workload, &around, defaults, now);
    let labels = |value: &Value| serde_json::from_value::<Labels>(value.clone()).unwrap_or_default();
    let service = Some(body(&plan, Companion::Service)).filter(|body| !body.is_null()).map(|body| {
        let ports = body["spec"]["ports"].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let number = |value: &Value| value.as_u64().and_then(|number| u16::try_from(number).ok()).unwrap_or_default();
        let ports = ports.iter().map(|port| Port {
            name: text(&port["name"]),
            protocol: text(&port["protocol"]),
            number: number(&port["port"]),
        });
        existing(
            &body,
            workload,
            ServiceSpec {
                is_headless: true,
                publishes_not_ready: body["spec"]["publishNotReadyAddresses"] == true,
                selector: Some(labels(&body["spec"]["selector"])),
                ports: ports.collect(),
            },
        )
    });
    let budget = Some(body(&plan, Companion::Budget)).filter(|body| !body.is_null()).map(|body| {
        let spec = &body["spec"];
        existing(
            &body,
            workload,
            BudgetSpec {
                selector: serde_json::from_value(spec["selector"].clone()).ok(),
                min_available: spec.get("minAvailable").cloned(),
                max_unavailable: spec.get("maxUnavailable").cloned(),
                unhealthy_pod_eviction_policy: spec["unhealthyPodEvictionPolicy"].as_str().map(str::to_owned),
                lets_none_go: false,
            },
        )
    });
    (service, budget)
}

fn existing<S>(body: &Value, workload: &Workload, spec: S) -> Existing<S> {
    let owner = Owner {
        group: workload.kind.info().group.to_owned(),
        kind: workload.kind.info().name.to_owned(),
        name: workload.name.clone(),
        uid: workload.uid.clone(),
    };
    Existing {
        name: body["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        uid: "companion".to_owned(),
        resource_version: "7".to_owned(),
        is_deleted: false,
        is_ours: true,
        taken: None,
        adoptable: None,
        controller: Some(owner),
        spec,
    }
}

pub fn planned(workload: &Workload, now: SystemTime) -> Plan {
    let around = Surroundings { workloads: vec![workload], ..Surroundings::default() };
    plan(workload, &around, &Companions::default(), now)
}

pub fn body(plan: &Plan, wanted: Companion) -> Value {
    let body = plan.steps.iter().find_map(|step| match step {
        Step::Apply { companion, body, .. } if *companion == wanted => Some(body.clone()),
        _ => None,
    });
    body.unwrap_or_default()
}

pub fn workload(kind: Kind, name: &str) -> Workload {
    let labels = Labels::from([("app".to_owned(), name.to_owned())]);
    let mut known = labels.clone();
    if kind == Kind::STATEFUL_SET {
        known.insert("statefulset.kubernetes.io/pod-name".to_owned(), format!("{name}-0"));
    }
    Workload {
        kind,
        namespace: "pay".to_owned(),
        name: name.to_owned(),
        uid: format!("uid-of-{name}"),
        is_deleted: false,
        controller: None,
        annotations: Annotations::default(),
        selector: Selector::of(labels),
        key: None,
        pod: PodLabels { known, unknown: (kind == Kind::DEPLOYMENT).then_some("pod-template-hash") },
        ports: Vec::new(),
        service_name: None,
        seen: SystemTime::UNIX_EPOCH,
    }
}

fn port(name: &str, number: u16) -> Port {
    Port { name: name.to_owned(), protocol: "TCP".to_owned(), number }
}

pub fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
}

pub fn same<T: PartialEq + std::fmt::Debug>(got: &T, expected: &T, what: &str) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("{what}: expected {expected:#?}, got {got:#?}")) }
}
