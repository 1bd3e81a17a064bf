//! Strict singletons on the live cluster: one Pod at every revision, whatever people and controllers do.

mod becoming;
mod figures;
mod held_up;
mod nodes;
mod slow;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::Method;
use serde_json::{Value, json};
use singleton_guard::api::key::KEY;

use crate::common::api::{self, Answer};
use crate::common::place::Place;
use crate::common::revisions::Revisions;
use crate::common::workloads::both_ready;
use crate::common::{eventually, unguarded};
use crate::harness::{Story, stories};
use crate::lab::Lab;
use crate::lab::binaries::is_oldest;
use crate::lab::component::Signal;
use crate::spec::case::{MARK, User};

stories!(
    Beside:
    one_pod_at_every_revision,
    who_holds_the_name_is_said,
    a_forced_deletion_is_refused,
    a_pod_that_has_ended_gives_its_name_free,
    two_workloads_of_one_key_are_one,
    a_foreign_pod_on_the_name_is_reported,
    a_pod_that_is_relabelled_keeps_the_name,
    breaking_the_glass_does_not_bring_a_second_pod;
    Alone:
    of_many_creates_one_succeeds,
    with_every_replica_dead_the_lock_holds;
);

/// These, and those of the rooms below.
pub fn stories() -> Vec<Story> {
    [STORIES, nodes::STORIES, held_up::STORIES, becoming::STORIES, figures::STORIES].concat()
}

/// A Pod that is deleted, evicted, scaled away and back, or rolled out is followed by the next one when it is gone.
async fn one_pod_at_every_revision(lab: &Lab) -> Result<()> {
    for kind in ["StatefulSet", "ReplicaSet", "Deployment", "ReplicationController"] {
        let most = replaced_in_every_way(lab, kind, "strict").await?;
        ensure!(most == 1, "{kind}: {most} Pods at one revision");
    }
    // Or the count would prove nothing.
    let most = replaced_in_every_way(lab, "ReplicaSet", "true").await?;
    ensure!(most == 2, "a ReplicaSet that is not strict was expected to overlap: {most} Pods at most");
    Ok(())
}

async fn replaced_in_every_way(lab: &Lab, kind: &str, mark: &str) -> Result<usize> {
    let place = Place::new(lab).await?;
    let mut pods = Revisions::of(&place).await?;
    place.create(kind, "ledger", strict(mark)).await?;
    let mut pod = pods.until_another_runs("").await?;
    for way in ways(kind) {
        let name = text(&pod["metadata"]["name"]);
        take_away(&place, &mut pods, kind, &name, way, "two").await?;
        let uid = text(&pod["metadata"]["uid"]);
        pod = pods.until_another_runs(&uid).await.with_context(|| format!("{kind} ({mark}): {way}"))?;
    }
    Ok(pods.most)
}

/// The ways in which the Pod of a workload of this kind is replaced.
pub(super) fn ways(kind: &str) -> &'static [&'static str] {
    match kind {
        // No rollout.
        "ReplicaSet" | "ReplicationController" => &["delete", "evict", "0 and 1"],
        _ => &["delete", "evict", "0 and 1", "roll out"],
    }
}

/// Has the Pod of `ledger` replaced in one of the ways; a rollout is to this version.
pub(super) async fn take_away(
    place: &Place<'_>,
    pods: &mut Revisions,
    kind: &str,
    pod: &str,
    way: &str,
    version: &str,
) -> Result<()> {
    match way {
        "delete" => place.delete("Pod", pod).await?,
        "evict" => {
            // The budget is ours, and may be a moment behind.
            eventually("the eviction to be let through", || async {
                Ok(place.evict(pod, &json!({}), None).await?.succeeded().then_some(()))
            })
            .await?;
        }
        "0 and 1" => {
            place.patch(kind, "ledger", json!({"spec": {"replicas": 0}})).await?;
            pods.until("the Pod to be told", |pods| pods.values().all(is_deleted)).await?;
            place.patch(kind, "ledger", json!({"spec": {"replicas": 1}})).await?;
        }
        _ => {
            let template = json!({"metadata": {"annotations": {"version": version}}});
            place.patch(kind, "ledger", json!({"spec": {"template": template}})).await?;
        }
    }
    Ok(())
}

/// While the old Pod ends, the ReplicaSet's own Events say who holds the name, and until when.
async fn who_holds_the_name_is_said(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let mut pods = Revisions::of(&place).await?;
    place.create("ReplicaSet", "ledger", strict("strict")).await?;
    pods.until_another_runs("").await?;
    place.delete("Pod", "ledger-rs").await?;
    let words = format!("SG010 Pod {}/ledger-rs exists already on node lab-node, terminating for", place.namespace);
    place
        .until("the Event", async || Ok(place.events("FailedCreate").await?.iter().any(|note| note.contains(&words))))
        .await
}

/// A Pod that may run is given time to end, however its deletion is asked for; with the glass broken it is not.
async fn a_forced_deletion_is_refused(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let mut pods = Revisions::of(&place).await?;
    place.create("ReplicaSet", "ledger", strict("strict")).await?;
    let pod = pods.until_another_runs("").await?;
    let words = format!("SG011 Pod {}/ledger-rs may still run on node lab-node", place.namespace);
    for selection in [&["ledger-rs"][..], &["--selector=app=ledger"], &["--all"]] {
        let arguments = [&["-n", &place.namespace, "delete", "pod", "--force", "--grace-period=0"], selection].concat();
        let done = lab.kubectl(&arguments).await?;
        ensure!(!done.succeeded() && done.stderr.contains(&words), "{selection:?}: {}", done.stderr);
    }
    let now = json!({"gracePeriodSeconds": 0});
    let collection = api::call(&lab.client(), Method::DELETE, &place.path("Pod", None), Some(body(&now)), None).await?;
    ensure!(collection.message().starts_with(&words), "a collection: {collection:?}");
    // What the policy knows of Pods is a moment old.
    eventually("a forced eviction to be refused", || async {
        let answer = place.evict("ledger-rs", &json!({"gracePeriodSeconds": 0, "dryRun": ["All"]}), None).await?;
        Ok(answer.message().starts_with(&words).then_some(()))
    })
    .await?;
    let still = place.get("Pod", "ledger-rs").await?.context("the Pod is gone")?;
    ensure!(still["metadata"]["uid"] == pod["metadata"]["uid"], "it is another Pod");

    let path = place.path("Pod", Some("ledger-rs"));
    api::call(&lab.client(), Method::DELETE, &path, Some(body(&now)), Some(&unguarded())).await?.success()?;
    pods.until_another_runs(&text(&pod["metadata"]["uid"])).await.map(drop)
}

/// A Pod that has ended for good does not hold the name: it is deleted, and the next one starts.
async fn a_pod_that_has_ended_gives_its_name_free(lab: &Lab) -> Result<()> {
    let of_kind = async |kind| {
        let place = Place::new(lab).await?;
        let mut pods = Revisions::of(&place).await?;
        place.create(kind, "ledger", strict("strict")).await?;
        let pod = pods.until_another_runs("").await?;
        let path = format!("{}/status", place.path("Pod", Some(&text(&pod["metadata"]["name"]))));
        api::merge(&lab.client(), &path, &json!({"status": {"phase": "Failed", "reason": "Evicted"}}), None)
            .await?
            .success()?;
        let uid = text(&pod["metadata"]["uid"]);
        pods.until_another_runs(&uid).await.with_context(|| kind.to_owned())?;
        ensure!(pods.most == 1, "{kind}: {} Pods at one revision", pods.most);
        Ok(())
    };
    try_join_all(["ReplicaSet", "Deployment", "ReplicationController"].map(of_kind)).await.map(drop)
}

/// Two ReplicaSets with one key are one singleton: the second takes over when the first lets go, and is reminded to.
async fn two_workloads_of_one_key_are_one(lab: &Lab) -> Result<()> {
    // Its controller tries again after ever longer pauses, and may by chance do so at the very moment.
    for _ in 0..TRIES {
        let place = Place::new(lab).await?;
        let mut pods = Revisions::of(&place).await?;
        let shop = json!({"spec": {"template": {"metadata": {"labels": {KEY: "shop"}}}}});
        let overlay = crate::spec::case::with(&strict("strict"), shop);
        place.create("ReplicaSet", "blue", overlay.clone()).await?;
        let blue = pods.until_another_runs("").await?;
        place.create("ReplicaSet", "green", overlay).await?;
        let refused = format!("SG010 Pod {}/shop exists already", place.namespace);
        place
            .until("green to have been refused until its pauses are long", async || {
                let events = place.list("Event").await?;
                let of_green =
                    |event: &&Value| event["regarding"]["name"] == "green" && text(&event["note"]).contains(&refused);
                let count = |event: &Value| event["series"]["count"].as_i64().or(event["deprecatedCount"].as_i64());
                Ok(events.iter().filter(of_green).filter_map(count).max().unwrap_or(0) >= LONG_PAUSES)
            })
            .await?;
        place.patch("ReplicaSet", "blue", json!({"spec": {"replicas": 0}})).await?;
        let green = pods.until_another_runs(&text(&blue["metadata"]["uid"])).await?;
        ensure!(green["metadata"]["ownerReferences"][0]["name"] == "green", "not green's: {green}");
        ensure!(pods.most == 1, "{} Pods at one revision", pods.most);
        let set = place.get("ReplicaSet", "green").await?.unwrap_or_default();
        if set["metadata"]["annotations"].get("singleton-guard.io/reminded").is_some() {
            return Ok(());
        }
    }
    anyhow::bail!("it was never reminded in {TRIES} tries")
}

/// A foreign Pod on the name blocks, which is safe, and is said.
async fn a_foreign_pod_on_the_name_is_reported(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let squatter =
        crate::spec::case::complete(&json!({"kind": "Pod", "metadata": {"name": "ledger-rs"}}), &place.namespace);
    place.make(squatter).await?;
    place.create("ReplicaSet", "ledger", strict("strict")).await?;
    place
        .until("the Event", async || {
            let told = place.events("SingletonBlocked").await?;
            Ok(told.iter().any(|note| note.contains("ledger-rs") && note.contains("none of a strict singleton")))
        })
        .await?;
    let mut pods = Revisions::of(&place).await?;
    place.delete("Pod", "ledger-rs").await?;
    pods.until_another_runs("").await.map(drop)
}

/// A Pod that leaves its ReplicaSet's selector keeps its name and its key, so no second one starts.
async fn a_pod_that_is_relabelled_keeps_the_name(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let mut pods = Revisions::of(&place).await?;
    place.create("ReplicaSet", "ledger", strict("strict")).await?;
    pods.until_another_runs("").await?;
    place.patch("Pod", "ledger-rs", json!({"metadata": {"labels": {"app": "other"}}})).await?;
    the_next_is_refused(&place, "ledger-rs").await
}

/// What keeps the Pod one is no one's to switch off: not by the template of the ReplicaSet behind a Deployment, not with
/// the glass broken.
async fn breaking_the_glass_does_not_bring_a_second_pod(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let mut pods = Revisions::of(&place).await?;
    place.create("Deployment", "ledger", strict("strict")).await?;
    pods.until_another_runs("").await?;
    let set = text(&place.sets().await?.first().context("no ReplicaSet")?["metadata"]["name"]);
    let user = unguarded();
    let keyless = json!({"spec": {"template": {"metadata": {"labels": {KEY: null}}}}});
    let scaled = json!({"spec": {"replicas": 3}});
    for (kind, name) in [("Deployment", "ledger"), ("ReplicaSet", &set)] {
        let patched = change(&place, kind, name, &keyless, Some(&user)).await?;
        ensure!(!patched.succeeded() && patched.message().starts_with("SG012"), "{kind}: {patched:?}");
    }
    change(&place, "Deployment", "ledger", &scaled, Some(&user)).await?.success()?;
    the_next_is_refused(&place, "ledger-deploy").await
}

/// Somebody tries to make another Pod of this name and is refused.
async fn the_next_is_refused(place: &Place<'_>, name: &str) -> Result<()> {
    let refused = format!("SG010 Pod {}/{name} exists already", place.namespace);
    place
        .until("the refusal", async || Ok(place.events("FailedCreate").await?.iter().any(|it| it.contains(&refused))))
        .await?;
    let there = place.list("Pod").await?;
    ensure!(there.len() == 1, "{} Pods", there.len());
    Ok(())
}

/// Of many creates of one key, at the same time and through two API servers, exactly one succeeds.
async fn of_many_creates_one_succeeds(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let path = place.path("Pod", None);
    let pod = json!({"kind": "Pod", "metadata": {"name": "cron", "labels": {KEY: "cron"}}});
    let mut pod = crate::spec::case::complete(&pod, &place.namespace);
    pod["metadata"] = json!({"generateName": "cron-", "labels": {KEY: "cron"}});
    let (mut second, through_second) = lab.another_api_server().await?;
    let clients = [lab.client(), through_second];
    let creates = (0..CREATES).map(|number| {
        let (client, path, pod) = (clients[number % 2].clone(), path.clone(), pod.to_string());
        async move { api::call(&client, Method::POST, &path, Some(("application/json", pod)), None).await }
    });
    let answers: Vec<_> = stream::iter(creates).buffer_unordered(AT_ONCE).try_collect().await?;
    second.stop(Duration::from_secs(2)).await?;
    let made = answers.iter().filter(|answer| answer.succeeded()).count();
    ensure!(made == 1, "{made} of {CREATES} creates succeeded");
    // SG012 where we were asked for the name and did not answer in time: one that nobody has named.
    let reason = |answer: &Answer| ["SG010", "SG012"].iter().any(|code| answer.message().starts_with(code));
    let other = answers.iter().find(|answer| !answer.succeeded() && answer.code != 409 && !reason(answer));
    ensure!(other.is_none(), "refused for another reason: {other:?}");
    Ok(())
}

/// With every replica dead the lock holds, and the singleton restarts where the API server can name its Pod itself
/// (1.36); before that it starts when we are back.
async fn with_every_replica_dead_the_lock_holds(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let mut pods = Revisions::of(&place).await?;
    place.create("ReplicaSet", "ledger", strict("strict")).await?;
    let pod = pods.until_another_runs("").await?;
    let guards = both_ready(lab).await?;
    for guard in &guards {
        lab.node().hold(guard);
        lab.node().kill(guard, Signal::Kill).await?;
    }
    let dead = async {
        let other = json!({"kind": "Pod", "metadata": {"name": "other", "labels": {KEY: "ledger-rs"}}});
        let path = place.path("Pod", None);
        let answer =
            api::post(&lab.client(), &path, &crate::spec::case::complete(&other, &place.namespace), None).await?;
        ensure!(answer.message().starts_with("SG012"), "a Pod of another name: {answer:?}");
        let now = json!({"gracePeriodSeconds": 0});
        let path = place.path("Pod", Some("ledger-rs"));
        let answer = api::call(&lab.client(), Method::DELETE, &path, Some(body(&now)), None).await?;
        ensure!(answer.message().starts_with("SG011"), "a forced deletion: {answer:?}");
        place.delete("Pod", "ledger-rs").await?;
        if is_oldest() {
            let refused = async || {
                Ok(place.events("FailedCreate").await?.iter().any(|note| note.contains("its name must be ledger-rs")))
            };
            return place.until("a Pod that nobody has named to be refused", refused).await;
        }
        pods.until_another_runs(&text(&pod["metadata"]["uid"])).await.map(drop)
    };
    let outcome = dead.await;
    for guard in &guards {
        lab.node().release(guard);
    }
    both_ready(lab).await?;
    outcome?;
    pods.until_another_runs(&text(&pod["metadata"]["uid"])).await?;
    ensure!(pods.most == 1, "{} Pods at one revision", pods.most);
    Ok(())
}

pub(super) fn strict(mark: &str) -> Value {
    json!({
        "metadata": {"labels": {MARK: mark}},
        "spec": {"template": {"spec": {"terminationGracePeriodSeconds": GRACE.as_secs()}}},
    })
}

async fn change(place: &Place<'_>, kind: &str, name: &str, patch: &Value, user: Option<&User>) -> Result<Answer> {
    api::merge(&place.lab.client(), &place.path(kind, Some(name)), patch, user).await
}

pub(super) fn body(value: &Value) -> (&'static str, String) {
    ("application/json", value.to_string())
}

pub(super) fn is_deleted(pod: &Value) -> bool {
    pod["metadata"].get("deletionTimestamp").is_some()
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Long enough that two Pods would be seen beside each other.
const GRACE: Duration = Duration::from_secs(1);
/// 5 ms, doubled with each refusal: the next pause is 10 s.
const LONG_PAUSES: i64 = 11;
const TRIES: usize = 3;
const CREATES: usize = 1000;
const AT_ONCE: usize = 250;
