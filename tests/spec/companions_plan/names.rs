//! The names of companion Services in the plan: whose they are, what stays under one that is no longer allowed, and how long
//! one is left free that somebody has deleted.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use singleton_guard::api::annotation::Allowed;
use singleton_guard::api::kind::{Kind, Kinds};
use singleton_guard::api::mark::MarkKey;
use singleton_guard::api::names::managed_by;
use singleton_guard::companions::plan::selector::Labels;
use singleton_guard::companions::plan::{
    Companion, Existing, Plan, ServiceSpec, Step, Surroundings, Taker, Why, Workload, plan,
};
use singleton_guard::settings::Companions;

use super::{body, made, now, same, workload};

/// Running clusters know the old ones. What follows from a name is a name again, and nobody else's.
#[test]
fn names_never_change() -> Result<(), String> {
    let long = "a".repeat(70);
    for (name, service) in [
        ("ledger", "ledger-singleton"),
        ("0-ledger", "s-0-ledger-singleton-e2bb55bf"),
        ("ledger.books", "ledger-books-singleton-d5aeab08"),
        ("ledger-books", "ledger-books-singleton"),
        (long.as_str(), "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-singleton-5904740b"),
    ] {
        let plan = alone(&workload(Kind::DEPLOYMENT, name), &Companions::default());
        same(&named(&plan).as_deref(), &Some(service), "the Service's name")?;
        let budget = body(&plan, Companion::Budget)["metadata"]["name"].clone();
        same(&budget, &json!(format!("{name}-deployment-singleton")), "the budget's name")?;
    }
    let mark = |key| MarkKey::parse(key).map(|mark| managed_by(&mark));
    same(
        &mark("singleton-guard.io/singleton")?.as_str(),
        &"singleton-guard",
        "who keeps what the usual mark asks for",
    )?;
    same(&mark("example.com/only-one")?.as_str(), &"singleton-guard-f1161a4c", "who keeps what another mark asks for")
}

/// Names that were chosen to meet, as of every kind, all in one namespace: each has a Service of its own.
#[test]
fn no_two_names_are_alike() -> Result<(), String> {
    let long = "a".repeat(63);
    let names = [
        "web",
        "web-singleton",
        "web-singleton-deployment",
        "web-deployment",
        "web.books",
        "web-books",
        "web-books-singleton-1f6c1a0d",
        "s-0",
        "0",
        "0.0",
        long.as_str(),
        &long[..53],
        &long[..44],
    ];
    let workloads: Vec<_> =
        names.iter().flat_map(|name| Kinds::BUILT_IN.iter().map(|kind| workload(kind, name))).collect();
    let around = Surroundings { workloads: workloads.iter().collect(), ..Surroundings::default() };
    let mut seen = BTreeSet::new();
    for workload in &workloads {
        let name = named(&plan(workload, &around, &Companions::default(), now())).ok_or("it has none")?;
        same(&is_label(&name), &true, &format!("whether {name} is a label"))?;
        same(&Allowed::default().names(&workload.name, &name), &true, &format!("whether {name} is its own"))?;
        same(&seen.insert(name.clone()), &true, &format!("whether {name} is of one workload alone"))?;
    }
    Ok(())
}

/// Whoever comes beside it: a Deployment's Service is not taken away for a StatefulSet of its name, which waits for it.
#[test]
fn what_is_there_keeps_its_name() -> Result<(), String> {
    let deployment = workload(Kind::DEPLOYMENT, "web");
    let mut set = Workload { uid: "uid-of-the-set".to_owned(), ..workload(Kind::STATEFUL_SET, "web") };
    set.service_name = Some("web-singleton".to_owned());
    let mut controller = Workload { uid: "uid-of-the-rc".to_owned(), ..workload(Kind::REPLICATION_CONTROLLER, "web") };
    controller.pod.known = Labels::from([("app".to_owned(), "other".to_owned())]);
    let (Some(service), _) = made(&deployment, &Companions::default(), now()) else { return Err("none".to_owned()) };
    let all = |services| Surroundings {
        workloads: vec![&deployment, &set, &controller],
        services,
        ..Surroundings::default()
    };
    let steps = |workload: &Workload, services: Vec<_>| {
        let plan = plan(workload, &all(services), &Companions::default(), now());
        plan.steps.into_iter().filter(|step| step.companion() == Companion::Service).collect::<Vec<_>>()
    };
    let name =
        |steps: &[Step]| steps.first().map(|step| matches!(step, Step::Apply { name, .. } if name == "web-singleton"));
    same(&steps(&deployment, vec![&service]), &Vec::new(), "what the Deployment does")?;
    same(&steps(&set, vec![&service]), &Vec::new(), "what the StatefulSet does")?;
    same(&name(&steps(&set, Vec::new())), &Some(true), "whether the StatefulSet has it once it is gone")?;
    same(&name(&steps(&deployment, Vec::new())), &Some(false), "whether the Deployment has it then")?;
    let other = plan(&controller, &all(vec![&service]), &Companions::default(), now());
    same(&named(&other).as_deref(), &Some("web-singleton-replicationcontroller"), "a third one's")
}

/// Under the workload's own name: it stays, is kept right, and there is no second one beside it; also where it was left
/// without an owner. Only a StatefulSet that names another has both.
#[test]
fn what_an_earlier_version_has_made_is_kept() -> Result<(), String> {
    for (name, former) in [("web", "web"), ("ledger.books", "ledger-books-d5aeab08")] {
        for kind in Kinds::BUILT_IN.iter() {
            let workload = workload(kind, name);
            let (Some(made), _) = made(&workload, &Companions::default(), now()) else { return Err("none".to_owned()) };
            let made = Existing { name: former.to_owned(), ..made };
            let service = |service: &Existing<_>, workload: &Workload| {
                let around =
                    Surroundings { workloads: vec![workload], services: vec![service], ..Surroundings::default() };
                let plan = plan(workload, &around, &Companions::default(), now());
                let steps = plan.steps.into_iter().filter(|step| step.companion() == Companion::Service);
                steps.map(|step| (matches!(step, Step::Apply { .. }), object(step))).collect::<Vec<_>>()
            };
            let applied = vec![(true, former.to_owned())];
            same(&service(&made, &workload), &Vec::new(), "what is done about one that is right")?;
            let mut broken = made.clone();
            broken.spec.ports = vec![super::port("odd", 1)];
            same(&service(&broken, &workload), &applied, "what is done about one that is not")?;
            let orphan = Existing { controller: None, ..made.clone() };
            same(&service(&orphan, &workload), &applied, "what is done about an orphan")?;
            let mut strange = orphan.clone();
            strange.spec.selector = Some(Labels::from([("app".to_owned(), "other".to_owned())]));
            let new = service(&strange, &workload);
            same(&new.iter().all(|(_, name)| name != former), &true, "whether somebody else's orphan is left alone")?;

            let mut governed = Workload { name: "web".to_owned(), ..workload };
            governed.service_name = Some("web-singleton".to_owned());
            let both = vec![(true, "web".to_owned()), (true, "web-singleton".to_owned())];
            let orphan = Existing { name: "web".to_owned(), ..orphan };
            same(&service(&orphan, &governed), &both, "what is done where serviceName names another")?;
        }
    }
    Ok(())
}

/// Ours for another, the user's for these Pods, the user's for others; nobody is told to delete a Service that leads to
/// the Pod.
#[test]
fn it_is_told_apart_who_has_the_name() -> Result<(), String> {
    let mut set = workload(Kind::STATEFUL_SET, "web");
    set.service_name = Some("web".to_owned());
    let other = Workload { uid: "uid-of-the-other".to_owned(), ..workload(Kind::DEPLOYMENT, "web") };
    let (Some(service), _) = made(&set, &Companions::default(), now()) else { return Err("none is made".to_owned()) };
    let (Some(of_other), _) = made(&other, &Companions::default(), now()) else {
        return Err("none is made".to_owned());
    };
    let theirs = Existing { is_ours: false, controller: None, ..service };
    let spec = |app: &str, is_headless: bool| ServiceSpec {
        is_headless,
        selector: Some(Labels::from([("app".to_owned(), app.to_owned())])),
        ..ServiceSpec::default()
    };
    let name = "web".to_owned();
    for (existing, by, says) in [
        (
            Existing { name: name.clone(), ..of_other },
            Some(Taker::Singleton("Deployment web".to_owned())),
            "the one of Deployment web",
        ),
        (
            Existing { spec: spec("web", false), ..theirs.clone() },
            Some(Taker::Front),
            "selects the Pods but is not headless",
        ),
        (Existing { spec: spec("other", false), ..theirs.clone() }, Some(Taker::Stranger), "does not select the Pods"),
        (Existing { spec: spec("other", true), ..theirs.clone() }, Some(Taker::Stranger), "does not select the Pods"),
        (Existing { spec: spec("web", true), ..theirs }, None, ""),
    ] {
        let around =
            Surroundings { workloads: vec![&set, &other], services: vec![&existing], ..Surroundings::default() };
        let skipped = plan(&set, &around, &Companions::default(), now()).skipped;
        let why = by.map(|by| (Companion::Service, Why::NameTaken { name: name.clone(), by }));
        same(&skipped, &why.into_iter().collect(), "why there is none of ours")?;
        for (companion, why) in &skipped {
            let sentence = why.sentence(*companion);
            same(&(sentence.contains(says), sentence.contains("delete")), &(true, false), &sentence)?;
        }
    }
    Ok(())
}

/// The annotation names another, or none.
#[test]
fn another_wish_ends_what_an_earlier_version_has_made() -> Result<(), String> {
    let workload = workload(Kind::DEPLOYMENT, "web");
    let (Some(service), _) = made(&workload, &Companions::default(), now()) else {
        return Err("none is made".to_owned());
    };
    let former = Existing { name: "web".to_owned(), ..service };
    for (wish, removes, applies) in
        [("none", 1, None), ("web-singleton", 1, Some("web-singleton")), ("auto", 0, None), ("web", 0, None)]
    {
        let mut asking = workload.clone();
        asking.annotations.headless_service = Some(wish.to_owned());
        let around = Surroundings { workloads: vec![&asking], services: vec![&former], ..Surroundings::default() };
        let plan = plan(&asking, &around, &Companions::default(), now());
        let removed = plan.steps.iter().filter(|step| matches!(step, Step::Remove { .. })).count();
        same(&(removed, named(&plan).as_deref()), &(removes, applies), &format!("what {wish} does"))?;
    }
    Ok(())
}

/// Its name, or with more behind a dash, or the label that is derived from it.
#[test]
fn a_name_must_be_the_workloads_own() -> Result<(), String> {
    for (name, service, allowed) in [
        ("web", "web", true),
        ("web", "web-headless", true),
        ("web", "webhook", false),
        ("web", "db", false),
        ("web", "my-web", false),
        ("ledger.books", "ledger-books-d5aeab08", true),
        ("ledger.books", "ledger-books-singleton-d5aeab08", true),
        ("ledger.books", "ledger-books-singleton-deployment-d5aeab08", true),
        ("ledger.books", "ledger-books", false),
    ] {
        let written = |annotation: bool| {
            let mut workload = workload(Kind::STATEFUL_SET, name);
            let place =
                if annotation { &mut workload.annotations.headless_service } else { &mut workload.service_name };
            *place = Some(service.to_owned());
            workload
        };
        let (governed, asking) = (written(false), written(true));
        let plan = alone(&governed, &Companions::default());
        same(&named(&plan), &allowed.then(|| service.to_owned()), &format!("the Service for serviceName {service}"))?;
        let why = (Companion::Service, Why::ForeignName { name: service.to_owned() });
        same(&plan.skipped.contains(&why), &!allowed, &format!("whether it is said of serviceName {service}"))?;
        let plan = alone(&asking, &Companions::default());
        let auto = named(&alone(&workload(Kind::STATEFUL_SET, name), &Companions::default()));
        let made = if allowed { Some(service.to_owned()) } else { auto };
        same(&named(&plan), &made, &format!("the Service for the annotation {service}"))?;
        same(&plan.skipped.contains(&why), &!allowed, &format!("whether it is said of the annotation {service}"))?;
        let all =
            Companions { allowed: Allowed { foreign_names: true, ..Allowed::default() }, ..Companions::default() };
        same(&named(&alone(&governed, &all)), &Some(service.to_owned()), "where foreign names are allowed")?;
    }
    Ok(())
}

#[test]
fn what_was_made_stays_until_the_workload_goes() -> Result<(), String> {
    let all = Companions { allowed: Allowed { foreign_names: true, ..Allowed::default() }, ..Companions::default() };
    for annotation in [true, false] {
        let mut asking = workload(Kind::STATEFUL_SET, "web");
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
            plan(&asking, &around, &Companions::default(), now())
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
#[test]
fn what_is_denied_counts_as_the_default() -> Result<(), String> {
    let mut workload = workload(Kind::DEPLOYMENT, "web");
    workload.annotations.disruption = Some("block".to_owned());
    let denied = Companions { allowed: Allowed { block: false, ..Allowed::default() }, ..Companions::default() };
    let plan = alone(&workload, &denied);
    let bound = body(&plan, Companion::Budget)["spec"]["minAvailable"].clone();
    let said = plan.skipped == vec![(Companion::Budget, Why::BlockDenied)];
    same(&(bound.as_i64(), said), &(Some(0), true), "the budget where block is denied, and whether that is said")
}

/// For a minute, but for a name that nobody else gives.
#[test]
fn a_name_that_was_freed_is_left_free() -> Result<(), String> {
    for (name, service, waits) in [
        ("web", "web", true),
        ("web", "web-singleton", false),
        ("ledger.books", "ledger-books-d5aeab08", false),
        ("ledger.books", "ledger-books-singleton-d5aeab08", false),
    ] {
        let mut workload = workload(Kind::STATEFUL_SET, name);
        workload.service_name = Some(service.to_owned());
        let after = |age: u64, deleted: &'static str| {
            let deleted = vec![(deleted, now() - Duration::from_secs(age))];
            let around = Surroundings { workloads: vec![&workload], deleted, ..Surroundings::default() };
            let plan = plan(&workload, &around, &Companions::default(), now());
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

fn alone(workload: &Workload, defaults: &Companions) -> Plan {
    let around = Surroundings { workloads: vec![workload], ..Surroundings::default() };
    plan(workload, &around, defaults, now())
}

fn is_label(name: &str) -> bool {
    let all = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    all && name.len() <= 63 && name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.ends_with('-')
}

fn object(step: Step) -> String {
    let (Step::Apply { name, .. } | Step::Remove { name, .. } | Step::LetGo { name, .. }) = step;
    name
}

fn named(plan: &Plan) -> Option<String> {
    body(plan, Companion::Service)["metadata"]["name"].as_str().map(str::to_owned)
}
