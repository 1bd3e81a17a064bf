//! Replicas that disagree, pure: how often they write in a world that is only data, what is never held up, and what the
//! clock of the API server says.

use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use singleton_guard::api::annotation::{Annotations, Disruption};
use singleton_guard::api::kind::Kind;
use singleton_guard::cluster::Clock;
use singleton_guard::companions::backoff::Backoff;
use singleton_guard::companions::plan::selector::{Labels, PodLabels, Selector};
use singleton_guard::companions::plan::{BudgetSpec, Companion, Existing, Owner, Step, Surroundings, Workload, plan};
use singleton_guard::settings::Companions;

use super::companions_plan::same;

/// Both of ours: together five times in the first minute at most, and then once a minute.
#[test]
fn two_replicas_that_disagree_write_seldom() -> Result<(), String> {
    for (one, other) in [("allow", "block"), ("allow", "none"), ("none", "block")] {
        let mut world = World::new([replica(one), replica(other)]);
        world.pass(Duration::from_secs(600));
        is_calm(&world.writes(|_| true), &format!("{one} against {other}"))?;
    }
    Ok(())
}

/// The other one answers at once, as all did before.
#[test]
fn a_replica_that_never_waits_is_answered_seldom() -> Result<(), String> {
    for (ours, other) in [("allow", "block"), ("allow", "none"), ("none", "block")] {
        let mut world = World::new([replica(ours), Replica { waits: false, ..replica(other) }]);
        world.pass(Duration::from_secs(600));
        is_calm(&world.writes(|who| who == 0), &format!("{ours} against {other} of before"))?;
        let theirs = world.writes(|who| who == 1).len();
        same(&(theirs >= 8), &true, "that the other one has answered")?;
    }
    Ok(())
}

/// One that is deleted comes back, one that is in pieces is mended, and one that another budget made go comes back with
/// it gone; each within a look.
#[test]
fn what_users_do_is_answered_at_once() -> Result<(), String> {
    let deeds: [(&str, Deed); 5] = [
        ("a deletion", |world| world.ours = None),
        ("a field taken away", |world| {
            world.ours.iter_mut().for_each(|budget| budget.spec.unhealthy_pod_eviction_policy = None);
        }),
        ("an owner taken away", |world| world.ours.iter_mut().for_each(|budget| budget.controller = None)),
        ("a budget that comes and goes", |world| {
            for _ in 0..5 {
                world.theirs = Some(theirs());
                world.pass(LOOK * 3);
                world.theirs = None;
                world.pass(LOOK * 3);
            }
        }),
        ("a budget that goes and comes between two looks, when another replica was quick", |world| {
            let before = world.ours.clone();
            world.theirs = Some(theirs());
            world.pass(LOOK * 3);
            world.ours = before;
            world.pass(LOOK * 3);
            // It must have gone again.
            world.theirs = world.ours.take().map(|_| theirs());
        }),
    ];
    for (what, deed) in deeds {
        let mut world = World::new([replica("allow")]);
        world.pass(Duration::from_secs(5));
        let before = world.ours.clone();
        deed(&mut world);
        world.pass(LOOK * 3);
        same(&world.ours, &before, what)?;
    }
    Ok(())
}

/// A wait begins anew where another replica of the same mind was quicker: what it wrote has stood for a while.
#[test]
fn a_wait_begins_when_a_write_was_undone() -> Result<(), String> {
    let [mut world, mut other] = ["allow", "block"].map(|disruption| World::new([replica(disruption)]));
    for world in [&mut world, &mut other] {
        world.pass(Duration::from_secs(5));
    }
    let right = world.ours.clone();
    for (ours, seconds) in [(&other.ours, 10), (&right, 15), (&other.ours, 20)] {
        world.ours.clone_from(ours);
        world.pass(Duration::from_secs(seconds));
        same(&world.ours, ours, &format!("what nobody writes to for {seconds} s"))?;
    }
    world.pass(Duration::from_secs(11));
    same(&world.ours, &right, "what is mended half a minute after it was undone")
}

/// In the middle of a quarrel: an annotation counts at once, and a window of consent closes at its end.
#[test]
fn another_wish_is_never_held_up() -> Result<(), String> {
    let mut world = World::new([replica("allow"), replica("none")]);
    world.pass(Duration::from_secs(70));
    world.workload.annotations.disruption = Some("block".to_owned());
    world.pass(LOOK * 3);
    same(&world.is_open(), &Some(false), "what the annotation asks for")?;
    for ends_after in [10, 50, 95] {
        let until = world.time + Duration::from_secs(ends_after);
        let text = time::OffsetDateTime::from(until).format(&time::format_description::well_known::Rfc3339);
        world.workload.annotations.disruption_allowed_until = text.ok();
        // The other one does not let it be opened.
        world.replicas[1].defaults.consent_window_max = Duration::ZERO;
        world.pass(LOOK * 3);
        same(&world.is_open(), &Some(true), "that the window is open")?;
        world.pass(Duration::from_secs(ends_after));
        same(&world.is_open(), &Some(false), "that the window is closed at its end")?;
    }
    Ok(())
}

/// Two minutes of peace, and the first answer is as quick as ever.
#[test]
fn what_has_stood_is_forgotten() -> Result<(), String> {
    let mut world = World::new([replica("allow")]);
    for deletions in 0..4 {
        world.pass(Duration::from_secs(130));
        world.ours = None;
        world.pass(LOOK * 3);
        same(&world.ours.is_some(), &true, &format!("that it is back after {deletions} deletions"))?;
    }
    // Without peace not: it may be a replica that removes it.
    world.ours = None;
    world.pass(LOOK);
    world.ours = None;
    world.pass(Duration::from_secs(29));
    same(&world.ours.is_some(), &false, "that it waits where it is deleted again and again")?;
    world.pass(Duration::from_secs(2));
    same(&world.ours.is_some(), &true, "that it does not wait for long")
}

/// Never ahead of the server, behind by less than a second, and with it where it is set back; an answer that comes late
/// says nothing new.
#[test]
fn the_clock_is_the_api_servers() -> Result<(), String> {
    let (clock, begin) = (Clock::default(), Instant::now());
    same(&clock.at(begin), &None, "what is known before the first answer")?;
    let server = |milliseconds: u64| SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds);
    let date = |milliseconds: u64| server(milliseconds / 1000 * 1000);
    let at = |milliseconds: u64| begin + Duration::from_millis(milliseconds);
    // What the server's clock shows when it answers, when it was asked, when the answer came, and what is known then.
    for (shows, asked, come, known) in [
        (5_000_900, 0, 10, 5_000_000),
        (5_001_100, 200, 210, 5_001_000),
        (5_001_800, 900, 910, 5_001_700),
        (5_002_000, 1_100, 11_100, 5_011_890),
        (5_012_100, 11_200, 11_210, 5_012_000),
        (4_000_500, 12_000, 12_010, 4_000_000),
        (9_000_000, 13_000, 13_010, 9_000_000),
    ] {
        clock.heard(date(shows), at(asked), at(come));
        same(&clock.at(at(come)), &Some(server(known)), &format!("the time when an answer of {shows} has come"))?;
    }
    Ok(())
}

type Deed = fn(&mut World);

/// One workload, its budget, and replicas that look at both again and again.
struct World {
    began: Instant,
    now: Instant,
    time: SystemTime,
    workload: Workload,
    ours: Option<Existing<BudgetSpec>>,
    theirs: Option<Existing<BudgetSpec>>,
    replicas: Vec<Replica>,
    written: Vec<(usize, Instant)>,
}

struct Replica {
    defaults: Companions,
    backoff: Backoff,
    waits: bool,
}

fn replica(disruption: &str) -> Replica {
    let disruption = Disruption::parse(disruption).unwrap_or(Disruption::Allow);
    let defaults = Companions { disruption, headless_service: false, ..Companions::default() };
    Replica { defaults, backoff: Backoff::default(), waits: true }
}

impl World {
    fn new(replicas: impl Into<Vec<Replica>>) -> Self {
        let (began, time) = (Instant::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
        let labels = Labels::from([("app".to_owned(), "ledger".to_owned())]);
        let workload = Workload {
            kind: Kind::STATEFUL_SET,
            namespace: "pay".to_owned(),
            name: "ledger".to_owned(),
            uid: "uid-of-ledger".to_owned(),
            is_deleted: false,
            controller: None,
            annotations: Annotations::default(),
            key: None,
            selector: Selector::of(labels.clone()),
            pod: PodLabels { known: labels, unknown: None },
            ports: Vec::new(),
            service_name: None,
            seen: SystemTime::UNIX_EPOCH,
        };
        Self {
            began,
            now: began,
            time,
            workload,
            ours: None,
            theirs: None,
            replicas: replicas.into(),
            written: Vec::new(),
        }
    }

    fn pass(&mut self, how_long: Duration) {
        let end = self.now + how_long;
        while self.now < end {
            self.now += LOOK;
            self.time += LOOK;
            for who in 0..self.replicas.len() {
                self.look(who);
            }
        }
    }

    fn look(&mut self, who: usize) {
        let Self { now, time, workload, ours, theirs, replicas, written, .. } = self;
        let Replica { defaults, backoff, waits } = &mut replicas[who];
        let seen = (ours.clone(), theirs.clone());
        let budgets = [&seen.0, &seen.1].into_iter().flatten().collect();
        let around = Surroundings { workloads: vec![workload], budgets, ..Surroundings::default() };
        let mut plan = plan(workload, &around, defaults, *time);
        if *waits {
            backoff.hold(&mut plan, (workload, &around, defaults), (*time, *now));
        }
        for step in plan.steps {
            let name = match step {
                Step::Apply { name, body, .. } => {
                    *ours = Some(existing(&name, &body, workload));
                    name
                }
                Step::Remove { name, .. } | Step::LetGo { name, .. } => {
                    *ours = None;
                    name
                }
            };
            written.push((who, *now));
            backoff.wrote((Companion::Budget, name), *now);
        }
    }

    /// When somebody has written.
    fn writes(&self, who: impl Fn(usize) -> bool) -> Vec<Duration> {
        let by = self.written.iter().filter(|(writer, _)| who(*writer));
        by.map(|(_, at)| at.saturating_duration_since(self.began)).collect()
    }

    /// Whether the budget lets a disruption through.
    fn is_open(&self) -> Option<bool> {
        let lets = |value: &Option<Value>, number: i64| value.as_ref().and_then(Value::as_i64) == Some(number);
        self.ours.as_ref().map(|budget| lets(&budget.spec.max_unavailable, 1) || lets(&budget.spec.min_available, 0))
    }
}

/// Five times in the first minute at most, then once a minute, and it does not end.
fn is_calm(writes: &[Duration], what: &str) -> Result<(), String> {
    let from = writes.first().copied().unwrap_or_default();
    for minute in 0..9 {
        let begin = from + minute * MINUTE;
        let count = writes.iter().filter(|at| (begin..begin + MINUTE).contains(*at)).count();
        if count > if minute == 0 { 5 } else { 1 } {
            return Err(format!("{what}: {count} writes in minute {minute}"));
        }
    }
    same(&(writes.len() >= 6), &true, &format!("that both go on, {what}: {writes:?}"))
}

fn existing(name: &str, body: &Value, workload: &Workload) -> Existing<BudgetSpec> {
    let spec = &body["spec"];
    Existing {
        name: name.to_owned(),
        uid: "of-ours".to_owned(),
        resource_version: "7".to_owned(),
        is_deleted: false,
        is_ours: true,
        taken: None,
        adoptable: None,
        controller: Some(Owner {
            group: workload.kind.info().group.to_owned(),
            kind: workload.kind.info().name.to_owned(),
            name: workload.name.clone(),
            uid: workload.uid.clone(),
        }),
        spec: BudgetSpec {
            selector: serde_json::from_value(spec["selector"].clone()).ok(),
            min_available: spec.get("minAvailable").cloned(),
            max_unavailable: spec.get("maxUnavailable").cloned(),
            unhealthy_pod_eviction_policy: spec["unhealthyPodEvictionPolicy"].as_str().map(str::to_owned),
            lets_none_go: false,
        },
    }
}

/// A user's budget for the same Pods.
fn theirs() -> Existing<BudgetSpec> {
    let spec = BudgetSpec { selector: Some(Selector::default()), ..BudgetSpec::default() };
    Existing::of_somebody("theirs".to_owned(), spec)
}

/// How often a replica looks: as quickly as the watches tell it.
const LOOK: Duration = Duration::from_millis(100);
const MINUTE: Duration = Duration::from_secs(60);
