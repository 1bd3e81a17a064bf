//! The names of companion Services in the plan: whose they are, what stays under one that is no longer allowed, and how long
//! one is left free that somebody has deleted.

use std::time::Duration;

use singleton_guard::policy::companions::wish::Allowed;
use singleton_guard::policy::companions::{Companion, Defaults, Existing, Plan, Surroundings, Why, Workload, plan};
use singleton_guard::policy::kind::Kind;

use crate::Property;

use super::{body, made, now, same, workload};

/// Each is a trial of its own.
pub const FACTS: [(&str, Property); 4] = [
    ("companions: a name must be the workload's own", a_name_must_be_the_workloads_own),
    ("companions: what was made stays until the workload goes", what_was_made_stays_until_the_workload_goes),
    ("companions: what is denied counts as the default", what_is_denied_counts_as_the_default),
    ("companions: a name that was freed is left free", a_name_that_was_freed_is_left_free),
];

/// Its name, or with more behind a dash, or the label that is derived from it.
fn a_name_must_be_the_workloads_own() -> Result<(), String> {
    for (name, service, allowed) in [
        ("web", "web", true),
        ("web", "web-headless", true),
        ("web", "webhook", false),
        ("web", "db", false),
        ("web", "my-web", false),
        ("ledger.books", "ledger-books-d5aeab08", true),
        ("ledger.books", "ledger-books", false),
    ] {
        let written = |annotation: bool| {
            let mut workload = workload(Kind::StatefulSet, name);
            let place =
                if annotation { &mut workload.annotations.headless_service } else { &mut workload.service_name };
            *place = Some(service.to_owned());
            workload
        };
        let (governed, asking) = (written(false), written(true));
        let plan = alone(&governed, &Defaults::default());
        same(&named(&plan), &allowed.then(|| service.to_owned()), &format!("the Service for serviceName {service}"))?;
        let why = (Companion::Service, Why::ForeignName { name: service.to_owned() });
        same(&plan.skipped.contains(&why), &!allowed, &format!("whether it is said of serviceName {service}"))?;
        let plan = alone(&asking, &Defaults::default());
        let auto = named(&alone(&workload(Kind::StatefulSet, name), &Defaults::default()));
        let made = if allowed { Some(service.to_owned()) } else { auto };
        same(&named(&plan), &made, &format!("the Service for the annotation {service}"))?;
        same(&plan.skipped.contains(&why), &!allowed, &format!("whether it is said of the annotation {service}"))?;
        let all = Defaults { allowed: Allowed { foreign_names: true, ..Allowed::default() }, ..Defaults::default() };
        same(&named(&alone(&governed, &all)), &Some(service.to_owned()), "where foreign names are allowed")?;
    }
    Ok(())
}

fn what_was_made_stays_until_the_workload_goes() -> Result<(), String> {
    let all = Defaults { allowed: Allowed { foreign_names: true, ..Allowed::default() }, ..Defaults::default() };
    for annotation in [true, false] {
        let mut asking = workload(Kind::StatefulSet, "web");
        let place = if annotation { &mut asking.annotations.headless_service } else { &mut asking.service_name };
        *place = Some("db".to_owned());
        let (Some(service), budget) = made(&asking, &all, now()) else { return Err("none is made".to_owned()) };
        let kept = |service: &Existing<_>| {
            let around = Surroundings {
                workloads: vec![&asking],
                services: vec![service],
                budgets: budget.iter().collect(),
                ..Surroundings::default()
            };
            plan(&asking, &around, &Defaults::default(), now())
        };
        same(&kept(&service), &Plan::default(), "what is done about a Service that was allowed once")?;
        // It is the garbage collector's: the workload of that name is another one.
        let mut of_the_first = service.clone();
        if let Some(owner) = &mut of_the_first.controller {
            "another".clone_into(&mut owner.uid);
        }
        let plan = kept(&of_the_first);
        let adopted = body(&plan, Companion::Service)["metadata"]["name"] == "db";
        let why = (Companion::Service, Why::ForeignName { name: "db".to_owned() });
        same(&(adopted, plan.skipped.contains(&why)), &(false, true), "whether the next workload takes it over")?;
    }
    Ok(())
}

/// `block` as `allow`, with a word about it.
fn what_is_denied_counts_as_the_default() -> Result<(), String> {
    let mut workload = workload(Kind::Deployment, "web");
    workload.annotations.disruption = Some("block".to_owned());
    let denied = Defaults { allowed: Allowed { block: false, ..Allowed::default() }, ..Defaults::default() };
    let plan = alone(&workload, &denied);
    let bound = body(&plan, Companion::Budget)["spec"]["minAvailable"].clone();
    let said = plan.skipped == vec![(Companion::Budget, Why::BlockDenied)];
    same(&(bound.as_i64(), said), &(Some(0), true), "the budget where block is denied, and whether that is said")
}

/// For a minute, but for a name that nobody else gives.
fn a_name_that_was_freed_is_left_free() -> Result<(), String> {
    for (name, service, waits) in [("web", "web", true), ("ledger.books", "ledger-books-d5aeab08", false)] {
        let workload = workload(Kind::Deployment, name);
        let after = |age: u64, deleted: &'static str| {
            let deleted = vec![(deleted, now() - Duration::from_secs(age))];
            let around = Surroundings { workloads: vec![&workload], deleted, ..Surroundings::default() };
            let plan = plan(&workload, &around, &Defaults::default(), now());
            (named(&plan), plan.again)
        };
        let made = (Some(service.to_owned()), None);
        let expected = if waits { (None, Some(now() + Duration::from_secs(1))) } else { made.clone() };
        same(&after(59, service), &expected, &format!("{service} after 59 s"))?;
        same(&after(60, service), &made, &format!("{service} after a minute"))?;
        same(&after(0, "front"), &made, "where a Service of another name was deleted")?;
    }
    Ok(())
}

fn alone(workload: &Workload, defaults: &Defaults) -> Plan {
    let around = Surroundings { workloads: vec![workload], ..Surroundings::default() };
    plan(workload, &around, defaults, now())
}

fn named(plan: &Plan) -> Option<String> {
    body(plan, Companion::Service)["metadata"]["name"].as_str().map(str::to_owned)
}
