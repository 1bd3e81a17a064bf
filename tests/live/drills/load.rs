//! A steady load of scale calls, half of them to be refused, half to be let through, and what became of each.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use kube::Client;
use serde_json::json;
use tokio::task::JoinSet;

use super::listed;
use crate::common::api::{self, Answer};
use crate::common::new_namespace;
use crate::common::workloads::create;
use crate::lab::Lab;

/// A singleton in a namespace that is listed, and an unmarked workload in one that is not.
pub struct Load {
    client: Client,
    marked: String,
    unmarked: String,
}

/// What became of the calls.
#[derive(Debug, Default)]
pub struct Figures {
    pub refused: usize,
    pub allowed: usize,
    /// Neither a verdict nor what was asked for: when, and in which words.
    pub failed: Vec<(Instant, String)>,
    /// The longest that a call took.
    pub longest: Duration,
}

impl Load {
    /// Makes the two workloads.
    pub async fn prepare(lab: &Lab) -> Result<Self> {
        let (marked, unmarked) = (new_namespace(lab).await?, new_namespace(lab).await?);
        let client = lab.client();
        create(&client, &marked, "StatefulSet", "ledger", true, 1).await?;
        create(&client, &unmarked, "StatefulSet", "ledger", false, 1).await?;
        listed::until_listed(&client, &marked).await?;
        Ok(Self { client, marked, unmarked })
    }

    /// The namespace with the singleton.
    pub fn marked(&self) -> &str {
        &self.marked
    }

    /// Calls without a pause worth mentioning until `work` is done.
    ///
    /// # Errors
    /// The work's, or a wrong verdict: a singleton scaled above one, or an unmarked workload refused by a rule.
    pub async fn during<T>(&self, work: impl Future<Output = Result<T>>) -> Result<(T, Figures)> {
        let mut callers = JoinSet::new();
        let (stop, _) = tokio::sync::watch::channel(false);
        for number in 0..CALLERS {
            let is_marked = number % 2 == 0;
            let namespace = if is_marked { &self.marked } else { &self.unmarked };
            let (client, namespace, stopped) = (self.client.clone(), namespace.clone(), stop.subscribe());
            callers.spawn(async move {
                let mut figures = Figures::default();
                while !*stopped.borrow() {
                    let started = Instant::now();
                    let answer = scale_in_theory(&client, &namespace).await?;
                    figures.longest = figures.longest.max(started.elapsed());
                    figures.count(is_marked, &answer)?;
                    tokio::time::sleep(PAUSE).await;
                }
                anyhow::Ok(figures)
            });
        }
        let ended_early = async {
            match callers.join_next().await {
                Some(Ok(Err(error))) => error,
                other => anyhow::anyhow!("a caller ended: {other:?}"),
            }
        };
        let done = tokio::select! {
            done = work => done?,
            error = ended_early => return Err(error),
        };
        stop.send_replace(true);
        let mut figures = Figures::default();
        while let Some(ended) = callers.join_next().await {
            figures.add(ended??);
        }
        ensure!(figures.refused > 0 && figures.allowed > 0, "the load did not run: {figures:?}");
        Ok((done, figures))
    }
}

impl Figures {
    fn count(&mut self, is_marked: bool, answer: &Answer) -> Result<()> {
        let message = answer.message();
        ensure!(!(is_marked && answer.succeeded()), "a singleton was scaled above one: {answer:?}");
        ensure!(is_marked || !message.starts_with("SG"), "an unmarked workload was refused: {answer:?}");
        if answer.succeeded() {
            self.allowed += 1;
        } else if message.starts_with("SG001") {
            self.refused += 1;
        } else {
            self.failed.push((Instant::now(), message));
        }
        Ok(())
    }

    fn add(&mut self, other: Self) {
        self.refused += other.refused;
        self.allowed += other.allowed;
        self.failed.extend(other.failed);
        self.longest = self.longest.max(other.longest);
    }
}

/// Judged like any other, and nothing is stored: no Pods come and go.
async fn scale_in_theory(client: &Client, namespace: &str) -> Result<Answer> {
    let path = format!("{}/scale?dryRun=All", api::path("StatefulSet", namespace, Some("ledger")));
    api::merge(client, &path, &json!({"spec": {"replicas": 3}}), None).await
}

/// How often the API server let a call of ours pass because it had no answer, by its own count.
pub async fn failed_open(client: &Client) -> Result<u64> {
    let metrics = client.request_text(http::Request::get("/metrics").body(Vec::new())?).await?;
    let ours = metrics.lines().filter(|line| {
        line.starts_with("apiserver_admission_webhook_fail_open_count{") && line.contains("singleton-guard.io\"")
    });
    Ok(ours.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum())
}

const CALLERS: usize = 6;
/// Leaves the machine some of its time.
const PAUSE: Duration = Duration::from_millis(5);
