//! What a drain, an eviction and a second apply meet: the real kubectl and helm against companions of ours.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result, ensure};
use http::Method;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::common::api;
use crate::common::place::{KINDS, Place, budget_name, service_name};
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::{MARK, complete, with};

stories!(
    a_drain_passes_waits_and_passes_with_consent,
    a_pod_that_is_not_ready_can_be_evicted_in_every_mode,
    a_second_apply_a_diff_and_an_upgrade_move_nothing,
);

/// `allow`: it finishes. `block`: it waits, an open window lets it through, and afterwards it waits again.
async fn a_drain_passes_waits_and_passes_with_consent(lab: &Lab) -> Result<()> {
    for kind in ["Deployment", "StatefulSet"] {
        drain_of(lab, kind).await.with_context(|| kind.to_owned())?;
    }
    Ok(())
}

async fn drain_of(lab: &Lab, kind: &str) -> Result<()> {
    let place = Place::new(lab).await?;
    let app = format!("drained-{}", place.namespace);
    let labels = json!({"app": app});
    // A Pod that ends at once is followed by one of the same name before the disruption controller has seen it end; then
    // that controller holds the next Pod of a StatefulSet for evicted, for two minutes (DeletionTimeout).
    let template = json!({"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 2}});
    let spec = json!({"spec": {"selector": {"matchLabels": labels}, "template": template}});
    place.create(kind, "ledger", spec).await?;
    let name = budget_name("ledger", kind);
    let settled = async |allowed: i64| {
        place
            .until(&format!("{allowed} disruptions are allowed"), async || {
                let budget = place.get("PodDisruptionBudget", &name).await?.unwrap_or_default();
                let is_seen = budget["status"]["observedGeneration"] == budget["metadata"]["generation"];
                let is_counted = budget["status"]["currentHealthy"] == 1;
                let pods = place.list("Pod").await?;
                let is_whole = pods.len() == 1
                    && pods[0]["metadata"].get("deletionTimestamp").is_none()
                    && pods[0]["status"]["phase"] == "Running";
                Ok(is_seen && is_counted && is_whole && budget["status"]["disruptionsAllowed"] == allowed)
            })
            .await
    };
    let selector = format!("--pod-selector=app={app}");
    let drain = async |timeout: &str| {
        let done = lab.kubectl(&["drain", "lab-node", &selector, timeout]).await;
        // At once: other tests need the Node.
        lab.kubectl(&["uncordon", "lab-node"]).await?.success()?;
        done
    };
    settled(1).await?;
    drain("--timeout=30s").await?.success()?;

    place.annotate(kind, "ledger", json!({"singleton-guard.io/disruption": "block"})).await?;
    settled(0).await?;
    let waited = drain("--timeout=8s").await?;
    ensure!(!waited.succeeded() && waited.stderr.contains("Cannot evict pod"), "{}", waited.stderr);

    let closes = SystemTime::now() + WINDOW;
    let until = OffsetDateTime::from(closes).format(&Rfc3339)?;
    place.annotate(kind, "ledger", json!({"singleton-guard.io/disruption-allowed-until": until})).await?;
    settled(1).await?;
    let events = place.events("SingletonDisruptionAllowed").await?;
    ensure!(events.len() == 1, "the open window must be said once: {events:?}");
    drain("--timeout=30s").await?.success()?;
    settled(0).await?;
    let pod = running(&place).await?.unwrap_or_default();
    let refused = place.evict(&pod, &json!({}), None).await?;
    ensure!(SystemTime::now() < closes + LATER, "it was open for longer than was consented to");
    ensure!(refused.code == 429, "the window must close by itself: {refused:?}");
    Ok(())
}

/// A Pod that is not ready can be evicted in every mode, for every kind.
async fn a_pod_that_is_not_ready_can_be_evicted_in_every_mode(lab: &Lab) -> Result<()> {
    for kind in KINDS {
        for mode in ["allow", "block", "none"] {
            let place = Place::new(lab).await?;
            let annotations = json!({"metadata": {"annotations": {"singleton-guard.io/disruption": mode}}});
            place.create(kind, "ledger", annotations).await?;
            place.service("ledger-singleton").await?;
            let name = budget_name("ledger", kind);
            if mode != "none" {
                place.budget(&name).await?;
            }
            place.until("the Pod runs", async || Ok(running(&place).await?.is_some())).await?;
            let Some(pod) = running(&place).await? else { continue };
            let path = format!("/api/v1/namespaces/{}/pods/{pod}/status", place.namespace);
            let conditions = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}, {"type": "ContainersReady", "status": "False"}]}});
            let content = Some(("application/strategic-merge-patch+json", conditions.to_string()));
            api::call(&lab.client(), Method::PATCH, &path, content, None).await?.success()?;
            if mode != "none" {
                place
                    .until("the budget counts it as unhealthy", async || {
                        let budget = place.get("PodDisruptionBudget", &name).await?.unwrap_or_default();
                        let is_seen = budget["status"]["observedGeneration"] == budget["metadata"]["generation"];
                        Ok(is_seen && budget["status"]["currentHealthy"] == 0 && budget["status"]["expectedPods"] == 1)
                    })
                    .await?;
            }
            let evicted = place.evict(&pod, &json!({}), None).await?;
            ensure!(evicted.succeeded(), "{kind} with {mode}: {evicted:?}");
        }
    }
    Ok(())
}

/// The second apply, `kubectl diff` and `helm upgrade` move neither the workload nor a companion.
async fn a_second_apply_a_diff_and_an_upgrade_move_nothing(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let mut manifests = Vec::new();
    for kind in KINDS {
        let name = format!("web-{}", kind.to_lowercase());
        let marked =
            json!({"kind": kind, "metadata": {"name": name, "labels": {MARK: "true"}}, "spec": {"replicas": 1}});
        let recreate =
            if kind == "Deployment" { json!({"spec": {"strategy": {"type": "Recreate"}}}) } else { json!({}) };
        manifests.push(complete(&with(&marked, recreate), &place.namespace));
    }
    let text = json!({"apiVersion": "v1", "kind": "List", "items": manifests}).to_string();
    lab.kubectl_with_input(&["apply", "-f", "-"], &text).await?.success()?;
    let helmed = format!("chart-{}", place.namespace);
    let chart = lab.logs().join(&helmed);
    std::fs::create_dir_all(chart.join("templates"))?;
    std::fs::write(chart.join("Chart.yaml"), format!("apiVersion: v2\nname: {helmed}\nversion: 0.1.0\n"))?;
    let theirs = json!({"kind": "StatefulSet", "metadata": {"name": "helmed", "labels": {MARK: "true"}}, "spec": {"replicas": 1}});
    std::fs::write(chart.join("templates/all.json"), complete(&theirs, &place.namespace).to_string())?;
    let chart = chart.display().to_string();
    let upgrade = ["upgrade", "--install", "helmed", &chart, "--namespace", &place.namespace];
    lab.helm(&upgrade).await?.success()?;

    place.budget(&budget_name("helmed", "StatefulSet")).await?;
    for kind in KINDS {
        place.service(&service_name(&format!("web-{}", kind.to_lowercase()))).await?;
        place.budget(&budget_name(&format!("web-{}", kind.to_lowercase()), kind)).await?;
    }
    let before = revisions(&place).await?;
    for arguments in [&["apply", "-f", "-"][..], &["apply", "--server-side", "--force-conflicts", "-f", "-"]] {
        lab.kubectl_with_input(arguments, &text).await?.success()?;
        let difference = lab.kubectl_with_input(&["diff", "-f", "-"], &text).await?;
        ensure!(difference.succeeded(), "kubectl diff: {}{}", difference.stdout, difference.stderr);
    }
    lab.helm(&upgrade).await?.success()?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = revisions(&place).await?;
    let removed = place.events("SingletonCompanionRemoved").await?;
    ensure!(before == after, "companions moved ({removed:?}):\n{before:?}\n{after:?}");
    Ok(())
}

/// The companions and their workloads. What has a status moves with that; its spec does not. (The generation of a
/// Deployment moves with its annotations too, which its controller writes.)
async fn revisions(place: &Place<'_>) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for kind in ["Service", "PodDisruptionBudget"].into_iter().chain(KINDS) {
        for object in place.list(kind).await? {
            let of = |field: &str| object["metadata"][field].clone();
            let stand = if kind == "Service" { of("resourceVersion") } else { object["spec"].clone() };
            all.push(json!([kind, of("name"), of("uid"), stand, of("labels")]));
        }
    }
    all.sort_by_key(Value::to_string);
    Ok(all)
}

async fn running(place: &Place<'_>) -> Result<Option<String>> {
    let pods = place.list("Pod").await?;
    let running = pods.iter().find(|pod| pod["status"]["phase"] == "Running");
    Ok(running.and_then(|pod| pod["metadata"]["name"].as_str().map(str::to_owned)))
}

/// A time until which consent may be given.
pub fn in_an_hour() -> Result<String> {
    Ok(OffsetDateTime::from(SystemTime::now() + Duration::from_secs(3600)).format(&Rfc3339)?)
}

/// The drain before it has taken its time, and the disruption controller takes its own.
const LATER: Duration = Duration::from_secs(15);
/// How long the consent holds: until then it must have been seen, and the drain must have passed.
const WINDOW: Duration = Duration::from_secs(20);
