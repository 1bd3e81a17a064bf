//! The watch behind the checker of revisions. A watch that is cut goes on from the last revision that was seen; 410, or
//! anything else that cannot be made good, breaks the checker for ever. At the end a list that no cache has answered
//! tells whether the picture is the server's.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use kube::Client;
use kube::api::WatchParams;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::revisions::{Pod, Pods, Revisions, revision};
use crate::common::api;
use crate::lab::watch::Watch;

/// A checker at work.
pub struct Watching {
    client: Client,
    seen: watch::Sender<Revisions>,
    _task: JoinSet<()>,
}

impl Watching {
    /// Of all namespaces whose names begin with `prefix`; there must be no Pod in them yet.
    pub async fn start(client: Client, prefix: &str) -> Result<Self> {
        let first = list(&client).await?;
        let prefixed = |pod: &&Pod| pod.metadata.namespace.starts_with(prefix);
        ensure!(!first.items.iter().any(|pod| prefixed(&pod)), "there are Pods in {prefix}* already");
        let (seen, _) = watch::channel(Revisions::after(revision(&first.metadata.resource_version)?, prefix));
        let mut task = JoinSet::new();
        task.spawn(follow(client.clone(), seen.clone()));
        Ok(Self { client, seen, _task: task })
    }

    /// What it has seen so far.
    pub fn seen<T>(&self, read: impl FnOnce(&Revisions) -> T) -> T {
        read(&self.seen.borrow())
    }

    /// Waits until the Pods are as wanted, and says for how long; `None` where that took longer than this.
    pub async fn until(&self, within: Duration, wanted: impl Fn(&Revisions) -> bool) -> Result<Option<Duration>> {
        let (started, mut seen) = (Instant::now(), self.seen.subscribe());
        let found = timeout(within, seen.wait_for(|seen| seen.broken.is_some() || wanted(seen))).await;
        let Ok(found) = found else { return Ok(None) };
        match &found?.broken {
            Some(broken) => Err(anyhow!("the checker of revisions is blind: {broken}")),
            None => Ok(Some(started.elapsed())),
        }
    }

    /// Compares with what the API server reads from etcd.
    pub async fn agrees(&self) -> Result<()> {
        let (started, mut difference) = (Instant::now(), String::new());
        while started.elapsed() < PATIENCE {
            let list = list(&self.client).await?;
            let listed = revision(&list.metadata.resource_version)?;
            // What comes after the list is not in it: then another one is asked for.
            self.until(A_MOMENT, |seen| seen.revision() >= listed).await?;
            match self.seen(|seen| seen.differs_from(&list))? {
                None => return Ok(()),
                Some(differs) => difference = differs,
            }
        }
        Err(anyhow!("the picture is not the server's: {difference}"))
    }
}

async fn follow(client: Client, seen: watch::Sender<Revisions>) {
    while let Err(cut) = follow_once(&client, &seen).await {
        if let Cut::Broken(why) = cut {
            seen.send_modify(|seen| seen.broken = Some(why));
            return;
        }
        sleep(AGAIN).await;
    }
}

/// Why a watch has ended.
enum Cut {
    /// The connection; another one goes on where it ended.
    Connection,
    /// What was missed cannot be had any more.
    Broken(String),
}

async fn follow_once(client: &Client, seen: &watch::Sender<Revisions>) -> Result<(), Cut> {
    let from = seen.borrow().revision().to_string();
    let opened = Watch::<Pod>::open(client, "/api/v1/pods", &WatchParams::default(), &from).await;
    let mut events = opened.map_err(|error| {
        let said = format!("{error:#}");
        if said.contains("410 Gone") { Cut::Broken(said) } else { Cut::Connection }
    })?;
    while let Ok(Some(event)) = events.next().await {
        let mut applied = Ok(());
        seen.send_modify(|seen| applied = seen.apply(event));
        applied.map_err(|error| Cut::Broken(format!("{error:#}")))?;
    }
    Err(Cut::Connection)
}

/// Without a resourceVersion: what is stored, not what a cache remembers.
async fn list(client: &Client) -> Result<Pods> {
    let listed = api::read(client, "/api/v1/pods").await?.success()?;
    serde_json::from_value(listed).context("reading a list of Pods")
}

const AGAIN: Duration = Duration::from_millis(100);
/// For a watch to bring what a list has.
const A_MOMENT: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(60);
