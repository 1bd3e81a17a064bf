//! Autoscalers on the live server: the real controller of HorizontalPodAutoscalers in both orders of autoscaler and mark,
//! what their writes cost, and what an outage does to them.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use http::Method;
use serde_json::{Value, json};

use super::configuration::metrics;
use super::outage::calls;
use crate::common::api::{self, Answer};
use crate::common::place::Place;
use crate::common::workloads::both_ready;
use crate::common::{definitions, eventually, unguarded};
use crate::harness::stories;
use crate::lab::Lab;
use crate::lab::component::Signal;
use crate::spec::case::{MARK, complete};

stories!(
    Beside:
    one_that_comes_first_is_told_why_not,
    one_that_is_there_when_the_mark_comes_is_told_why_not,
    one_that_comes_after_the_mark_keeps_to_one;
    Alone:
    scaled_objects_are_watched_once_they_are_served,
    the_guard_is_asked_only_where_it_could_matter,
    with_every_replica_dead_they_are_created_and_changed;
);

/// As helm and Argo CD install them: the autoscaler, and then the StatefulSet with the mark. Nothing is refused but what the
/// autoscaler wants.
async fn one_that_comes_first_is_told_why_not(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    place.make(autoscaler(&place, "StatefulSet", "ledger", 2, 4)).await?;
    let marked = json!({"kind": "StatefulSet", "metadata": {"name": "ledger", "labels": {MARK: "true"}}});
    let marked = complete(&marked, &place.namespace).to_string();
    // A dry run first: the autoscaler is a moment old, and may not be known yet.
    place
        .until("whoever makes the singleton to be warned of the autoscaler", async || {
            let path = format!("{}?dryRun=All", place.path("StatefulSet", None));
            let content = Some(("application/json", marked.clone()));
            let answer = api::call(&lab.client(), Method::POST, &path, content, None).await?;
            ensure!(answer.succeeded(), "{answer:?}");
            let warning = "SG003: HorizontalPodAutoscaler ledger asks for up to 4 replicas of this StatefulSet, and more than one is refused";
            Ok(answer.warnings.iter().any(|line| line == warning))
        })
        .await?;
    place.create("StatefulSet", "ledger", json!({})).await?;
    both_are_told(&place, "HorizontalPodAutoscaler", "StatefulSet", "spec.maxReplicas", 4).await?;
    is_told_why_not(&place, "StatefulSet").await
}

/// An autoscaler that has scaled its Deployment to two; then somebody makes a singleton of it.
async fn one_that_is_there_when_the_mark_comes_is_told_why_not(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    place.make(complete(&json!({"kind": "Deployment", "metadata": {"name": "ledger"}}), &place.namespace)).await?;
    place.make(autoscaler(&place, "Deployment", "ledger", 2, 4)).await?;
    let replicas = async || {
        let workload = place.get("Deployment", "ledger").await?.unwrap_or_default();
        anyhow::Ok((workload["spec"]["replicas"].as_u64(), workload["status"]["replicas"].as_u64()))
    };
    place.until("the autoscaler to scale it to two", async || Ok(replicas().await? == (Some(2), Some(2)))).await?;
    let mark = json!({"metadata": {"labels": {MARK: "true"}}, "spec": {"replicas": 1, "strategy": {"type": "Recreate", "rollingUpdate": null}}});
    let path = place.path("Deployment", Some("ledger"));
    let marked = api::merge(&lab.client(), &path, &mark, None).await?;
    let warning = "SG003: HorizontalPodAutoscaler ledger asks for up to 4 replicas of this Deployment, and more than one is refused";
    ensure!(marked.succeeded() && marked.warnings.iter().any(|line| line == warning), "{marked:?}");
    both_are_told(&place, "HorizontalPodAutoscaler", "Deployment", "spec.maxReplicas", 4).await?;
    is_told_why_not(&place, "Deployment").await
}

/// Waits for the Event on the singleton and the one on the autoscaler, and for both replicas to count it.
async fn both_are_told(place: &Place<'_>, autoscaler: &str, kind: &str, field: &str, most: u32) -> Result<()> {
    let notes = [
        format!(
            "{autoscaler} ledger asks for up to {most} replicas, and more than one is refused: set its {field} to 1, or take the singleton label off"
        ),
        format!(
            "{kind} ledger is a singleton, and more than one replica is refused: set {field} to 1 (it asks for up to {most}), or take the singleton label off"
        ),
    ];
    place
        .until("Events on both", async || {
            let events = place.list("Event").await?;
            let told = |on: &str, note: &String| {
                let is_it = |event: &&Value| {
                    event["reason"] == "SingletonAutoscaled"
                        && event["regarding"]["kind"] == on
                        && event["note"] == **note
                };
                events.iter().filter(is_it).count()
            };
            let (workload, scaler) = (told(kind, &notes[0]), told(autoscaler, &notes[1]));
            // Two replicas say the same, and it is one Event.
            ensure!(workload <= 1 && scaler <= 1, "{events:#?}");
            Ok(workload == 1 && scaler == 1)
        })
        .await
}

/// How many autoscaled singletons of this kind each replica counts.
async fn counted(lab: &Lab, resource: &str) -> Result<Vec<u64>> {
    let line = format!("singleton_guard_autoscaled_singletons{{resource=\"{resource}\"}} ");
    let count =
        |text: &String| text.lines().find_map(|found| found.strip_prefix(&line)?.parse().ok()).unwrap_or_default();
    Ok(metrics(lab).await?.values().map(count).collect())
}

/// What it is refused names what has to change; so changed, its controller has nothing to ask for.
async fn one_that_comes_after_the_mark_keeps_to_one(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    place.create("Deployment", "ledger", json!({})).await?;
    until_refused(&place, "Deployment").await?;
    let refused = create(&place, &autoscaler(&place, "Deployment", "ledger", 2, 4), "").await?;
    let namespace = &place.namespace;
    let line = format!(
        "SG003 HorizontalPodAutoscaler {namespace}/ledger could scale singleton Deployment {namespace}/ledger above one: spec.maxReplicas must be 1, requested 4"
    );
    ensure!(refused.code == 403 && refused.message() == line, "{refused:?}");
    place.make(autoscaler(&place, "Deployment", "ledger", 1, 1)).await?;
    place
        .until("its controller to read the Scale", async || {
            let found = conditions(&place).await?;
            ensure!(!found.contains_key("FailedUpdateScale"), "{found:?}");
            Ok(found.contains_key("SucceededGetScale"))
        })
        .await
}

/// Waits until the real controller has read our words, and sees that nothing came of what it wanted.
async fn is_told_why_not(place: &Place<'_>, kind: &str) -> Result<()> {
    let expected = format!(
        "SG001 {kind} {}/ledger is a singleton: spec.replicas must be less than or equal to 1, requested 2",
        place.namespace
    );
    place
        .until("the autoscaler to report our words", async || {
            let found = conditions(place).await?;
            Ok(found.get("FailedUpdateScale").is_some_and(|message| message.contains(&expected)))
        })
        .await?;
    let workload = place.get(kind, "ledger").await?.unwrap_or_default();
    ensure!(workload["spec"]["replicas"] == 1, "it was scaled: {}", workload["spec"]);
    // It would try again every few seconds, and be counted by the tests that count calls.
    place.delete("HorizontalPodAutoscaler", "ledger").await
}

/// The reasons of its conditions, with their messages.
async fn conditions(place: &Place<'_>) -> Result<BTreeMap<String, String>> {
    let found = place.get("HorizontalPodAutoscaler", "ledger").await?.unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let conditions = found["status"]["conditions"].as_array().into_iter().flatten();
    Ok(conditions.map(|condition| (text(&condition["reason"]), text(&condition["message"]))).collect())
}

/// By the API server's own count. In a namespace without singletons no write of an autoscaler is a call; elsewhere a new one
/// above one is, other bounds above one, and another target.
async fn the_guard_is_asked_only_where_it_could_matter(lab: &Lab) -> Result<()> {
    definitions::establish(lab, &[definitions::scaled_object()]).await?;
    let (listed, elsewhere) = (Place::new(lab).await?, Place::new(lab).await?);
    listed.create("StatefulSet", "ledger", json!({})).await?;
    until_refused(&listed, "StatefulSet").await?;
    let asked = async || {
        let calls = calls(&lab.client()).await?;
        let ours = calls.iter().filter(|(series, _)| series.contains("name=\"autoscalers."));
        anyhow::Ok(ours.map(|(_, count)| count).sum::<u64>())
    };
    // The list is written, and the API server may go by it a moment later.
    eventually("the namespace without singletons not to be asked about", || async {
        let before = asked().await?;
        create(&elsewhere, &autoscaler(&elsewhere, "StatefulSet", "web", 1, 5), "dryRun=All").await?.success()?;
        Ok((asked().await? == before).then_some(()))
    })
    .await?;
    let keda = |place: &Place<'_>, name: &str, spec: Value| {
        let object = json!({"kind": "ScaledObject", "metadata": {"name": name}, "spec": spec});
        complete(&object, &place.namespace)
    };
    let other = json!({"scaleTargetRef": {"kind": "StatefulSet", "name": "web"}});
    let patch = async |place: &Place<'_>, kind: &str, body: Value| place.patch(kind, "web", body).await.map(drop);
    // Each write with the calls that it is worth where singletons are, all of them none elsewhere.
    for (place, worth) in [(&elsewhere, 0), (&listed, 1)] {
        let is_asked = async |what: &str, calls: u64, before: u64| {
            let after = asked().await?;
            ensure!(after == before + calls, "{what}: {} calls instead of {calls}", after - before);
            anyhow::Ok(after)
        };
        let mut seen = asked().await?;
        place.make(autoscaler(place, "StatefulSet", "web", 1, 5)).await?;
        seen = is_asked("a new one above one", worth, seen).await?;
        patch(place, "HorizontalPodAutoscaler", json!({"spec": {"maxReplicas": 6}})).await?;
        seen = is_asked("a raise", worth, seen).await?;
        patch(place, "HorizontalPodAutoscaler", json!({"spec": {"scaleTargetRef": {"name": "shop"}}})).await?;
        seen = is_asked("another target", worth, seen).await?;
        for change in 0..20 {
            let behavior = json!({"scaleDown": {"stabilizationWindowSeconds": change}});
            let labels = json!({"change": change.to_string()});
            patch(
                place,
                "HorizontalPodAutoscaler",
                json!({"metadata": {"labels": labels}, "spec": {"behavior": behavior}}),
            )
            .await?;
        }
        let status = format!("{}/status", place.path("HorizontalPodAutoscaler", Some("web")));
        let body = json!({"status": {"desiredReplicas": 3, "currentReplicas": 3}}).to_string();
        let content = Some(("application/merge-patch+json", body));
        api::call(&lab.client(), Method::PATCH, &status, content, None).await?.success()?;
        place.make(keda(place, "sleeps", json!({"scaleTargetRef": {"name": "web"}, "maxReplicaCount": 1}))).await?;
        seen = is_asked("what changes neither bounds nor target", 0, seen).await?;
        place.make(keda(place, "web", other.clone())).await?;
        seen = is_asked("a new ScaledObject without a maximum", worth, seen).await?;
        for _ in 0..5 {
            patch(place, "ScaledObject", json!({"spec": {"triggers": [{"type": "cron", "metadata": {"at": "now"}}]}}))
                .await?;
        }
        patch(place, "HorizontalPodAutoscaler", json!({"spec": {"maxReplicas": 1}})).await?;
        place.delete("HorizontalPodAutoscaler", "web").await?;
        is_asked("another trigger, a maximum of one, a deletion", 0, seen).await?;
    }
    Ok(())
}

/// Without KEDA there is nothing to watch, and no trouble. Once its kind is served, what could scale a singleton is told of
/// within half a minute, without a restart.
async fn scaled_objects_are_watched_once_they_are_served(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    // A kind that no other test leaves an autoscaler of.
    place.create("ReplicationController", "ledger", json!({})).await?;
    let is_counted = async |count: u64| {
        let counts = counted(lab, "replicationcontrollers").await?;
        anyhow::Ok(counts.iter().all(|counted| *counted == count))
    };
    lab.kubectl(&["delete", "crd", "scaledobjects.keda.sh", "--ignore-not-found"]).await?.success()?;
    let synced = "singleton_guard_cache_synced{resource=\"scaledobjects\"}";
    place
        .until("nobody to follow ScaledObjects", async || {
            Ok(metrics(lab).await?.values().all(|text| !text.contains(synced)))
        })
        .await?;
    definitions::establish(lab, &[definitions::scaled_object()]).await?;
    let object = json!({"kind": "ScaledObject", "metadata": {"name": "ledger"}, "spec": {"scaleTargetRef": {"apiVersion": "v1", "kind": "ReplicationController", "name": "ledger"}}});
    let content = Some(("application/json", complete(&object, &place.namespace).to_string()));
    // The glass is broken, or it would be refused.
    let path = place.path("ScaledObject", None);
    api::call(&lab.client(), Method::POST, &path, content, Some(&unguarded())).await?.success()?;
    both_are_told(&place, "ScaledObject", "ReplicationController", "spec.maxReplicaCount", 100).await?;
    place
        .until("both replicas to follow ScaledObjects, and to count it", async || {
            let follows = format!("{synced} 1");
            let all_follow = metrics(lab).await?.values().all(|text| text.contains(&follows));
            Ok(all_follow && is_counted(1).await?)
        })
        .await?;
    place.delete("ScaledObject", "ledger").await?;
    place.until("it not to be counted any more", async || is_counted(0).await).await
}

/// The guard's advice is missed, and nothing else: those of unmarked workloads and of singletons are created and changed.
async fn with_every_replica_dead_they_are_created_and_changed(lab: &Lab) -> Result<()> {
    let (listed, elsewhere) = (Place::new(lab).await?, Place::new(lab).await?);
    listed.create("StatefulSet", "ledger", json!({})).await?;
    until_refused(&listed, "StatefulSet").await?;
    let pods = both_ready(lab).await?;
    for pod in &pods {
        lab.node().hold(pod);
        lab.node().kill(pod, Signal::Kill).await?;
    }
    let written = async {
        for (place, target) in [(&listed, "web"), (&elsewhere, "web"), (&listed, "ledger")] {
            let object = autoscaler(place, "StatefulSet", target, 1, 5);
            create(place, &object, "").await?.success().with_context(|| format!("a new one of {target}"))?;
            let raise = json!({"spec": {"maxReplicas": 7}});
            place
                .patch("HorizontalPodAutoscaler", target, raise)
                .await
                .with_context(|| format!("a raise for {target}"))?;
            place.delete("HorizontalPodAutoscaler", target).await?;
        }
        anyhow::Ok(())
    }
    .await;
    for pod in &pods {
        lab.node().release(pod);
    }
    both_ready(lab).await?;
    written?;
    until_refused(&listed, "StatefulSet").await
}

/// Waits until a dry run for the singleton `ledger` is refused: the guard has seen it, and the API server asks.
async fn until_refused(place: &Place<'_>, kind: &str) -> Result<()> {
    place
        .until("an autoscaler to be refused", async || {
            let answer = create(place, &autoscaler(place, kind, "ledger", 1, 5), "dryRun=All").await?;
            Ok(answer.message().starts_with("SG003"))
        })
        .await
}

async fn create(place: &Place<'_>, object: &Value, query: &str) -> Result<Answer> {
    let path = format!("{}?{query}", place.path("HorizontalPodAutoscaler", None));
    let content = Some(("application/json", object.to_string()));
    api::call(&place.lab.client(), Method::POST, &path, content, None).await
}

/// Called as its target is.
fn autoscaler(place: &Place<'_>, kind: &str, name: &str, min: u32, max: u32) -> Value {
    let target = json!({"apiVersion": "apps/v1", "kind": kind, "name": name});
    let spec = json!({"scaleTargetRef": target, "minReplicas": min, "maxReplicas": max});
    complete(&json!({"kind": "HorizontalPodAutoscaler", "metadata": {"name": name}, "spec": spec}), &place.namespace)
}
