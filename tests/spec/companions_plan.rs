//! The plan for companions, pure: what the live tests cannot reach, or not in every combination.

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use singleton_guard::policy::companions::selector::{Labels, PodLabels, Selector};
use singleton_guard::policy::companions::wish::Annotations;
use singleton_guard::policy::companions::{
    BudgetSpec, Companion, Defaults, Existing, Owner, Plan, Port, ServiceSpec, Step, Surroundings, Why, Workload, plan,
};
use singleton_guard::policy::kind::Kind;

/// All of it.
pub fn run(_: &Path) -> Result<(), String> {
    what_is_made_is_what_is_kept()?;
    consent_opens_and_closes()?;
    names_of_ports_are_distinct()?;
    expressions_are_no_service()?;
    two_singletons_that_share_pods_have_one_budget()?;
    what_is_orphaned_is_adopted_by_name_only()?;
    nothing_happens_to_what_is_being_deleted()
}

/// Putting what a plan applies into the surroundings, as the watch would, leaves nothing to do: no write for ever.
fn what_is_made_is_what_is_kept() -> Result<(), String> {
    for kind in [Kind::StatefulSet, Kind::ReplicaSet, Kind::Deployment, Kind::ReplicationController] {
        for disruption in ["allow", "block", "none"] {
            let mut workload = workload(kind, "ledger");
            workload.annotations.disruption = Some(disruption.to_owned());
            workload.ports = vec![port("http", 80), port("", 9090)];
            let (service, budget) = made(&workload, now());
            let around = Surroundings {
                workloads: vec![&workload],
                services: service.iter().collect(),
                budgets: budget.iter().collect(),
            };
            let again = plan(&workload, &around, &Defaults::default(), now());
            same(&again.steps, &Vec::new(), "steps of a second plan")?;
            same(&budget.is_some(), &(disruption != "none"), "whether there is a budget")?;
        }
    }
    Ok(())
}

fn consent_opens_and_closes() -> Result<(), String> {
    let mut workload = workload(Kind::StatefulSet, "ledger");
    workload.annotations.disruption = Some("block".to_owned());
    // 2026-01-01T00:00:00Z.
    let midnight = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    workload.annotations.disruption_allowed_until = Some("2026-01-01T01:00:00+01:00".to_owned());
    let at = |ahead: u64| {
        let plan = planned(&workload, midnight - Duration::from_secs(ahead));
        let bounds =
            ["maxUnavailable", "minAvailable"].map(|bound| body(&plan, Companion::Budget)["spec"].get(bound).is_some());
        (bounds, plan.window, plan.again)
    };
    let (open, closed) = ([true, false], [false, true]);
    same(&at(1), &(open, Some(midnight), Some(midnight)), "a second before the end")?;
    same(&at(0), &(closed, None, None), "at the end")?;
    same(&at(24 * 3600), &(open, Some(midnight), Some(midnight)), "as far ahead as the settings allow")?;
    same(&at(25 * 3600), &(closed, None, None), "further ahead")
}

fn names_of_ports_are_distinct() -> Result<(), String> {
    let mut workload = workload(Kind::Deployment, "web");
    let udp = Port { name: String::new(), protocol: "UDP".to_owned(), number: 80 };
    workload.ports = vec![port("http", 80), port("http", 81), port("", 80), udp, port("", 82)];
    let ports = body(&planned(&workload, now()), Companion::Service)["spec"]["ports"].clone();
    let names: Vec<_> = ports.as_array().into_iter().flatten().map(|port| port["name"].clone()).collect();
    same(&names, &[json!("http"), json!("tcp-81"), json!("udp-80"), json!("tcp-82")].to_vec(), "names of ports")
}

fn expressions_are_no_service() -> Result<(), String> {
    let mut workload = workload(Kind::Deployment, "web");
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
    same(&kept, &serde_json::to_value(&workload.selector).unwrap_or_default(), "the budget's selector")
}

fn two_singletons_that_share_pods_have_one_budget() -> Result<(), String> {
    let (one, mut other) = (workload(Kind::Deployment, "a"), workload(Kind::Deployment, "b"));
    other.selector = one.selector.clone();
    other.pod = one.pod.clone();
    let budgets = [made(&one, now()).1, made(&other, now()).1];
    let [Some(first), Some(second)] = &budgets else { return Err("both have a budget alone".to_owned()) };
    let around = || Surroundings { workloads: vec![&one, &other], services: Vec::new(), budgets: vec![first, second] };
    let keeps = |workload: &Workload| {
        let plan = plan(workload, &around(), &Defaults::default(), now());
        !plan.steps.iter().any(|step| matches!(step, Step::Remove { companion: Companion::Budget, .. }))
    };
    same(&(keeps(&one), keeps(&other)), &(true, false), "who keeps the budget")
}

fn what_is_orphaned_is_adopted_by_name_only() -> Result<(), String> {
    let workload = workload(Kind::StatefulSet, "ledger");
    let (_, budget) = made(&workload, now());
    let mut orphan = budget.ok_or("there is a budget")?;
    orphan.controller = None;
    let around = |budget| Surroundings { workloads: vec![&workload], services: Vec::new(), budgets: vec![budget] };
    let adopted = plan(&workload, &around(&orphan), &Defaults::default(), now());
    let uid = body(&adopted, Companion::Budget)["metadata"]["ownerReferences"][0]["uid"].clone();
    same(&uid, &json!(workload.uid), "the adopted budget's owner")?;
    let mut theirs = orphan.clone();
    theirs.is_ours = false;
    theirs.spec.selector = Some(Selector::of(Labels::from([("app".to_owned(), "other".to_owned())])));
    let left = plan(&workload, &around(&theirs), &Defaults::default(), now());
    let touched = left.steps.iter().any(|step| matches!(step, Step::Apply { companion: Companion::Budget, .. }));
    same(&touched, &false, "whether a budget of theirs is touched")
}

fn nothing_happens_to_what_is_being_deleted() -> Result<(), String> {
    let mut workload = workload(Kind::StatefulSet, "ledger");
    workload.is_deleted = true;
    same(&planned(&workload, now()), &Plan::default(), "the plan")
}

/// The companions that a plan makes, as the watch would show them.
fn made(workload: &Workload, now: SystemTime) -> (Option<Existing<ServiceSpec>>, Option<Existing<BudgetSpec>>) {
    let plan = planned(workload, now);
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
            ServiceSpec { is_headless: true, selector: labels(&body["spec"]["selector"]), ports: ports.collect() },
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
            },
        )
    });
    (service, budget)
}

fn existing<S>(body: &Value, workload: &Workload, spec: S) -> Existing<S> {
    let owner =
        Owner { kind: workload.kind.info().name.to_owned(), name: workload.name.clone(), uid: workload.uid.clone() };
    Existing {
        name: body["metadata"]["name"].as_str().unwrap_or_default().to_owned(),
        uid: "companion".to_owned(),
        resource_version: "7".to_owned(),
        is_deleted: false,
        is_ours: true,
        controller: Some(owner),
        spec,
    }
}

fn planned(workload: &Workload, now: SystemTime) -> Plan {
    let around = Surroundings { workloads: vec![workload], ..Surroundings::default() };
    plan(workload, &around, &Defaults::default(), now)
}

fn body(plan: &Plan, wanted: Companion) -> Value {
    let body = plan.steps.iter().find_map(|step| match step {
        Step::Apply { companion, body, .. } if *companion == wanted => Some(body.clone()),
        _ => None,
    });
    body.unwrap_or_default()
}

fn workload(kind: Kind, name: &str) -> Workload {
    let labels = Labels::from([("app".to_owned(), name.to_owned())]);
    Workload {
        kind,
        namespace: "pay".to_owned(),
        name: name.to_owned(),
        uid: format!("uid-of-{name}"),
        is_deleted: false,
        controller: None,
        annotations: Annotations::default(),
        selector: Selector::of(labels.clone()),
        pod: PodLabels { known: labels, unknown: None },
        ports: Vec::new(),
        service_name: None,
        seen: SystemTime::UNIX_EPOCH,
    }
}

fn port(name: &str, number: u16) -> Port {
    Port { name: name.to_owned(), protocol: "TCP".to_owned(), number }
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000)
}

fn same<T: PartialEq + std::fmt::Debug>(got: &T, expected: &T, what: &str) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("{what}: expected {expected:#?}, got {got:#?}")) }
}
