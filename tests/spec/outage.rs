//! What happens while replicas of the guard die. These tests need the guard for themselves, so they run alone.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use http::Method;
use kube::Client;
use serde_json::{Value, json};

use super::api::{self, Answer};
use super::case::{self, User};
use super::installed::{NAMESPACE, RELEASE};
use super::live::{eventually, new_namespace, unguarded};
use crate::lab::Lab;
use crate::lab::component::Signal;

/// Scaling above one in a loop, while one replica after the other is killed: none is ever let through, and what fails
/// otherwise fails within a second of a kill.
pub async fn killing_one_replica_lets_nothing_through(lab: &Lab) -> Result<()> {
    let namespace = new_namespace(lab).await?;
    let client = lab.client();
    create(&client, &namespace, "StatefulSet", "ledger", true, 1).await?;
    let pods = guards(lab);
    ensure!(pods.len() == 2, "expected two replicas, found {pods:?}");
    let mut kills: Vec<Instant> = Vec::new();
    let (mut refused, mut failed) = (0_u32, Vec::new());
    for round in 0..KILLS {
        both_ready(lab).await?;
        let until = Instant::now() + BETWEEN_KILLS;
        lab.node().kill(&pods[round % 2], Signal::Kill).await?;
        kills.push(Instant::now());
        while Instant::now() < until {
            let answer = scale(&client, &namespace, "StatefulSet", "ledger", 3, None).await?;
            ensure!(!answer.succeeded(), "a scale above one was let through: {answer:?}");
            if answer.message().starts_with("SG001") {
                refused += 1;
            } else {
                failed.push((Instant::now(), answer.message()));
            }
        }
    }
    for (at, message) in &failed {
        let since = kills.iter().filter(|kill| *kill <= at).map(|kill| at.duration_since(*kill)).min();
        ensure!(since.is_some_and(|since| since <= Duration::from_secs(1)), "failed {since:?} after a kill: {message}");
    }
    ensure!(refused > 100, "only {refused} calls were refused: the loop did not run");
    eprintln!("{refused} calls refused, {} failed within a second of {KILLS} kills, none let through", failed.len());
    Ok(())
}

/// A rolling restart under load loses no call at all.
pub async fn a_rolling_restart_loses_no_call(lab: &Lab) -> Result<()> {
    let namespace = new_namespace(lab).await?;
    let client = lab.client();
    create(&client, &namespace, "StatefulSet", "ledger", true, 1).await?;
    both_ready(lab).await?;
    lab.kubectl(&["-n", NAMESPACE, "rollout", "restart", "deployment/singleton-guard"]).await?.success()?;
    let done = async {
        let arguments = ["-n", NAMESPACE, "rollout", "status", "deployment/singleton-guard", "--timeout=90s"];
        lab.kubectl(&arguments).await?.success()
    };
    let load = async {
        let mut calls = 0_u32;
        loop {
            let answer = scale(&client, &namespace, "StatefulSet", "ledger", 3, None).await?;
            ensure!(answer.message().starts_with("SG001"), "call {calls} was lost: {answer:?}");
            calls += 1;
            tokio::task::yield_now().await;
        }
        #[expect(unreachable_code, reason = "gives the block its type")]
        anyhow::Ok(())
    };
    tokio::select! {
        done = done => done.map(drop),
        lost = load => lost,
    }
}

/// With every replica dead the cluster goes on with everything that cannot break a rule, and refuses the rest.
pub async fn with_every_replica_dead_only_what_could_break_a_rule_waits(lab: &Lab) -> Result<()> {
    let namespace = new_namespace(lab).await?;
    let client = lab.client();
    create(&client, &namespace, "Deployment", "web", true, 1).await?;
    create(&client, &namespace, "StatefulSet", "ledger", true, 1).await?;
    create(&client, &namespace, "Deployment", "plain", false, 1).await?;
    let pods = guards(lab);
    for pod in &pods {
        lab.node().hold(pod);
        lab.node().kill(pod, Signal::Kill).await?;
    }
    let outcome = while_dead(&client, &namespace).await;
    for pod in &pods {
        lab.node().release(pod);
    }
    both_ready(lab).await?;
    outcome?;
    let after = scale(&client, &namespace, "StatefulSet", "ledger", 3, None).await?;
    ensure!(after.message().starts_with("SG001"), "it does not come back by itself: {after:?}");
    Ok(())
}

async fn while_dead(client: &Client, namespace: &str) -> Result<()> {
    // A rollout of a singleton.
    let rollout = json!({"spec": {"template": {"metadata": {"annotations": {"version": "two"}}}}});
    patch(client, namespace, "Deployment", "web", &rollout, None)
        .await?
        .success()
        .context("a rollout of a singleton")?;
    eventually("the rollout of a singleton to finish", || async {
        let web = api::get(client, "Deployment", namespace, "web").await?.unwrap_or_default();
        let status = &web["status"];
        let done = status["observedGeneration"] == web["metadata"]["generation"]
            && status["updatedReplicas"] == 1
            && status["replicas"] == 1;
        Ok((done && status["availableReplicas"] == 1).then_some(()))
    })
    .await?;
    // Down, and back to one.
    scale(client, namespace, "StatefulSet", "ledger", 0, None).await?.success().context("scaling a singleton down")?;
    scale(client, namespace, "StatefulSet", "ledger", 1, None)
        .await?
        .success()
        .context("scaling a singleton to one")?;
    // Unmarked work but for `/scale` above one.
    create(client, namespace, "Deployment", "new", false, 2).await.context("creating an unmarked workload")?;
    let three = json!({"spec": {"replicas": 3}});
    patch(client, namespace, "Deployment", "plain", &three, None)
        .await?
        .success()
        .context("patching an unmarked workload")?;
    // With the glass broken.
    let group = singleton_guard::policy::exemption::BREAK_GLASS;
    let alice = User { name: "alice".to_owned(), groups: vec!["system:authenticated".to_owned(), group.to_owned()] };
    scale(client, namespace, "StatefulSet", "ledger", 2, Some(&alice))
        .await?
        .success()
        .context("breaking the glass")?;
    scale(client, namespace, "StatefulSet", "ledger", 1, None).await?.success()?;
    // What could break a rule.
    for (kind, name) in [("StatefulSet", "ledger"), ("Deployment", "web"), ("Deployment", "plain")] {
        let answer = scale(client, namespace, kind, name, 5, None).await?;
        ensure!(answer.message().contains("failed calling webhook"), "scaling {kind} {name} up must wait: {answer:?}");
    }
    let answer = patch(client, namespace, "Deployment", "web", &three, None).await?;
    ensure!(answer.message().contains("failed calling webhook"), "patching a singleton up must wait: {answer:?}");
    Ok(())
}

/// Without the right to look things up every increase above one is refused, in words that are not a rule's.
pub async fn without_its_rights_it_says_so(lab: &Lab) -> Result<()> {
    let namespace = new_namespace(lab).await?;
    let client = lab.client();
    create(&client, &namespace, "StatefulSet", "ledger", true, 1).await?;
    create(&client, &namespace, "Deployment", "plain", false, 1).await?;
    let bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
    let one = format!("{bindings}/{RELEASE}");
    let mut binding = api::call(&client, Method::GET, &one, None, None).await?.success()?;
    api::call(&client, Method::DELETE, &one, None, None).await?.success()?;
    let said = eventually("a refusal of the look-up", || async {
        let marked = scale(&client, &namespace, "StatefulSet", "ledger", 3, None).await?;
        let unmarked = scale(&client, &namespace, "Deployment", "plain", 3, None).await?;
        ensure!(!marked.succeeded(), "a scale above one was let through: {marked:?}");
        Ok(unmarked.message().starts_with("could not decide").then_some((marked, unmarked)))
    })
    .await;
    if let Some(metadata) = binding["metadata"].as_object_mut() {
        metadata.retain(|key, _| matches!(key.as_str(), "name" | "labels" | "annotations"));
    }
    let content = Some(("application/json", binding.to_string()));
    api::call(&client, Method::POST, bindings, content, None).await?.success()?;
    let (marked, unmarked) = said?;
    for (kind, answer) in [("StatefulSet", marked), ("Deployment", unmarked)] {
        let message = answer.message();
        let whole = message.starts_with(&format!("could not decide whether {kind} {namespace}/"))
            && message.contains("403")
            && message.ends_with("nothing was changed")
            && message.chars().count() <= 250;
        ensure!(whole && answer.code == 500, "{answer:?}");
    }
    eventually("the verdict to come back", || async {
        let answer = scale(&client, &namespace, "StatefulSet", "ledger", 3, None).await?;
        Ok(answer.message().starts_with("SG001").then_some(()))
    })
    .await
}

/// Writes and rollouts of unmarked workloads never reach us, by the API server's own count.
pub async fn unmarked_work_never_reaches_us(lab: &Lab) -> Result<()> {
    let namespace = new_namespace(lab).await?;
    let client = lab.client();
    let before = calls(&client).await?;
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
    let after = calls(&client).await?;
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
            let content = ("application/json", object.to_string());
            api::call(client, Method::POST, &api::path(kind, namespace, None), Some(content), None).await?.success()?;
            for change in 0..7 {
                let body = json!({"metadata": {"annotations": {"change": change.to_string()}, "labels": {"change": change.to_string()}},
                    "spec": {"minReadySeconds": change}});
                patch(client, namespace, kind, &name, &body, None).await?.success()?;
            }
            scale(client, namespace, kind, &name, 1, None).await?.success()?;
            scale(client, namespace, kind, &name, 0, None).await?.success()?;
            let status = format!("{}/status", api::path(kind, namespace, Some(&name)));
            let body = json!({"metadata": {"annotations": {"seen": "yes"}}}).to_string();
            api::call(client, Method::PATCH, &status, Some((MERGE, body)), None).await?.success()?;
            api::call(client, Method::DELETE, &api::path(kind, namespace, Some(&name)), None, None).await?.success()?;
            done += 12;
        }
    }
    Ok(done)
}

/// How often the API server has called each of our webhooks.
async fn calls(client: &Client) -> Result<BTreeMap<String, String>> {
    let request = http::Request::get("/metrics").body(Vec::new())?;
    let metrics = client.request_text(request).await?;
    let ours = metrics.lines().filter(|line| {
        line.starts_with("apiserver_admission_webhook_request_total{") && line.contains("singleton-guard.io\"")
    });
    let calls: BTreeMap<_, _> = ours
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(series, count)| (series.to_owned(), count.to_owned()))
        .collect();
    ensure!(!calls.is_empty(), "the API server counts no call at all: the metric has another name");
    Ok(calls)
}

async fn create(client: &Client, namespace: &str, kind: &str, name: &str, marked: bool, replicas: u32) -> Result<()> {
    let labels = if marked { json!({case::MARK: "true"}) } else { json!({}) };
    let strategy = if kind == "Deployment" && marked { json!({"type": "Recreate"}) } else { Value::Null };
    let object = json!({"kind": kind, "metadata": {"name": name, "labels": labels}, "spec": {"replicas": replicas, "strategy": strategy}});
    let object = case::complete(&object, namespace);
    let user = marked.then(unguarded);
    let content = ("application/json", object.to_string());
    api::call(client, Method::POST, &api::path(kind, namespace, None), Some(content), user.as_ref())
        .await?
        .success()?;
    eventually(&format!("{kind} {name} to run"), || async {
        let object = api::get(client, kind, namespace, name).await?.unwrap_or_default();
        Ok((object["status"]["replicas"] == replicas).then_some(()))
    })
    .await
}

async fn scale(
    client: &Client,
    namespace: &str,
    kind: &str,
    name: &str,
    replicas: u32,
    user: Option<&User>,
) -> Result<Answer> {
    let path = format!("{}/scale", api::path(kind, namespace, Some(name)));
    let body = json!({"spec": {"replicas": replicas}}).to_string();
    api::call(client, Method::PATCH, &path, Some((MERGE, body)), user).await
}

async fn patch(
    client: &Client,
    namespace: &str,
    kind: &str,
    name: &str,
    body: &Value,
    user: Option<&User>,
) -> Result<Answer> {
    let path = api::path(kind, namespace, Some(name));
    api::call(client, Method::PATCH, &path, Some((MERGE, body.to_string())), user).await
}

/// Our own Pods, as the node names them.
fn guards(lab: &Lab) -> Vec<String> {
    lab.node().processes().into_iter().map(|process| process.pod).collect()
}

/// Waits until the Service has two addresses again.
async fn both_ready(lab: &Lab) -> Result<()> {
    let client = lab.client();
    let path = format!("/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices");
    eventually("two ready replicas", || async {
        let slices = api::call(&client, Method::GET, &path, None, None).await?.success()?;
        let endpoints = slices["items"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
        let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] == true).count();
        Ok((ready == 2).then_some(()))
    })
    .await
}

const MERGE: &str = "application/merge-patch+json";
const KILLS: usize = 6;
const BETWEEN_KILLS: Duration = Duration::from_millis(2_500);
const WRITES: u32 = 10_000;
const WRITERS: u32 = 16;
