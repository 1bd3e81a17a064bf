//! How many Pods each workload has, at every revision: one watch, from before the first Pod on, nothing sampled.
//!
//! It holds its own picture of the Pods, changed by one event at a time in the order of resourceVersions. A question is
//! answered only when that picture is the one that the API server lists, so no event can be missing.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use kube::{Client, ResourceExt as _};

use crate::lab::watch::Watch;

/// The Pods of namespace `default`, and all that has happened to them.
pub(crate) struct Census {
    client: Client,
    watch: Watch<Pod>,
    revision: u64,
    pods: BTreeMap<String, Seen>,
    moments: Vec<Moment>,
}

/// The state of affairs right after one event.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    /// The resourceVersion of the event.
    pub(crate) revision: u64,
    /// The workload, by the label `app` of its Pods.
    pub(crate) workload: String,
    /// The Pod that the event is about.
    pub(crate) pod: String,
    /// What that Pod is now.
    pub(crate) state: State,
    /// What it was before, if it was there.
    before: Option<State>,
    /// The Pods of the workload that exist and are not terminating.
    pub(crate) pods: usize,
    /// Those that are terminating.
    pub(crate) terminating: usize,
}

impl Moment {
    /// Whether the Pod is something that it was not before.
    pub(crate) fn is_news(&self) -> bool {
        self.before != Some(self.state)
    }

    /// Whether this is the Pod's first moment.
    fn is_birth(&self) -> bool {
        self.before.is_none()
    }
}

/// A Pod's life, as far as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It exists.
    Created,
    /// Its condition `Ready` is true.
    Ready,
    /// It has a deletionTimestamp.
    Terminating,
    /// It does not exist any more.
    Gone,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Ready => "ready",
            Self::Terminating => "terminating",
            Self::Gone => "gone",
        })
    }
}

#[derive(Debug)]
struct Seen {
    workload: String,
    revision: u64,
    state: State,
}

impl Census {
    /// Starts to count. There must be no Pod yet.
    pub(crate) async fn start(client: Client) -> Result<Self> {
        let list = api(&client).list(&ListParams::default()).await?;
        ensure!(list.items.is_empty(), "there are Pods in the namespace {NAMESPACE} already");
        let revision = list.metadata.resource_version.unwrap_or_default().parse()?;
        let watch = open(&client, revision).await?;
        Ok(Self { client, watch, revision, pods: BTreeMap::new(), moments: Vec::new() })
    }

    /// Where the record stands: for [`Census::since`].
    pub(crate) fn now(&self) -> usize {
        self.moments.len()
    }

    /// All that has happened to a workload since then.
    pub(crate) fn since(&self, then: usize, workload: &str) -> impl Iterator<Item = &Moment> {
        self.moments.iter().skip(then).filter(move |moment| moment.workload == workload)
    }

    /// The Pods of a workload that exist now and are not terminating.
    pub(crate) fn count(&self, workload: &str) -> usize {
        self.states(workload).filter(|state| *state != State::Terminating).count()
    }

    /// The most Pods that a workload has had at any revision since then, and now.
    pub(crate) fn most(&self, then: usize, workload: &str) -> usize {
        self.since(then, workload).map(|moment| moment.pods).chain([self.count(workload)]).max().unwrap_or_default()
    }

    /// Waits until `born` Pods of a workload have been created since then, and it has exactly `wanted`: all of them
    /// ready, none terminating.
    pub(crate) async fn settle(&mut self, then: usize, workload: &str, born: usize, wanted: usize) -> Result<()> {
        let started = Instant::now();
        loop {
            let is_current = self.catch_up().await?;
            let births = self.since(then, workload).filter(|moment| moment.is_birth()).count();
            let all_ready = self.states(workload).all(|state| state == State::Ready);
            if is_current && all_ready && self.count(workload) == wanted && births >= born {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                let states: Vec<String> = self.states(workload).map(|state| state.to_string()).collect();
                bail!(
                    "expected {wanted} ready Pods of {workload} and at least {born} created; after {} s there are {} \
                     ({}) and {births} were created",
                    PATIENCE.as_secs(),
                    states.len(),
                    states.join(", "),
                );
            }
        }
    }

    /// Applies what has arrived, and tells whether the picture now is the one that the API server lists.
    async fn catch_up(&mut self) -> Result<bool> {
        // Nothing is lost when the waiting is given up.
        while let Ok(event) = tokio::time::timeout(QUIET, self.watch.next()).await {
            match event? {
                Some(event) => self.apply(event)?,
                // The server ends every watch after some minutes; the next one continues where it ended.
                None => self.watch = open(&self.client, self.revision).await?,
            }
        }
        // Without a resourceVersion: what is stored now, not what a cache remembers.
        let list = api(&self.client).list(&ListParams::default()).await?;
        let listed: BTreeMap<String, u64> = list.items.iter().map(identity).collect::<Result<_>>()?;
        let seen = self.pods.iter().map(|(uid, pod)| (uid.clone(), pod.revision)).collect();
        Ok(listed == seen)
    }

    fn apply(&mut self, event: WatchEvent<Pod>) -> Result<()> {
        let (pod, is_gone) = match event {
            WatchEvent::Added(pod) | WatchEvent::Modified(pod) => (pod, false),
            WatchEvent::Deleted(pod) => (pod, true),
            WatchEvent::Bookmark(_) => return Ok(()),
            WatchEvent::Error(status) => bail!("the watch of Pods broke: {}", status.message),
        };
        let (uid, revision) = identity(&pod)?;
        ensure!(revision > self.revision, "the watch of Pods went from {} back to {revision}", self.revision);
        self.revision = revision;
        let workload = pod.labels().get("app").cloned().unwrap_or_default();
        let state = if is_gone { State::Gone } else { state(&pod) };
        let before = self.pods.remove(&uid);
        if !is_gone {
            self.pods.insert(uid, Seen { workload: workload.clone(), revision, state });
        }
        self.moments.push(Moment {
            revision,
            pod: pod.name_any(),
            state,
            before: before.map(|before| before.state),
            pods: self.count(&workload),
            terminating: self.states(&workload).filter(|state| *state == State::Terminating).count(),
            workload,
        });
        Ok(())
    }

    fn states<'a>(&'a self, workload: &'a str) -> impl Iterator<Item = State> + 'a {
        self.pods.values().filter(move |pod| pod.workload == workload).map(|pod| pod.state)
    }
}

async fn open(client: &Client, revision: u64) -> Result<Watch<Pod>> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods");
    Watch::open(client, &path, &WatchParams::default(), &revision.to_string()).await
}

fn api(client: &Client) -> Api<Pod> {
    Api::namespaced(client.clone(), NAMESPACE)
}

/// The uid, and the resourceVersion as the number that it is allowed to be compared as (KEP-5504).
fn identity(pod: &Pod) -> Result<(String, u64)> {
    let revision = pod.resource_version().unwrap_or_default();
    let revision = revision.parse().with_context(|| format!("the resourceVersion {revision:?} is no number"))?;
    Ok((pod.uid().unwrap_or_default(), revision))
}

fn state(pod: &Pod) -> State {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    match (&pod.metadata.deletion_timestamp, ready) {
        (Some(_), _) => State::Terminating,
        (None, true) => State::Ready,
        (None, false) => State::Created,
    }
}

/// Where the story plays: kubectl needs no `--namespace` for it.
const NAMESPACE: &str = "default";
/// No event for that long, and the API server is asked whether there are more.
const QUIET: Duration = Duration::from_millis(25);
/// How long a controller may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
