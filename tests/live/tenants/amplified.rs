//! What one request of the attacker makes us write.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::eve::Eve;
use super::poison::object;
use crate::common::eventually;
use crate::common::installed::NAMESPACE;
use crate::common::place::Place;
use crate::harness::stories;
use crate::lab::Lab;

stories!(one_budget_for_everything_costs_a_write_or_two_for_each_singleton);

/// One budget that selects everything, made and deleted: each of her singletons costs one deletion, one apply and two
/// writes of Events.
async fn one_budget_for_everything_costs_a_write_or_two_for_each_singleton(lab: &Lab) -> Result<()> {
    let eve = Eve::new(lab).await?;
    let place = eve.place();
    let namespace = &place.namespace;
    eve.create_all((0..SINGLETONS).map(|number| object("StatefulSet", &format!("s{number}"), "true", namespace)))
        .await?;
    until_ours_are(place, SINGLETONS).await?;
    until_all_is_said(lab).await?;
    let before = writes(place)?;
    let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "all"},
        "spec": {"maxUnavailable": 1, "selector": {}}});
    let started = Instant::now();
    eve.create(&budget).await?;
    until_ours_are(place, 0).await?;
    place.delete("PodDisruptionBudget", "all").await?;
    until_ours_are(place, SINGLETONS).await?;
    let took = started.elapsed();
    until_all_is_said(lab).await?;
    let after = writes(place)?;
    let [deletes, applies, events] = [0, 1, 2].map(|what| after[what] - before[what]);
    eprintln!(
        "{SINGLETONS} singletons, two requests: {deletes} deletions, {applies} applies and {events} writes of Events in {took:.1?}"
    );
    eve.leave().await?;
    // Where both replicas tell the same at the same moment, one of them writes once more.
    ensure!(
        deletes <= SINGLETONS && applies <= SINGLETONS && events <= 2 * SINGLETONS + SINGLETONS / 20,
        "{deletes} deletions, {applies} applies and {events} writes of Events for {SINGLETONS} singletons"
    );
    Ok(())
}

async fn until_ours_are(place: &Place<'_>, number: usize) -> Result<()> {
    eventually(&format!("{number} budgets of ours"), || async {
        let budgets = place.list("PodDisruptionBudget").await?;
        let ours = |budget: &&Value| budget["metadata"].get("ownerReferences").is_some();
        Ok((budgets.iter().filter(ours).count() == number).then_some(()))
    })
    .await
}

/// Deletions and applies of budgets of ours and writes of our Events that were carried out here, by the audit log: where both replicas try, one finds
/// it done.
fn writes(place: &Place<'_>) -> Result<[usize; 3]> {
    let log = std::fs::read_to_string(place.lab.logs().join("audit.log"))?;
    let entries = log.lines().filter(|line| line.contains(&place.namespace));
    let entries: Vec<Value> = entries.filter_map(|line| serde_json::from_str(line).ok()).collect();
    let ours = |entry: &&Value| {
        let user = entry["user"]["username"].as_str().unwrap_or_default();
        user.starts_with(&format!("system:serviceaccount:{NAMESPACE}:"))
            && entry["stage"] == "ResponseComplete"
            && entry["responseStatus"]["code"].as_u64().is_some_and(|code| code < 300)
            && entry["objectRef"]["namespace"] == place.namespace.as_str()
    };
    let of = |resource: &str, verb: &str| {
        let written = entries.iter().filter(ours).filter(|entry| entry["objectRef"]["resource"] == resource);
        written.filter(|entry| entry["verb"] == verb).count()
    };
    let budgets = |verb| of("poddisruptionbudgets", verb);
    Ok([budgets("delete"), budgets("patch"), of("events", "create") + of("events", "patch")])
}

/// Waits until nothing more is written about anything.
async fn until_all_is_said(lab: &Lab) -> Result<()> {
    let mut said = written_events(lab).await?;
    loop {
        tokio::time::sleep(REST).await;
        let now = written_events(lab).await?;
        if now == said {
            return Ok(());
        }
        said = now;
    }
}

/// Writes of `events.k8s.io` that were carried out, by anybody.
async fn written_events(lab: &Lab) -> Result<usize> {
    let metrics = lab.client().request_text(http::Request::get("/metrics").body(Vec::new())?).await?;
    let written = metrics.lines().filter(|line| {
        line.starts_with("apiserver_request_total{")
            && line.contains("group=\"events.k8s.io\"")
            && line.contains("code=\"2")
            && ["POST", "PATCH", "APPLY", "PUT"].iter().any(|verb| line.contains(&format!("verb=\"{verb}\"")))
    });
    Ok(written.filter_map(|line| line.rsplit_once(' ')?.1.parse::<usize>().ok()).sum())
}

const SINGLETONS: usize = 150;
/// Events of one kind are gathered for some seconds.
const REST: Duration = Duration::from_secs(10);
