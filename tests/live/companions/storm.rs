//! The companions' controller, killed again and again, and measured.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::faults::settle;
use super::process::Process;
use crate::common::api;
use crate::common::place::{KINDS, Place, budget_name, chance, pick, service_name};
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::{MARK, complete};

stories!(
    Beside: a_budget_for_many_costs_little, a_controller_that_is_killed_at_random_points_ends_where_it_should;
    Measured: figures;
);

/// Controllers that are killed at random points while workloads come and go, half of them when what they have seen is ripe
/// to be acted on: the end state is the desired one, and nothing of a user's was changed.
async fn a_controller_that_is_killed_at_random_points_ends_where_it_should(lab: &Lab) -> Result<()> {
    let mut lanes = Vec::new();
    for _ in 0..LANES {
        lanes.push(Lane::new(Place::new(lab).await?).await?);
    }
    try_join_all(lanes.iter_mut().map(|lane| lane.come_and_go(lab))).await?;
    // Or the kills have met nothing.
    let (mut made, mut removed) = (0, 0);
    for lane in &lanes {
        made += lane.place.writes()?.iter().filter(|write| write.ends_with(" 201")).count();
        removed += lane.place.events("SingletonCompanionRemoved").await?.len();
    }
    eprintln!("{LANES} times {KILLS} kills: {made} companions made meanwhile, {removed} removed");
    ensure!(made >= LANES * 10 && removed >= LANES, "{made} companions were made, {removed} removed");
    let _controller = Process::start(lab, &lanes[0].place.namespace, json!({}), None)?;
    for lane in &lanes {
        lane.place.until("all is as it should be", async || lane.is_as_it_should_be().await).await?;
        let now = lane.theirs().await?;
        ensure!(now == lane.theirs, "a user's was changed: {now:#?}\n{:#?}", lane.theirs);
    }
    Ok(())
}

/// One namespace in which workloads come and go, and one controller that is killed.
struct Lane<'a> {
    place: Place<'a>,
    chance: TestRunner,
    /// The workloads by name: their kind, and whether they are marked.
    wanted: BTreeMap<String, (&'static str, bool)>,
    /// A user's budget for `w0`, and a user's Service that is called `w1`.
    theirs: [Value; 2],
}

impl<'a> Lane<'a> {
    async fn new(place: Place<'a>) -> Result<Self> {
        place.make(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "theirs"}, "spec": {"minAvailable": 0, "selector": {"matchLabels": {"app": "w0"}}}})).await?;
        place.make(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "w1"}, "spec": {"ports": [{"port": 80}], "selector": {"app": "w1"}}})).await?;
        let mut lane = Self { place, chance: chance(), wanted: BTreeMap::new(), theirs: [Value::Null, Value::Null] };
        lane.theirs = lane.theirs().await?;
        Ok(lane)
    }

    /// The user's, without what the disruption controller writes into the status of a budget.
    async fn theirs(&self) -> Result<[Value; 2]> {
        let mut budget = self.place.get("PodDisruptionBudget", "theirs").await?.context("theirs")?;
        budget["status"] = Value::Null;
        budget["metadata"]["resourceVersion"] = Value::Null;
        let fields = budget["metadata"]["managedFields"].as_array_mut().context("managedFields")?;
        fields.retain(|fields| fields["subresource"] != "status");
        Ok([budget, self.place.get("Service", "w1").await?.context("w1")?])
    }

    async fn come_and_go(&mut self, lab: &Lab) -> Result<()> {
        let Self { place, chance, wanted, .. } = self;
        for kills in 0..KILLS {
            // A name of its own, and so a log: the last one's says where the last one listened.
            let name = format!("{}-{kills}", place.namespace);
            let mut controller = Process::start(lab, &name, json!({}), None)?;
            let (least, more) = if kills % 2 == 0 { (20, 600) } else { (2000, 1200) };
            let pause = Duration::from_millis(least) + moment(chance, more);
            let name = format!("w{}", pick(chance, 8));
            match wanted.get(&name).copied() {
                None => {
                    let kind = KINDS[pick(chance, KINDS.len())];
                    let object = json!({"kind": kind, "metadata": {"name": name, "labels": {MARK: "true"}}, "spec": {"replicas": 0}});
                    place.make(complete(&object, &place.namespace)).await.with_context(|| format!("kill {kills}"))?;
                    wanted.insert(name, (kind, true));
                }
                Some((kind, marked)) if pick(chance, 3) > 0 => {
                    let mark = if marked { Value::Null } else { json!("true") };
                    place.patch(kind, &name, json!({"metadata": {"labels": {MARK: mark}}})).await?;
                    wanted.insert(name, (kind, !marked));
                }
                Some((kind, _)) => {
                    place.delete(kind, &name).await?;
                    place.until("it is gone", async || Ok(place.get(kind, &name).await?.is_none())).await?;
                    wanted.remove(&name);
                }
            }
            if kills % 2 > 0 {
                // From then on it sees, and two seconds later it acts.
                controller.until_ready().await?;
            }
            tokio::time::sleep(pause).await;
            controller.kill().await?;
        }
        Ok(())
    }

    async fn is_as_it_should_be(&self) -> Result<bool> {
        let Self { place, wanted, .. } = self;
        let budgets = place.list("PodDisruptionBudget").await?;
        let mut names: Vec<_> = budgets.iter().filter_map(|budget| budget["metadata"]["name"].as_str()).collect();
        names.sort_unstable();
        let marked = wanted.iter().filter(|(_, (_, marked))| *marked);
        let mut expected: Vec<_> =
            marked.clone().filter(|(name, _)| *name != "w0").map(|(name, (kind, _))| budget_name(name, kind)).collect();
        expected.push("theirs".to_owned());
        expected.sort();
        let mut is_complete = names == expected;
        for (name, _) in marked.filter(|(name, _)| *name != "w1") {
            is_complete &= place.get("Service", &service_name(name)).await?.is_some();
        }
        for service in place.list("Service").await? {
            // What was released keeps its Service; what is gone has left none, but for the one of the user.
            let name = service["metadata"]["name"].as_str().unwrap_or_default();
            is_complete &= name == "w1" || wanted.keys().any(|workload| service_name(workload) == name);
        }
        Ok(is_complete)
    }
}

/// One budget of a user selects the Pods of 150 singletons, and is deleted: each is let go of and made again with one write,
/// and two Events.
async fn a_budget_for_many_costs_little(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let replica = |name: &str| Process::start(lab, &format!("{}-{name}", place.namespace), json!({}), None);
    let _replicas = [replica("a")?, replica("b")?];
    for number in 0..MANY {
        let object = json!({"kind": "StatefulSet", "metadata": {"name": format!("s{number}"), "labels": {MARK: "true"}}, "spec": {"replicas": 0}});
        place.make(complete(&object, &place.namespace)).await?;
    }
    let count = async |expected: usize| Ok(place.list("PodDisruptionBudget").await?.len() == expected);
    place.until("all have theirs", async || count(MANY).await).await?;
    settle().await;
    let before = written(lab, std::slice::from_ref(&place), OURS)?;
    place.make(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "theirs"}, "spec": {"maxUnavailable": 1, "selector": {}}})).await?;
    place.until("all have stepped aside", async || count(1).await).await?;
    settle().await;
    place.delete("PodDisruptionBudget", "theirs").await?;
    place.until("all are back", async || count(MANY).await).await?;
    settle().await;
    let mut cost = written(lab, std::slice::from_ref(&place), OURS)?;
    for (what, times) in before {
        *cost.entry(what).or_default() -= times;
    }
    cost.retain(|_, times| *times > 0);
    eprintln!("one budget for {MANY} singletons: {cost:?}");
    let sum = |words: &[&str]| -> usize {
        cost.iter().filter(|(what, _)| words.iter().all(|word| what.contains(word))).map(|(_, times)| times).sum()
    };
    let deleted = sum(&["delete poddisruptionbudgets 200"]);
    ensure!(deleted == MANY, "{deleted} were deleted");
    let applied = sum(&["patch poddisruptionbudgets 20"]);
    ensure!(applied == MANY, "{applied} were applied");
    let told = sum(&["events", " 20"]);
    // Where both replicas tell the same at the same moment, one of them writes once more.
    ensure!(told <= 2 * MANY + MANY / 20, "{told} writes of Events");
    Ok(())
}

/// Figures, on request: a thousand singletons in fifty namespaces, two controllers; then ten thousand Services and
/// budgets of others.
async fn figures(lab: &Lab) -> Result<()> {
    let mut places = Vec::new();
    for _ in 0..50 {
        places.push(Place::new(lab).await?);
    }
    let controllers = [
        Process::start(lab, &format!("{}-a", places[0].namespace), json!({}), None)?,
        Process::start(lab, &format!("{}-b", places[0].namespace), json!({}), None)?,
    ];
    tokio::time::sleep(Duration::from_secs(3)).await;
    eprintln!("at rest, empty: {}", report(&controllers));
    let started = Instant::now();
    in_parallel(&places, 20, async |place, number| {
        let object = json!({"kind": "StatefulSet", "metadata": {"name": format!("s{number}"), "labels": {MARK: "true"}}, "spec": {"replicas": 0}});
        place.make(complete(&object, &place.namespace)).await.map(drop)
    }).await?;
    eprintln!("1 000 StatefulSets created in {:?}", started.elapsed());
    let ours = async |kind: &str| -> Result<usize> {
        let path = match kind {
            "Service" => "/api/v1/services?labelSelector=app.kubernetes.io/managed-by%3Dsingleton-guard",
            _ => "/apis/policy/v1/poddisruptionbudgets?labelSelector=app.kubernetes.io/managed-by%3Dsingleton-guard",
        };
        let list = api::read(&lab.client(), path).await?.success()?;
        let names: Vec<_> = places.iter().map(|place| place.namespace.as_str()).collect();
        let here = |item: &&Value| names.contains(&item["metadata"]["namespace"].as_str().unwrap_or_default());
        Ok(list["items"].as_array().into_iter().flatten().filter(here).count())
    };
    while ours("Service").await? < 1000 || ours("PodDisruptionBudget").await? < 1000 {
        ensure!(started.elapsed() < Duration::from_secs(240), "not done after 240 s");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    eprintln!("all 2 000 companions after {:?}", started.elapsed());
    tokio::time::sleep(Duration::from_secs(5)).await;
    eprintln!("with 1 000 singletons: {}", report(&controllers));
    let made = written(lab, &places, COMPANIONS)?;
    eprintln!("writes: {made:?}");
    let writes: usize =
        made.iter().filter(|(what, _)| what.ends_with(" 200") || what.ends_with(" 201")).map(|(_, times)| times).sum();
    ensure!(writes == 2000, "each companion takes one write");
    in_parallel(&places, 200, async |place, number| {
        let name = format!("u{number}");
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"clusterIP": "None", "selector": {"app": name}}});
        place.make(service).await?;
        let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": {"minAvailable": 0, "selector": {"matchLabels": {"app": name}}}});
        place.make(budget).await.map(drop)
    }).await?;
    // The disruption controller writes each budget's status first.
    let all = "/apis/policy/v1/poddisruptionbudgets";
    loop {
        let list = api::read(&lab.client(), all).await?.success()?;
        let is_settled = |budget: &Value| budget["status"]["observedGeneration"] == budget["metadata"]["generation"];
        if list["items"].as_array().is_some_and(|budgets| budgets.iter().all(is_settled)) {
            break;
        }
        ensure!(started.elapsed() < Duration::from_secs(480), "the budgets are not at rest after 480 s");
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let before = [controllers[0].cpu()?, controllers[1].cpu()?];
    tokio::time::sleep(Duration::from_secs(30)).await;
    let after = [controllers[0].cpu()?, controllers[1].cpu()?];
    eprintln!(
        "with 10 000 Services and 10 000 budgets more: {}; CPU in 30 s at rest: {} and {} ms",
        report(&controllers),
        (after[0] - before[0]) * 10,
        (after[1] - before[1]) * 10
    );
    ensure!(written(lab, &places, COMPANIONS)? == made, "what is at rest is written to");
    Ok(())
}

async fn in_parallel(
    places: &[Place<'_>],
    each: usize,
    work: impl AsyncFn(&Place<'_>, usize) -> Result<()>,
) -> Result<()> {
    let work = &work;
    let all = places.iter().map(|place| async move {
        for number in 0..each {
            work(place, number).await?;
        }
        anyhow::Ok(())
    });
    try_join_all(all).await.map(drop)
}

/// The writes in the audit log whose entries contain this, by verb, resource and answer.
fn written(lab: &Lab, places: &[Place<'_>], part: &str) -> Result<BTreeMap<String, usize>> {
    let log = std::fs::read_to_string(lab.logs().join("audit.log"))?;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in log.lines().filter(|line| line.contains(part)) {
        let entry: Value = serde_json::from_str(line).unwrap_or_default();
        let namespace = entry["objectRef"]["namespace"].as_str().unwrap_or_default();
        if entry["stage"] == "ResponseComplete" && places.iter().any(|place| place.namespace == namespace) {
            let text =
                format!("{} {} {}", entry["verb"], entry["objectRef"]["resource"], entry["responseStatus"]["code"]);
            *counts.entry(text.replace('"', "")).or_default() += 1;
        }
    }
    Ok(counts)
}

fn report(controllers: &[Process]) -> String {
    controllers.iter().map(|it| it.memory("VmRSS")).collect::<Vec<_>>().join(", ")
}

/// A time below this many milliseconds.
pub fn moment(chance: &mut TestRunner, below: usize) -> Duration {
    Duration::from_millis(u64::try_from(pick(chance, below)).unwrap_or_default())
}

/// Namespaces, each with a controller of its own that is killed; all of them see all.
const LANES: usize = 4;
/// In the entry of a write of a companion, but of no deletion.
const COMPANIONS: &str = "fieldManager=singleton-guard-companions";
/// In that of everything that our program does.
const OURS: &str = r#""userAgent":"singleton-guard/"#;
/// As one tenant may well have.
const MANY: usize = 150;
/// In each.
const KILLS: usize = 50;
