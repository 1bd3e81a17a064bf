//! The companions' controller, killed again and again, and measured.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use http::Method;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::api;
use super::case::{MARK, complete};
use super::companions_place::{KINDS, Place, budget_name, chance, pick};
use super::companions_process::Process;
use crate::lab::Lab;

/// A controller that is killed at random points while workloads come and go: the end state is the desired one, and
/// nothing of a user's was changed.
pub async fn killed(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let mut chance = chance();
    let theirs = place.make(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "theirs"}, "spec": {"minAvailable": 0, "selector": {"matchLabels": {"app": "w0"}}}})).await?;
    let service = place.make(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "w1"}, "spec": {"ports": [{"port": 80}], "selector": {"app": "w1"}}})).await?;
    let mut wanted: BTreeMap<String, (&str, bool)> = BTreeMap::new();
    for kills in 0..kills() {
        let mut controller = Process::start(lab, &place.namespace, json!({}), None)?;
        let end = Instant::now() + Duration::from_millis(20) + moment(&mut chance, 600);
        let name = format!("w{}", pick(&mut chance, 8));
        match wanted.get(&name).copied() {
            None => {
                let kind = KINDS[pick(&mut chance, KINDS.len())];
                let object = json!({"kind": kind, "metadata": {"name": name, "labels": {MARK: "true"}}, "spec": {"replicas": 0}});
                place.make(complete(&object, &place.namespace)).await.with_context(|| format!("kill {kills}"))?;
                wanted.insert(name, (kind, true));
            }
            Some((kind, marked)) if pick(&mut chance, 3) > 0 => {
                place
                    .patch(
                        kind,
                        &name,
                        json!({"metadata": {"labels": {MARK: if marked { Value::Null } else { json!("true") }}}}),
                    )
                    .await?;
                wanted.insert(name, (kind, !marked));
            }
            Some((kind, _)) => {
                place.delete(kind, &name).await?;
                place.until("it is gone", async || Ok(place.get(kind, &name).await?.is_none())).await?;
                wanted.remove(&name);
            }
        }
        tokio::time::sleep_until(end.into()).await;
        controller.kill().await?;
    }
    let _controller = Process::start(lab, &place.namespace, json!({}), None)?;
    place
        .until("all is as it should be", async || {
            let budgets = place.list("PodDisruptionBudget").await?;
            let mut names: Vec<_> = budgets.iter().filter_map(|budget| budget["metadata"]["name"].as_str()).collect();
            names.sort_unstable();
            let mut expected: Vec<_> = wanted
                .iter()
                .filter(|(name, (_, marked))| *marked && *name != "w0")
                .map(|(name, (kind, _))| budget_name(name, kind))
                .collect();
            expected.push("theirs".to_owned());
            expected.sort();
            let mut complete = names == expected;
            for (name, _) in wanted.iter().filter(|(name, (_, marked))| *marked && *name != "w1") {
                complete &= place.get("Service", name).await?.is_some();
            }
            for service in place.list("Service").await? {
                // What was released keeps its Service; what is gone has left none, but for the one of the user.
                let name = service["metadata"]["name"].as_str().unwrap_or_default();
                complete &= name == "w1" || wanted.contains_key(name);
            }
            Ok(complete)
        })
        .await?;
    let now = place.get("PodDisruptionBudget", "theirs").await?.context("theirs")?;
    ensure!(
        now["metadata"]["generation"] == theirs["metadata"]["generation"]
            && now["metadata"]["labels"] == theirs["metadata"]["labels"],
        "{now}"
    );
    let now = place.get("Service", "w1").await?.context("theirs")?;
    ensure!(now["metadata"]["resourceVersion"] == service["metadata"]["resourceVersion"], "{now}");
    Ok(())
}

/// Figures, for `FIGURES=1`: a thousand singletons in fifty namespaces, two controllers; then ten thousand Services and
/// budgets of others.
pub async fn figures(lab: &Lab) -> Result<()> {
    if std::env::var("FIGURES").map_or(true, |value| value != "1") {
        return Ok(());
    }
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
        let list = api::call(&lab.client(), Method::GET, path, None, None).await?.success()?;
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
    eprintln!("writes: {}", written(lab, &places)?);
    in_parallel(&places, 200, async |place, number| {
        let name = format!("u{number}");
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"clusterIP": "None", "selector": {"app": name}}});
        place.make(service).await?;
        let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name}, "spec": {"minAvailable": 0, "selector": {"matchLabels": {"app": name}}}});
        place.make(budget).await.map(drop)
    }).await?;
    // The disruption controller writes each budget's status first.
    tokio::time::sleep(Duration::from_secs(90)).await;
    let before = [controllers[0].cpu()?, controllers[1].cpu()?];
    tokio::time::sleep(Duration::from_secs(30)).await;
    let after = [controllers[0].cpu()?, controllers[1].cpu()?];
    eprintln!(
        "with 10 000 Services and 10 000 budgets more: {}; CPU in 30 s at rest: {} and {} ms",
        report(&controllers),
        (after[0] - before[0]) * 10,
        (after[1] - before[1]) * 10
    );
    eprintln!("writes: {}", written(lab, &places)?);
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
    futures_util::future::try_join_all(all).await.map(drop)
}

/// The controllers' writes in the audit log, by verb and resource.
fn written(lab: &Lab, places: &[Place<'_>]) -> Result<String> {
    let log = std::fs::read_to_string(lab.logs().join("audit.log"))?;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in log.lines().filter(|line| line.contains("fieldManager=singleton-guard-companions")) {
        let entry: Value = serde_json::from_str(line).unwrap_or_default();
        let namespace = entry["objectRef"]["namespace"].as_str().unwrap_or_default();
        if entry["stage"] == "ResponseComplete" && places.iter().any(|place| place.namespace == namespace) {
            let text =
                format!("{} {} {}", entry["verb"], entry["objectRef"]["resource"], entry["responseStatus"]["code"]);
            *counts.entry(text.replace('"', "")).or_default() += 1;
        }
    }
    Ok(format!("{counts:?}"))
}

fn report(controllers: &[Process]) -> String {
    controllers.iter().map(|it| it.memory("VmRSS")).collect::<Vec<_>>().join(", ")
}

/// How often the controller is killed: 30 times in an ordinary run, 200 with `FIGURES=1`.
fn kills() -> usize {
    if std::env::var("FIGURES").is_ok_and(|value| value == "1") { 200 } else { 30 }
}

/// A time below this many milliseconds.
pub fn moment(chance: &mut TestRunner, below: usize) -> Duration {
    Duration::from_millis(u64::try_from(pick(chance, below)).unwrap_or_default())
}
