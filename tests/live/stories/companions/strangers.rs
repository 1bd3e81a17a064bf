//! Pods that only share the labels of a singleton, beside it: a Job's, running and completed, one without a controller, and
//! those of an unmarked Deployment that surges. They neither block the eviction of an `allow` singleton nor let a
//! `block` one go.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use http::Method;
use serde_json::{Value, json};
use singleton_guard::api::key::KEY;

use crate::common::api::{self, Answer};
use crate::common::place::{KINDS, Place, budget_name};
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::{MARK, with};
use crate::stories::companions::drain::in_an_hour;

stories!(pods_that_only_share_the_labels_block_no_eviction, pods_that_only_share_the_labels_let_no_singleton_go);

/// `allow`: an eviction passes.
async fn pods_that_only_share_the_labels_block_no_eviction(lab: &Lab) -> Result<()> {
    each(lab, async |stage| stage.passes("an eviction to pass, for `allow`").await).await
}

/// `block`: an eviction waits, and passes with consent. What is nobody's singleton need not wait.
async fn pods_that_only_share_the_labels_let_no_singleton_go(lab: &Lab) -> Result<()> {
    each(lab, async |stage| {
        let Stage { place, kind, budget, .. } = stage;
        place.annotate(kind, "ledger", json!({"singleton-guard.io/disruption": "block"})).await?;
        settled(place, budget).await?;
        for _ in 0..ATTEMPTS {
            let refused = stage.eviction().await?;
            let status = place.get("PodDisruptionBudget", budget).await?.unwrap_or_default();
            ensure!(refused.code == 429, "an eviction must wait for consent: {refused:?}, {}", status["status"]);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        for pod in stage.strangers.iter().filter(|_| !adopts(kind)) {
            let evicted = place.evict(pod, &json!({}), None).await?;
            ensure!(evicted.succeeded(), "{pod} has to wait for a consent that is not about it: {evicted:?}");
        }
        let until = json!({"singleton-guard.io/disruption-allowed-until": in_an_hour()?});
        place.annotate(kind, "ledger", until).await?;
        stage.passes("an eviction to pass, with consent").await
    })
    .await
}

/// A singleton beside strangers.
struct Stage<'a> {
    place: Place<'a>,
    kind: &'a str,
    budget: String,
    /// Pods that are not its own and carry no label of a controller like its own.
    strangers: Vec<String>,
}

/// Every kind, and strict ones.
async fn each(lab: &Lab, story: impl AsyncFn(&Stage<'_>) -> Result<()>) -> Result<()> {
    let strict = ["StatefulSet", "Deployment"].map(|kind| (kind, "strict"));
    let all = KINDS.map(|kind| (kind, "true")).into_iter().chain(strict).collect::<Vec<_>>();
    let told = all.iter().map(|(kind, mark)| {
        let story = &story;
        async move {
            let told = async { story(&Stage::set(lab, kind, mark).await?).await };
            told.await.with_context(|| format!("{kind}, {mark}"))
        }
    });
    try_join_all(told).await.map(drop)
}

impl<'a> Stage<'a> {
    async fn set(lab: &'a Lab, kind: &'a str, mark: &str) -> Result<Self> {
        let place = Place::new(lab).await?;
        let quick = json!({"spec": {"terminationGracePeriodSeconds": 2}});
        let marked = json!({"metadata": {"labels": {MARK: mark}}, "spec": {"template": quick}});
        place.create(kind, "ledger", marked).await?;
        let budget = budget_name("ledger", kind);
        place.budget(&budget).await?;
        let own = own_pod(&place).await?;
        let strangers = strangers(&place, kind, &own).await?;
        Ok(Self { place, kind, budget, strangers })
    }

    async fn eviction(&self) -> Result<Answer> {
        let pod = own_pod(&self.place).await?;
        self.place.evict(pod["metadata"]["name"].as_str().unwrap_or_default(), &json!({}), None).await
    }

    async fn passes(&self, what: &str) -> Result<()> {
        self.place.until(what, async || Ok(self.eviction().await?.succeeded())).await
    }
}

/// Whether its controller takes any Pod for its own that has its labels and no controller.
fn adopts(kind: &str) -> bool {
    matches!(kind, "ReplicaSet" | "ReplicationController")
}

/// The one Pod of the singleton, when it runs; by what the controllers of strangers do not have.
async fn own_pod(place: &Place<'_>) -> Result<Value> {
    let started = tokio::time::Instant::now();
    loop {
        let pods = place.list("Pod").await?;
        let own: Vec<_> = pods
            .iter()
            .filter(|pod| pod["metadata"]["name"].as_str().is_some_and(|name| name.starts_with("ledger")))
            .filter(|pod| pod["metadata"]["labels"].get("job-name").is_none())
            .collect();
        if let [own] = own.as_slice()
            && own["metadata"].get("deletionTimestamp").is_none()
            && is_ready(own)
        {
            return Ok((*own).clone());
        }
        ensure!(started.elapsed() < Duration::from_secs(60), "the singleton has no Pod that is ready: {own:#?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Makes them, waits until they run, and returns the names of those that do.
async fn strangers(place: &Place<'_>, kind: &str, own: &Value) -> Result<Vec<String>> {
    let labels = json!({"app": "ledger"});
    let containers = json!([{"name": "main", "image": "registry.example/app:1"}]);
    for name in ["migrate", "backup"] {
        let pod = json!({"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": containers});
        let template = json!({"metadata": {"labels": labels}, "spec": pod});
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": template, "podReplacementPolicy": "Failed"}});
        let path = format!("/apis/batch/v1/namespaces/{}/jobs", place.namespace);
        api::post(&place.lab.client(), &path, &job, None).await?.success()?;
    }
    // Two of one template are what a surge is.
    let neighbour = json!({"kind": "Deployment", "metadata": {"name": "neighbour", "namespace": place.namespace}, "spec": {
        "replicas": 2, "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"terminationGracePeriodSeconds": 1, "containers": containers}}}});
    place.make(with(&json!({"apiVersion": "apps/v1"}), neighbour)).await?;
    let mut ready = 4;
    if !adopts(kind) {
        let mut copied = own["metadata"]["labels"].clone();
        if let Some(labels) = copied.as_object_mut() {
            // A copy with the key is no Pod that anybody may make, and one with the hash would be adopted.
            labels.retain(|label, _| label != KEY && label != "pod-template-hash");
        }
        let bare = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare", "labels": copied}, "spec": {"terminationGracePeriodSeconds": 1, "containers": containers}});
        place.make(bare).await?;
        ready += 1;
    }
    let running = async || {
        let pods = place.list("Pod").await?;
        let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let names = pods.iter().filter(|pod| is_ready(pod)).map(name);
        anyhow::Ok(names.filter(|name| !name.starts_with("ledger")).collect::<Vec<_>>())
    };
    place.until("the strangers run", async || Ok(running().await?.len() == ready)).await?;
    let done = running().await?.into_iter().find(|name| name.starts_with("backup")).context("no Pod of the backup")?;
    let not = |type_: &str| json!({"type": type_, "status": "False", "reason": "PodCompleted"});
    let status = json!({"status": {"phase": "Succeeded", "conditions": [not("Ready"), not("ContainersReady")]}});
    let path = format!("{}/status", place.path("Pod", Some(&done)));
    let content = Some(("application/strategic-merge-patch+json", status.to_string()));
    api::call(&place.lab.client(), Method::PATCH, &path, content, None).await?.success()?;
    let mut names = running().await?;
    // The copy of a StatefulSet's Pod is under its budget where nothing else tells them apart.
    let is_copy = |name: &str| kind == "StatefulSet" && own["metadata"]["labels"].get(KEY).is_none() && name == "bare";
    names.retain(|name| *name != done && !name.starts_with("neighbour") && !is_copy(name));
    Ok(names)
}

/// Until the disruption controller has counted what there is.
async fn settled(place: &Place<'_>, name: &str) -> Result<()> {
    place
        .until("the budget to be counted", async || {
            let budget = place.get("PodDisruptionBudget", name).await?.unwrap_or_default();
            let is_blocking = budget["spec"].get("minAvailable").is_some_and(|bound| *bound != 0);
            Ok(is_blocking && budget["status"]["observedGeneration"] == budget["metadata"]["generation"])
        })
        .await?;
    // And again, for the Pods that have come since.
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok(())
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    pod["status"]["phase"] == "Running"
        && conditions.into_iter().flatten().any(|it| it["type"] == "Ready" && it["status"] == "True")
}

const ATTEMPTS: usize = 5;
