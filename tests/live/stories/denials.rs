//! What a denial leaves behind in a cluster beside its answer: an Event on the workload, and a line in the API server's
//! audit log. These tests need the guard for themselves: so many denials are told in a minute, and no more.

use anyhow::{Context as _, Result, ensure};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::{Value, json};

use crate::common::api;
use crate::common::installed::NAMESPACE;
use crate::common::place::Place;
use crate::common::workloads::both_ready;
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::{MARK, complete};
use crate::stories::configuration::metrics;
use crate::stories::modes::outputs;

stories!(
    Alone:
    a_denial_is_one_event_on_the_workload,
    a_forged_review_leaves_no_event,
    the_audit_log_has_the_verdict;
);

/// A denial is an Event on the workload, by whatever replica; its repetitions count up in that Event; a dry run and a
/// refused creation leave none.
async fn a_denial_is_one_event_on_the_workload(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let ledger = place.create("StatefulSet", "ledger", json!({})).await?;
    place.create("StatefulSet", "dry", json!({})).await?;
    refused(&place, "dry", "?dryRun=All").await?;
    let large = json!({"kind": "StatefulSet", "metadata": {"name": "large", "labels": {MARK: "true"}}, "spec": {"replicas": 2}});
    ensure!(place.make(complete(&large, &place.namespace)).await.is_err(), "two replicas were created");

    refused(&place, "ledger", "").await?;
    place.until("an Event about the denial", async || Ok(!told(&place).await?.is_empty())).await?;
    let event = told(&place).await?.remove(0);
    let regarding = &event["regarding"];
    ensure!(regarding["uid"] == ledger["metadata"]["uid"] && regarding["kind"] == "StatefulSet", "{event:#}");
    let sentence = format!(
        "SG001 StatefulSet {}/ledger is a singleton: spec.replicas must be less than or equal to 1, requested 3",
        place.namespace
    );
    ensure!(event["note"].as_str().is_some_and(|note| note.starts_with(&sentence)), "{event:#}");

    for _ in 1..REPEATED {
        refused(&place, "ledger", "").await?;
    }
    // The API server asks twice about a request that it began with an old copy of the object, and has then denied it twice.
    let denied = denied(&place);
    ensure!(denied >= REPEATED, "of {REPEATED} refusals the replicas know {denied}");
    place
        .until(&format!("the Event to count all {denied} of them"), async || {
            Ok(told(&place).await?.iter().any(|event| event["series"]["count"] == denied))
        })
        .await?;
    let told = told(&place).await?;
    ensure!(told.len() == 1, "one Event was expected: {told:#?}");
    let described = lab.kubectl(&["describe", "statefulset", "ledger", "-n", &place.namespace]).await?.success()?;
    ensure!(described.contains("SingletonScaleDenied"), "kubectl describe does not show it:\n{described}");
    let written =
        metrics(lab).await?.values().filter(|text| text.contains("denial_events_total{result=\"written\"}")).count();
    ensure!(written > 0, "no replica counts what it has written");
    Ok(())
}

/// Reviews that no API server has sent, about objects that do not exist, leave no Event, and keep no real denial from being
/// told: to each replica more than may be written in a minute.
async fn a_forged_review_leaves_no_event(lab: &Lab) -> Result<()> {
    let (place, client) = (Place::new(lab).await?, lab.client());
    place.create("StatefulSet", "ledger", json!({})).await?;
    for pod in both_ready(lab).await? {
        let pod = pod.rsplit('/').next().unwrap_or_default();
        let path = &format!("/api/v1/namespaces/{NAMESPACE}/pods/https:{pod}:10250/proxy/validate");
        let (client, namespace) = (&client, &place.namespace);
        let forged = stream::iter((0..FORGED).map(|number| async move {
            let answer = api::post(client, path, &forged(namespace, number), None).await?.success()?;
            ensure!(answer["response"]["allowed"] == false, "it was not denied: {answer}");
            anyhow::Ok(())
        }));
        forged.buffer_unordered(16).try_collect::<()>().await?;
    }
    refused(&place, "ledger", "").await?;
    place
        .until("an Event about the real denial, and no other", async || {
            let told = told(&place).await?;
            let forged = told.iter().find(|event| event["regarding"]["name"] != "ledger");
            ensure!(forged.is_none(), "a forged review was told: {forged:?}");
            Ok(!told.is_empty())
        })
        .await?;
    place
        .until("every forged review to be found out", async || {
            let texts = metrics(lab).await?;
            let counted =
                texts.values().flat_map(|text| text.lines()).filter_map(|line| line.strip_prefix(UNCONFIRMED));
            Ok(counted.filter_map(|count| count.trim().parse::<usize>().ok()).sum::<usize>() >= 2 * FORGED)
        })
        .await?;
    let told = told(&place).await?;
    ensure!(told.iter().all(|event| event["regarding"]["name"] == "ledger"), "forged reviews were told: {told:#?}");
    Ok(())
}

/// Somebody scales a singleton that there is not.
fn forged(namespace: &str, number: usize) -> Value {
    let name = format!("pay-up-or-else-{number}");
    let object = |replicas: usize| json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name, "namespace": namespace, "uid": format!("forged-{number}"), "labels": {MARK: "true"}}, "spec": {"replicas": replicas}});
    json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "forged", "resource": {"group": "apps", "version": "v1", "resource": "statefulsets"}, "name": name,
        "namespace": namespace, "operation": "UPDATE", "userInfo": {"username": "alice", "groups": ["system:authenticated"]},
        "object": object(3), "oldObject": object(1), "dryRun": false,
    }})
}

/// The audit log has what was decided, and why, under the webhook's name.
async fn the_audit_log_has_the_verdict(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    place.create("StatefulSet", "ledger", json!({})).await?;
    refused(&place, "ledger", "").await?;
    place.patch("StatefulSet", "ledger", json!({"metadata": {"labels": {MARK: null}}})).await?;
    let singleton = format!("{}/ledger", place.namespace);
    let expected = [
        (
            "scale",
            json!({"decision": "denied", "code": "SG001", "singleton": singleton, "requested-replicas": "3", "mode": "enforce"}),
        ),
        ("workload", json!({"decision": "released", "singleton": singleton, "mode": "enforce"})),
    ];
    for (row, annotations) in expected {
        place
            .until(&format!("an entry of {row}. in the audit log"), async || {
                let log = std::fs::read_to_string(lab.logs().join("audit.log")).context("the audit log")?;
                Ok(log.lines().filter(|line| line.contains(&place.namespace)).any(|line| {
                    let entry: Value = serde_json::from_str(line).unwrap_or_default();
                    // Which of a pair is asked depends on whether the namespace is listed yet.
                    [row.to_owned(), format!("{row}-elsewhere")].iter().any(|name| {
                        let said = |key: &str| &entry["annotations"][format!("{name}.singleton-guard.io/{key}")];
                        annotations.as_object().into_iter().flatten().all(|(key, value)| said(key) == value)
                    })
                }))
            })
            .await?;
    }
    Ok(())
}

async fn refused(place: &Place<'_>, name: &str, query: &str) -> Result<()> {
    let path = format!("{}/scale{query}", place.path("StatefulSet", Some(name)));
    let answer = api::merge(&place.lab.client(), &path, &json!({"spec": {"replicas": 3}}), None).await?;
    ensure!(answer.message().starts_with("SG001"), "not refused: {answer:?}");
    Ok(())
}

/// How often the replicas have denied something about the ledger, by their own logs.
fn denied(place: &Place<'_>) -> usize {
    let logs = outputs(place.lab);
    let is_one = |line: &&str| {
        let entry: Value = serde_json::from_str(line).unwrap_or_default();
        entry["message"] == "denied" && entry["namespace"] == place.namespace && entry["name"] == "ledger"
    };
    logs.iter().flat_map(|log| log.lines()).filter(is_one).count()
}

/// The Events about denials in the namespace.
async fn told(place: &Place<'_>) -> Result<Vec<Value>> {
    let events = place.list("Event").await?;
    Ok(events.into_iter().filter(|event| event["reason"] == "SingletonScaleDenied").collect())
}

/// To each replica.
const FORGED: usize = 400;
const UNCONFIRMED: &str = "singleton_guard_denial_events_total{result=\"unconfirmed\"} ";
/// How often the same is refused.
const REPEATED: usize = 25;
