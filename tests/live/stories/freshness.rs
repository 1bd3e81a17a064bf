//! The freshness proof on real API servers: that it saves the questions it is there to save, and that it is never wrong
//! where a mark and a scale-up meet. These tests count what our replicas count, so they run alone.
//!
//! `LONG=1` makes ten thousand of each, and prints the figures.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use kube::Client;
use serde_json::{Value, json};

use crate::common::workloads::{create, patch, scale};
use crate::common::{api, eventually, new_namespace};
use crate::harness::{is_long, stories};
use crate::lab::Lab;
use crate::spec::case::{MARK, complete};
use crate::stories::configuration::{bring, metrics, original, with};

stories!(
    Alone:
    a_mark_and_a_scale_up_never_both_win,
    increases_are_answered_without_a_question;
);

/// Somebody marks a workload while somebody else scales it up, each through an API server of its own: never do both
/// come through.
async fn a_mark_and_a_scale_up_never_both_win(lab: &Lab) -> Result<()> {
    let namespace = new_namespace(lab).await?;
    let (mut second, through_second) = lab.another_api_server().await?;
    let clients = [lab.client(), through_second];
    let before = counted(lab).await?;
    let rounds = if is_long() { 10_000 } else { 200 };
    let races = (0..AT_ONCE).map(|number| races(&clients, &namespace, number, rounds / AT_ONCE));
    let won: Vec<(u32, u32)> = stream::iter(races).buffer_unordered(AT_ONCE).try_collect().await?;
    second.stop(Duration::from_secs(2)).await?;
    let after = counted(lab).await?;
    let (marks, scales) = won.iter().fold((0, 0), |sum, won| (sum.0 + won.0, sum.1 + won.1));
    eprintln!("{rounds} races: the mark won {marks}, the scale-up {scales}; {}", after.since(&before));
    ensure!(after.proven > before.proven, "nothing was proven, so nothing was tried");
    Ok(())
}

/// One race after the other about one workload: how many the mark has won, and the scale-up.
async fn races(clients: &[Client; 2], namespace: &str, number: usize, rounds: usize) -> Result<(u32, u32)> {
    let (mut won, name) = ((0, 0), format!("ledger-{number}"));
    make(&clients[0], namespace, &name).await?;
    for round in 0..rounds {
        let (one, other) = (&clients[round % 2], &clients[(round + 1) % 2]);
        let mark = json!({"metadata": {"labels": {MARK: "true"}}});
        let (marked, scaled) = tokio::join!(
            patch(one, namespace, KIND, &name, &mark, None),
            scale(other, namespace, KIND, &name, 2, None)
        );
        let (marked, scaled) = (marked?, scaled?);
        let object = api::get(one, KIND, namespace, &name).await?.unwrap_or_default();
        let is_marked = object["metadata"]["labels"].get(MARK).is_some();
        let replicas = &object["spec"]["replicas"];
        ensure!(!is_marked || *replicas == 1, "round {round}: a singleton of {replicas}: {marked:?} {scaled:?}");
        // Later than the other, each was refused by a rule, and by nothing else.
        ensure!(marked.succeeded() || marked.message().starts_with("SG001"), "round {round}: {marked:?}");
        ensure!(scaled.succeeded() || scaled.message().starts_with("SG001"), "round {round}: {scaled:?}");
        won.0 += u32::from(marked.succeeded());
        won.1 += u32::from(scaled.succeeded());
        if is_marked {
            patch(other, namespace, KIND, &name, &json!({"metadata": {"labels": {MARK: null}}}), None)
                .await?
                .success()?;
        }
        scale(other, namespace, KIND, &name, 1, None).await?.success()?;
    }
    Ok(won)
}

/// Increases of what is not marked are answered without a question; so is one of what is. With the proof switched off
/// each is a question, and the answers are the same.
async fn increases_are_answered_without_a_question(lab: &Lab) -> Result<()> {
    let (client, namespace) = (lab.client(), new_namespace(lab).await?);
    make(&client, &namespace, "web").await?;
    create(&client, &namespace, "StatefulSet", "ledger", true, 1).await?;
    let goes_up_and_down = async || {
        let refused = scale(&client, &namespace, "StatefulSet", "ledger", 2, None).await?;
        ensure!(refused.message().starts_with("SG001"), "{refused:?}");
        scale(&client, &namespace, KIND, "web", 2, None).await?.success()?;
        scale(&client, &namespace, KIND, "web", 1, None).await?.success()
    };
    let before = counted(lab).await?;
    eventually("both kinds of proof", || async {
        goes_up_and_down().await?;
        let now = counted(lab).await?;
        Ok((now.marked > before.marked && now.unmarked > before.unmarked + 2).then_some(()))
    })
    .await?;
    let with_it = figures(lab, &namespace).await?;

    let file = original(lab).await?;
    bring(lab, &with(&file, SWITCHED_ON, "freshnessProof:\n  enabled: false")).await?;
    let before = counted(lab).await?;
    for _ in 0..5 {
        goes_up_and_down().await?;
    }
    let after = counted(lab).await?;
    let without_it = figures(lab, &namespace).await?;
    bring(lab, &file).await?;
    ensure!(after.proven == before.proven, "it proves although it is off: {}", after.since(&before));
    ensure!(after.asked >= before.asked + 10, "somebody was not asked: {}", after.since(&before));
    if is_long() {
        eprintln!("with the proof: {with_it}\nwithout it: {without_it}");
    }
    Ok(())
}

/// Ten thousand increases, of fifty workloads in turn: how they were answered, and how long that took.
async fn figures(lab: &Lab, namespace: &str) -> Result<String> {
    if !is_long() {
        return Ok(String::new());
    }
    let (client, before) = (lab.client(), counted(lab).await?);
    for number in 0..WORKLOADS {
        let name = format!("web-{number}");
        if api::get(&client, KIND, namespace, &name).await?.is_none() {
            make(&client, namespace, &name).await?;
        }
    }
    let mut took = Vec::new();
    for number in 0..10_000 {
        let name = format!("web-{}", number % WORKLOADS);
        let started = Instant::now();
        scale(&client, namespace, KIND, &name, 2, None).await?.success()?;
        took.push(started.elapsed());
        scale(&client, namespace, KIND, &name, 1, None).await?.success()?;
    }
    took.sort();
    let at = |part: usize| took[took.len() * part / 1000];
    let since = counted(lab).await?.since(&before);
    Ok(format!("{since}; a call took {:.1?}, one of a hundred {:.1?}", at(500), at(990)))
}

/// A Deployment without Pods that nobody but us writes.
async fn make(client: &Client, namespace: &str, name: &str) -> Result<Value> {
    let spec = json!({"replicas": 1, "paused": true, "strategy": {"type": "Recreate"}});
    let object = json!({"kind": KIND, "metadata": {"name": name}, "spec": spec});
    api::post(client, &api::path(KIND, namespace, None), &complete(&object, namespace), None).await?.success()
}

/// What both replicas have counted.
struct Counted {
    unmarked: u64,
    marked: u64,
    proven: u64,
    /// What was not proven, because the watch was behind or knew of another version.
    left: u64,
    asked: u64,
}

async fn counted(lab: &Lab) -> Result<Counted> {
    let texts = metrics(lab).await?;
    let sum = |prefix: &str| {
        let lines = texts.values().flat_map(|text| text.lines()).filter(|line| line.starts_with(prefix));
        lines.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum()
    };
    let proofs =
        |result: &str| -> u64 { sum(&format!("singleton_guard_freshness_proofs_total{{result=\"{result}\"}}")) };
    let (unmarked, marked) = (proofs("unmarked"), proofs("marked"));
    let left = proofs("behind") + proofs("other");
    Ok(Counted {
        unmarked,
        marked,
        proven: unmarked + marked,
        left,
        asked: sum("singleton_guard_parent_lookups_total{"),
    })
}

impl Counted {
    fn since(&self, before: &Self) -> String {
        format!(
            "{} proven unmarked, {} proven marked, {} not proven yet, {} asked",
            self.unmarked - before.unmarked,
            self.marked - before.marked,
            self.left - before.left,
            self.asked - before.asked
        )
    }
}

const KIND: &str = "Deployment";
const SWITCHED_ON: &str = "freshnessProof:\n  enabled: true";
const AT_ONCE: usize = 4;
const WORKLOADS: usize = 50;
