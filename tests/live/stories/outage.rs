//! What the guard costs those whom it does not concern, and what it says when it may not look. These tests need the guard
//! for themselves, so they run alone. What happens while replicas die is in the drills.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use kube::Client;
use serde_json::json;

use crate::common::installed::RELEASE;
use crate::common::workloads::{both_ready, create, patch, scale};
use crate::common::{api, eventually, new_namespace};
use crate::harness::stories;
use crate::lab::Lab;
use crate::lab::component::Signal;
use crate::spec::case;

stories!(
    Alone:
    without_its_rights_it_says_so,
    unmarked_work_never_reaches_us,
    with_every_replica_dead_scaling_up_waits;
);

/// Without the right to look things up every increase above one that needs it is refused, in words that are not a rule's:
/// those of ReplicaSets, whose Deployment decides.
pub async fn without_its_rights_it_says_so(lab: &Lab) -> Result<()> {
    let namespace = new_namespace(lab).await?;
    let client = lab.client();
    create(&client, &namespace, "ReplicaSet", "ledger", true, 1).await?;
    create(&client, &namespace, "ReplicaSet", "plain", false, 1).await?;
    let bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
    let one = format!("{bindings}/{RELEASE}");
    let mut binding = api::read(&client, &one).await?.success()?;
    api::delete(&client, &one, None).await?.success()?;
    let said = eventually("a refusal of the look-up", || async {
        let marked = scale(&client, &namespace, "ReplicaSet", "ledger", 3, None).await?;
        let unmarked = scale(&client, &namespace, "ReplicaSet", "plain", 3, None).await?;
        ensure!(!marked.succeeded(), "a scale above one was let through: {marked:?}");
        Ok(unmarked.message().starts_with("could not decide").then_some((marked, unmarked)))
    })
    .await;
    if let Some(metadata) = binding["metadata"].as_object_mut() {
        metadata.retain(|key, _| matches!(key.as_str(), "name" | "labels" | "annotations"));
    }
    api::post(&client, bindings, &binding, None).await?.success()?;
    let (marked, unmarked) = said?;
    for answer in [marked, unmarked] {
        let message = answer.message();
        let whole = message.starts_with(&format!("could not decide whether ReplicaSet {namespace}/"))
            && message.contains("403")
            && message.ends_with("nothing was changed")
            && message.chars().count() <= 250;
        ensure!(whole && answer.code == 500, "{answer:?}");
    }
    eventually("the verdict to come back", || async {
        let answer = scale(&client, &namespace, "ReplicaSet", "ledger", 3, None).await?;
        Ok(answer.message().starts_with("SG001").then_some(()))
    })
    .await
}

/// With every replica dead scaling above one waits, and comes to a verdict again; what else an outage does is in the
/// drills.
pub async fn with_every_replica_dead_scaling_up_waits(lab: &Lab) -> Result<()> {
    let namespace = new_namespace(lab).await?;
    let client = lab.client();
    create(&client, &namespace, "StatefulSet", "ledger", true, 1).await?;
    until_it_holds_in_an_outage(&client, &namespace).await?;
    let pods = both_ready(lab).await?;
    for pod in &pods {
        lab.node().hold(pod);
        lab.node().kill(pod, Signal::Kill).await?;
    }
    let answer = scale(&client, &namespace, "StatefulSet", "ledger", 5, None).await;
    for pod in &pods {
        lab.node().release(pod);
    }
    both_ready(lab).await?;
    let answer = answer?;
    ensure!(answer.message().contains("failed calling webhook"), "scaling a singleton up must wait: {answer:?}");
    eventually("the verdict to come back", || async {
        let answer = scale(&client, &namespace, "StatefulSet", "ledger", 3, None).await?;
        Ok(answer.message().starts_with("SG001").then_some(()))
    })
    .await
}

/// Waits until the API server itself goes by a list that has the namespace: until then an outage lets its scales pass.
async fn until_it_holds_in_an_outage(client: &Client, namespace: &str) -> Result<()> {
    eventually(&format!("{namespace} to be among those that hold singletons"), || async {
        let answer = scale(client, namespace, "StatefulSet", "ledger", 5, None).await?;
        let by = answer.body["message"].as_str().unwrap_or_default();
        Ok(by.starts_with("admission webhook \"scale.singleton-guard.io\"").then_some(()))
    })
    .await
}

/// Writes and rollouts of unmarked workloads never reach us, by the API server's own count.
async fn unmarked_work_never_reaches_us(lab: &Lab) -> Result<()> {
    let namespace = new_namespace(lab).await?;
    let client = lab.client();
    let before = calls_but_refused(&client).await?;
    // Real rollouts and their controllers' work.
    for name in ["one", "two", "three"] {
        create(&client, &namespace, "Deployment", name, false, 2).await?;
    }
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (client, namespace) = (client.clone(), namespace.clone());
        tasks.spawn(async move { write_unmarked(&client, &namespace, writer).await });
    }
    let mut writes = 0;
    while let Some(written) = tasks.join_next().await {
        writes += written??;
    }
    for name in ["one", "two", "three"] {
        let rollout = json!({"spec": {"template": {"metadata": {"annotations": {"version": "two"}}}}});
        patch(&client, &namespace, "Deployment", name, &rollout, None).await?.success()?;
        eventually("a rollout", || async {
            let object = api::get(&client, "Deployment", &namespace, name).await?.unwrap_or_default();
            Ok((object["status"]["updatedReplicas"] == 2 && object["status"]["replicas"] == 2).then_some(()))
        })
        .await?;
    }
    ensure!(writes >= WRITES, "only {writes} writes");
    let after = calls_but_refused(&client).await?;
    ensure!(
        before == after,
        "{writes} writes of unmarked workloads reached the webhook:\nbefore {before:?}\nafter {after:?}"
    );
    Ok(())
}

/// Creates, edits, scales down and deletes, of all kinds; no `/scale` above one.
async fn write_unmarked(client: &Client, namespace: &str, writer: u32) -> Result<u32> {
    let mut done = 0;
    for round in 0.. {
        if done * WRITERS >= WRITES {
            break;
        }
        for kind in ["StatefulSet", "ReplicaSet", "Deployment", "ReplicationController"] {
            let name = format!("w{writer}-{round}");
            let labels = json!({"team": "billing"});
            let object = json!({"kind": kind, "metadata": {"name": name, "labels": labels}, "spec": {"replicas": 0}});
            let object = case::complete(&object, namespace);
            api::post(client, &api::path(kind, namespace, None), &object, None).await?.success()?;
            for change in 0..7 {
                let body = json!({"metadata": {"annotations": {"change": change.to_string()}, "labels": {"change": change.to_string()}},
                    "spec": {"minReadySeconds": change}});
                patch(client, namespace, kind, &name, &body, None).await?.success()?;
            }
            scale(client, namespace, kind, &name, 1, None).await?.success()?;
            scale(client, namespace, kind, &name, 0, None).await?.success()?;
            let status = format!("{}/status", api::path(kind, namespace, Some(&name)));
            api::merge(client, &status, &json!({"metadata": {"annotations": {"seen": "yes"}}}), None)
                .await?
                .success()?;
            api::delete(client, &api::path(kind, namespace, Some(&name)), None).await?.success()?;
            done += 12;
        }
    }
    Ok(done)
}

/// Without what was refused. It is nothing of this test, whose every write has to succeed: controllers of other tests'
/// workloads, whose writes are refused, try them again at any time.
async fn calls_but_refused(client: &Client) -> Result<BTreeMap<String, u64>> {
    let mut calls = calls(client).await?;
    calls.retain(|series, _| !series.contains("rejected=\"true\""));
    Ok(calls)
}

/// How often the API server has called each of our webhooks.
pub async fn calls(client: &Client) -> Result<BTreeMap<String, u64>> {
    let request = http::Request::get("/metrics").body(Vec::new())?;
    let metrics = client.request_text(request).await?;
    let ours = metrics.lines().filter(|line| {
        line.starts_with("apiserver_admission_webhook_request_total{") && line.contains("singleton-guard.io\"")
    });
    let calls: BTreeMap<_, _> = ours
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(series, count)| Some((series.to_owned(), count.parse().ok()?)))
        .collect();
    ensure!(!calls.is_empty(), "the API server counts no call at all: the metric has another name");
    Ok(calls)
}

const WRITES: u32 = 10_000;
const WRITERS: u32 = 16;
