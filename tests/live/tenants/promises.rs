//! What another tenant is promised, whatever somebody writes elsewhere: each promise of the documentation is kept or broken, and
//! measured.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use kube::Client;
use serde_json::{Value, json};
use singleton_guard::api::key::KEY;

use crate::common::place::{Place, budget_name, service_name};
use crate::common::workloads::{post, scale};
use crate::common::{api, eventually};
use crate::drills::listed::{ROWS, names};
use crate::lab::Lab;
use crate::spec::case::{MARK, complete, with};
use crate::stories::configuration::metrics;

/// A promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    Companions,
    Listed,
    Marked,
    Replaced,
    Drained,
    MakesWay,
    Scaled,
    Proven,
    Followed,
    Alive,
    Lean,
    Silent,
}

/// All of them, each with its sentence.
pub const PROMISES: [(Promise, &str); 12] = [
    (Promise::Companions, "a new singleton of another tenant has its companions in time"),
    (Promise::Listed, "the namespace of a new singleton is listed in time"),
    (Promise::Marked, "a workload of another tenant that is marked has its companions in time"),
    (Promise::Replaced, "a failed Pod of another tenant's strict singleton is replaced in time"),
    (Promise::Drained, "a drain evicts another tenant's singleton"),
    (Promise::MakesWay, "the budget that another tenant makes takes the place of ours, and a drain goes on"),
    (Promise::Scaled, "another tenant's singleton is refused a second replica, and its other workloads scale"),
    (Promise::Proven, "the freshness proof goes on"),
    (Promise::Followed, "every watch is up to date"),
    (Promise::Alive, "no replica is killed"),
    (Promise::Lean, "no replica holds more than 96 MiB"),
    (Promise::Silent, "no value that another tenant keeps secret is in a log of ours"),
];

/// What another tenant has before anything happens.
pub struct Tenant<'a> {
    place: Place<'a>,
    strict: Value,
    client: Client,
}

impl<'a> Tenant<'a> {
    /// Makes it, and waits until it is at rest.
    pub async fn settle(lab: &'a Lab) -> Result<Self> {
        let place = Place::new(lab).await?;
        let secret = json!({"spec": {"template": {"spec": {"containers": [
            {"name": "main", "image": "registry.example/app:1", "env": [{"name": "PASSWORD", "value": SECRET}]},
        ]}}}});
        place.create("StatefulSet", "drained", secret.clone()).await?;
        place.create("StatefulSet", "own", secret.clone()).await?;
        let key = json!({"metadata": {"labels": {MARK: "strict"}}, "spec": {"template": {"metadata": {"labels": {KEY: STRICT_POD}}}}});
        place.create("ReplicaSet", "strict", with(&secret, key)).await?;
        for name in ["plain", "later"] {
            let spec = json!({"replicas": 1, "strategy": {"type": "Recreate"}});
            let object = json!({"kind": "Deployment", "metadata": {"name": name}, "spec": spec});
            place.make(complete(&with(&object, secret.clone()), &place.namespace)).await?;
        }
        let annotation = json!({"metadata": {"annotations": {"password": SECRET}}});
        for name in ["drained", "own"] {
            let budget = budget_name(name, "StatefulSet");
            place.budget(&budget).await?;
            place.patch("PodDisruptionBudget", &budget, annotation.clone()).await?;
            let service = service_name(name);
            place.service(&service).await?;
            place.patch("Service", &service, annotation.clone()).await?;
            place
                .until("a budget that lets the Pod go", async || {
                    let budget = place.get("PodDisruptionBudget", &budget).await?.unwrap_or_default();
                    Ok(budget["status"]["disruptionsAllowed"] == 1)
                })
                .await?;
        }
        let runs =
            || async { Ok(place.get("Pod", STRICT_POD).await?.filter(|pod| pod["status"]["phase"] == "Running")) };
        let strict = eventually("the strict singleton to run", runs).await?;
        let client = lab.client();
        Ok(Self { place, strict, client })
    }

    /// A new namespace with a new singleton: the time until it has its companions, and until the namespace is listed.
    pub async fn starts(&self) -> (Result<Duration>, Result<Duration>) {
        let born = async {
            let place = Place::new(self.place.lab).await?;
            let started = Instant::now();
            let made = place.create("StatefulSet", "ledger", json!({})).await?;
            anyhow::Ok((place, made, started))
        };
        match born.await {
            Ok((place, made, started)) => tokio::join!(
                until(started, || has_companions(&place, &made)),
                until(started, || is_listed(&self.client, &place.namespace))
            ),
            Err(error) => {
                let error = format!("a new singleton was not made: {error:#}");
                (Err(anyhow::anyhow!(error.clone())), Err(anyhow::anyhow!(error)))
            }
        }
    }

    /// A workload from before gets the mark.
    pub async fn marks(&self) -> Result<Duration> {
        let started = Instant::now();
        let made = self.place.patch("Deployment", "later", json!({"metadata": {"labels": {MARK: "true"}}})).await?;
        until(started, || has_companions(&self.place, &made)).await
    }

    /// The strict singleton's Pod fails.
    pub async fn fails(&self) -> Result<Duration> {
        let path = format!("{}/status", self.place.path("Pod", Some(STRICT_POD)));
        let started = Instant::now();
        api::merge(&self.client, &path, &json!({"status": {"phase": "Failed", "reason": "Evicted"}}), None)
            .await?
            .success()?;
        until(started, || async {
            let pod = self.place.get("Pod", STRICT_POD).await?.unwrap_or_default();
            Ok(pod["status"]["phase"] == "Running" && pod["metadata"]["uid"] != self.strict["metadata"]["uid"])
        })
        .await
    }

    /// A node is drained.
    pub async fn is_drained(&self) -> Result<Duration> {
        until(Instant::now(), || self.evicts("drained-0")).await
    }

    /// It makes a budget of its own, and then a node is drained.
    pub async fn makes_a_budget(&self) -> Result<Duration> {
        let spec = json!({"maxUnavailable": 1, "selector": {"matchLabels": {"app": "own"}}});
        let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "own"}, "spec": spec});
        let started = Instant::now();
        self.place.make(budget).await?;
        until(started, || async {
            let ours = self.place.get("PodDisruptionBudget", &budget_name("own", "StatefulSet")).await?;
            Ok(ours.is_none() && self.evicts("own-0").await?)
        })
        .await
    }

    /// It scales what is a singleton, and what is not: the longer of the two.
    pub async fn scales(&self) -> Result<Duration> {
        let (client, namespace) = (&self.client, &self.place.namespace);
        let started = Instant::now();
        let refused = scale(client, namespace, "StatefulSet", "drained", 3, None).await?;
        ensure!(refused.message().starts_with("SG001"), "a second replica of a singleton: {refused:?}");
        let first = started.elapsed();
        let started = Instant::now();
        scale(client, namespace, "Deployment", "plain", 2, None).await?.success()?;
        Ok(first.max(started.elapsed()))
    }

    /// Increases of what is not marked are answered without a question again.
    pub async fn is_proven(&self) -> Result<Duration> {
        let namespace = &self.place.namespace;
        post(&self.client, namespace, "Deployment", "proven", false, 1, None).await?.success()?;
        let (started, before) = (Instant::now(), self.proofs().await?);
        until(started, || async {
            for replicas in [2, 1] {
                scale(&self.client, namespace, "Deployment", "proven", replicas, None).await?.success()?;
            }
            Ok(self.proofs().await? > before)
        })
        .await
    }

    /// Takes all of it away.
    pub async fn leave(self) -> Result<()> {
        let arguments = ["delete", "namespace", &self.place.namespace, "--wait=false"];
        self.place.lab.kubectl(&arguments).await?.success().map(drop)
    }

    async fn evicts(&self, pod: &str) -> Result<bool> {
        Ok(self.place.evict(pod, &json!({}), None).await?.succeeded())
    }

    async fn proofs(&self) -> Result<u64> {
        let texts = metrics(self.place.lab).await?;
        let lines = texts.values().flat_map(|text| text.lines());
        let proofs = lines.filter_map(|line| line.strip_prefix(PROOFS)?.parse::<u64>().ok());
        Ok(proofs.sum())
    }
}

/// Every watch of every replica says that it is up to date, within the patience of this test.
pub async fn all_follow(lab: &Lab) -> Result<Duration> {
    let behind = async || {
        let texts = metrics(lab).await?;
        let watches: Vec<_> =
            texts.values().flat_map(|text| text.lines()).filter(|line| line.starts_with(SYNCED)).collect();
        ensure!(!watches.is_empty(), "no replica says what it watches");
        let behind = watches.into_iter().filter(|line| line.ends_with(" 0"));
        anyhow::Ok(behind.map(str::to_owned).collect::<Vec<_>>())
    };
    let took = until(Instant::now(), || async { Ok(behind().await?.is_empty()) }).await;
    match took {
        Ok(took) => Ok(took),
        Err(error) => Err(error.context(format!("not up to date: {:?}", behind().await?))),
    }
}

/// Whether no log of any Pod of ours holds the secret of a tenant, or has ever held it.
pub fn is_silent(lab: &Lab) -> Result<()> {
    let logs = lab.logs().parent().context("a work directory")?.join("pods");
    for entry in std::fs::read_dir(&logs)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
            let told = text.lines().filter(|line| line.contains(SECRET)).count();
            ensure!(told == 0, "{} has {told} lines with the secret", path.display());
        }
    }
    Ok(())
}

/// A Service and a budget that the workload owns.
async fn has_companions(place: &Place<'_>, workload: &Value) -> Result<bool> {
    for kind in ["Service", "PodDisruptionBudget"] {
        let owned = |object: &Value| object["metadata"]["ownerReferences"][0]["uid"] == workload["metadata"]["uid"];
        if !place.list(kind).await?.iter().any(owned) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// In all three configurations.
async fn is_listed(client: &Client, namespace: &str) -> Result<bool> {
    for row in ROWS {
        if !names(client, row).await?.is_some_and(|names| names.contains(namespace)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// How long after `started` it was so.
async fn until<F: Future<Output = Result<bool>>>(started: Instant, mut probe: impl FnMut() -> F) -> Result<Duration> {
    while !probe().await? {
        ensure!(started.elapsed() < PATIENCE, "not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(started.elapsed())
}

/// What no log may hold.
const SECRET: &str = "planted-0b1c7f-of-another-tenant";
/// The name of a strict ReplicaSet's Pod.
const STRICT_POD: &str = "strict-rs";
const PROOFS: &str = "singleton_guard_freshness_proofs_total{result=\"unmarked\"} ";
const SYNCED: &str = "singleton_guard_cache_synced{";
/// No promise gives more time than this.
const PATIENCE: Duration = Duration::from_secs(60);
