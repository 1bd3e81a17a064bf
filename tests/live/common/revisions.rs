//! The Pods of a namespace at every revision: one watch from before the first of them, nothing sampled.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kube::api::{WatchEvent, WatchParams};
use serde_json::Value;
use tokio::time::timeout;

use crate::common::place::Place;
use crate::lab::watch::Watch;

/// What the watch has told so far.
pub struct Revisions {
    watch: Watch<Value>,
    pods: BTreeMap<String, Value>,
    /// The most Pods that there were at any revision.
    pub most: usize,
}

impl Revisions {
    /// From now on; there must be no Pod yet.
    pub async fn of(place: &Place<'_>) -> Result<Self> {
        let list = place.collection("Pod").await?;
        let revision = list["metadata"]["resourceVersion"].as_str().context("a list without a revision")?;
        let watch =
            Watch::open(&place.lab.client(), &place.path("Pod", None), &WatchParams::default(), revision).await?;
        Ok(Self { watch, pods: BTreeMap::new(), most: 0 })
    }

    /// Goes on, revision by revision, until the Pods are as wanted. Says which they are.
    pub async fn until(&mut self, what: &str, wanted: impl Fn(&BTreeMap<String, Value>) -> bool) -> Result<Vec<Value>> {
        loop {
            if wanted(&self.pods) {
                return Ok(self.pods.values().cloned().collect());
            }
            self.step().await.with_context(|| format!("waiting for {what}: {:#?}", self.pods))?;
        }
    }

    /// The next revision.
    pub async fn step(&mut self) -> Result<()> {
        let event = timeout(PATIENCE, self.watch.next()).await.context("no Pod has changed for long")?;
        match event?.context("the watch has ended")? {
            WatchEvent::Added(pod) | WatchEvent::Modified(pod) => {
                let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
                self.pods.insert(uid, pod);
                self.most = self.most.max(self.pods.len());
            }
            WatchEvent::Deleted(pod) => {
                self.pods.remove(pod["metadata"]["uid"].as_str().unwrap_or_default());
            }
            WatchEvent::Bookmark(_) => {}
            WatchEvent::Error(status) => bail!("the watch broke: {}", status.message),
        }
        Ok(())
    }

    /// Whether the Pod of this uid is there.
    pub fn has(&self, uid: &str) -> bool {
        self.pods.contains_key(uid)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.pods.len()
    }

    /// Until a Pod runs that is none of these uids, and nothing else is there.
    pub async fn until_another_runs(&mut self, before: &str) -> Result<Value> {
        let runs = |pods: &BTreeMap<String, Value>| {
            pods.len() == 1
                && pods.iter().all(|(uid, pod)| {
                    uid != before
                        && pod["status"]["phase"] == "Running"
                        && pod["metadata"].get("deletionTimestamp").is_none()
                })
        };
        let pods = self.until("another Pod to run", runs).await?;
        pods.into_iter().next().context("a Pod")
    }
}

const PATIENCE: Duration = Duration::from_secs(60);
