//! What strict costs, measured on request (`--ignored`). It prints and asserts nothing about time.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use singleton_guard::api::key::KEY;

use crate::common::place::Place;
use crate::common::revisions::Revisions;
use crate::common::{api, eventually, unguarded};
use crate::harness::stories;
use crate::lab::Lab;
use crate::stories::outage::calls;
use crate::stories::strict::{strict, take_away, text, ways};

stories!(Measured: figures);

/// Figures: from the end of a Pod to the next one beside a plain `Recreate`, and what refusals cost.
async fn figures(lab: &Lab) -> Result<()> {
    for kind in ["Deployment", "ReplicaSet", "StatefulSet"] {
        for mark in ["true", "strict"] {
            gaps(lab, kind, mark).await?;
        }
    }
    for mark in ["true", "strict"] {
        calls_of_a_start(lab, mark).await?;
    }
    for advised in [true, false] {
        quota(lab, advised).await?;
    }
    Ok(())
}

/// How long after the end of a Pod the next one is created, by the watch.
async fn gaps(lab: &Lab, kind: &str, mark: &str) -> Result<()> {
    let place = Place::new(lab).await?;
    let mut pods = Revisions::of(&place).await?;
    place.create(kind, "ledger", strict(mark)).await?;
    let mut pod = pods.until_another_runs("").await?;
    for way in ways(kind) {
        let mut gaps = Vec::new();
        for round in 0..ROUNDS {
            let (name, uid) = (text(&pod["metadata"]["name"]), text(&pod["metadata"]["uid"]));
            take_away(&place, &mut pods, kind, &name, way, &round.to_string()).await?;
            let (mut ended, mut made) = (None, None);
            while ended.is_none() || made.is_none() {
                pods.step().await?;
                if !pods.has(&uid) {
                    ended.get_or_insert_with(Instant::now);
                }
                if pods.len() > usize::from(pods.has(&uid)) {
                    made.get_or_insert_with(Instant::now);
                }
            }
            let (ended, made) = (ended.context("an end")?, made.context("a beginning")?);
            let early = ended.saturating_duration_since(made).as_secs_f64();
            gaps.push(made.saturating_duration_since(ended).as_secs_f64() - early);
            pod = pods.until_another_runs(&uid).await?;
        }
        gaps.sort_by(f64::total_cmp);
        eprintln!(
            "{kind} {mark:6} {way:8}: the next Pod came {:+.3} s after the end of the last (median of {ROUNDS}; longest {:+.3} s)",
            gaps[ROUNDS / 2],
            gaps[ROUNDS - 1]
        );
    }
    Ok(())
}

/// How often the API server calls us while a Pod is deleted, ends, and the next one runs.
async fn calls_of_a_start(lab: &Lab, mark: &str) -> Result<()> {
    let (place, client) = (Place::new(lab).await?, lab.client());
    let mut pods = Revisions::of(&place).await?;
    place.create("Deployment", "ledger", strict(mark)).await?;
    let mut pod = pods.until_another_runs("").await?;
    // Whatever the beginning of a workload brings has come.
    for _ in 0..2 {
        pod = replaced(&place, &mut pods, &pod).await?;
    }
    let before: u64 = calls(&client).await?.values().sum();
    for _ in 0..ROUNDS {
        pod = replaced(&place, &mut pods, &pod).await?;
    }
    let after: u64 = calls(&client).await?.values().sum();
    eprintln!("Deployment {mark}: {} calls of ours for {ROUNDS} Pods that were deleted and replaced", after - before);
    Ok(())
}

async fn replaced(place: &Place<'_>, pods: &mut Revisions, pod: &Value) -> Result<Value> {
    place.delete("Pod", &text(&pod["metadata"]["name"])).await?;
    pods.until_another_runs(&text(&pod["metadata"]["uid"])).await
}

/// What refused creates charge to a quota, with the advice of SG010 and without.
async fn quota(lab: &Lab, advised: bool) -> Result<()> {
    let place = Place::new(lab).await?;
    let client = lab.client();
    let quotas = format!("/api/v1/namespaces/{}/resourcequotas", place.namespace);
    let object = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "pods"}, "spec": {"hard": {"pods": "1000"}}});
    api::post(&client, &quotas, &object, None).await?.success()?;
    let charged = async || {
        let quota = api::read(&client, &format!("{quotas}/pods")).await?.success()?;
        Ok::<_, anyhow::Error>(text(&quota["status"]["used"]["pods"]))
    };
    let pod = json!({"kind": "Pod", "metadata": {"name": "cron", "labels": {KEY: "cron"}}});
    let pod = crate::spec::case::complete(&pod, &place.namespace);
    eventually("the quota to be counted", || async { Ok((!charged().await?.is_empty()).then_some(())) }).await?;
    place.make(pod.clone()).await?;
    let before = charged().await?;
    let user = (!advised).then(unguarded);
    for _ in 0..REFUSED {
        let answer = api::post(&client, &place.path("Pod", None), &pod, user.as_ref()).await?;
        ensure!(!answer.succeeded(), "a second Pod was made");
    }
    let words = if advised { "SG010" } else { "AlreadyExists" };
    eprintln!(
        "{REFUSED} creates refused with {words}: the quota had {before} Pod used before and {} after",
        charged().await?
    );
    Ok(())
}

const ROUNDS: usize = 9;
const REFUSED: usize = 500;
