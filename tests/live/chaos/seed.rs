//! One seed: singletons, people and faults for a while; then everything is repaired, and every singleton must be there,
//! once.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use fastrand::Rng;
use futures_util::future::try_join_all;
use http::Method;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::timeout;

use super::faults::{Faults, Tally};
use super::form::Form;
use super::living::Living;
use super::revisions::{Pod, Revisions};
use super::rival::Rival;
use super::steps::{Step, call};
use super::watching::Watching;
use super::workloads::{Workload, populate};
use crate::common::eventually;
use crate::common::workloads::both_ready;
use crate::lab::Lab;
use crate::lab::control_plane::Part;

/// What a seed came to.
#[derive(Debug, Default)]
pub struct Figures {
    pub creations: u64,
    pub processes: u64,
    pub steps: u64,
    pub faults: Tally,
    /// From the last repair until all were there.
    pub settled: Duration,
}

impl Figures {
    /// How many faults of all kinds.
    pub fn faults(&self) -> u64 {
        self.faults.values().sum()
    }
}

/// Who looks, and who stands in the way.
pub struct Stage<'a> {
    pub lab: &'a Lab,
    pub clients: [kube::Client; 2],
    pub watching: &'a Watching,
    pub living: &'a Living,
    pub rival: &'a Rival,
}

impl Stage<'_> {
    /// Plays one seed. What of the control plane ends because another part is away is started again meanwhile, as by a
    /// kubelet.
    pub async fn play(&self, seed: u64, form: &Form) -> Result<Figures> {
        let ended = AtomicUsize::new(0);
        let revive = async {
            loop {
                tokio::time::sleep(LOOK_AGAIN).await;
                ended.fetch_add(self.lab.revive().await?, Ordering::Relaxed);
            }
        };
        let mut figures = tokio::select! {
            figures = self.play_revived(seed, form) => figures?,
            failed = revive => return failed,
        };
        if let Some(ended) = u64::try_from(ended.into_inner()).ok().filter(|ended| *ended > 0) {
            figures.faults.insert("ended by themselves", ended);
        }
        Ok(figures)
    }

    async fn play_revived(&self, seed: u64, form: &Form) -> Result<Figures> {
        let lab = self.lab;
        let workloads = populate(lab, &format!("chaos-{seed}"), "strict", form.namespaces, OF_EACH).await?;
        self.settle(&workloads).await.context("before anything has happened")?;
        let (before, (started, _)) = (self.watching.seen(created), self.living.found());
        let refused = self.rival.refused();
        let (over, is_over) = watch::channel(false);
        let mut chance = Rng::with_seed(seed);
        let Self { living, watching, .. } = *self;
        let faults = Faults { lab, living, watching, workloads: &workloads, form, over: is_over.clone() };
        let people = (0..PEOPLE).map(|number| self.person(chance.fork(), number, &workloads, is_over.clone()));
        let people = try_join_all(people.collect::<Vec<_>>());
        let faults = async {
            tokio::try_join!(
                faults.components(chance.fork()),
                faults.replicas(chance.fork()),
                faults.quotas(chance.fork()),
                faults.nodes(chance.fork()),
            )
        };
        self.rival.set(true);
        let end = async {
            tokio::time::sleep(form.span).await;
            over.send_replace(true);
            Ok(())
        };
        let played = tokio::select! {
            played = Box::pin(async { tokio::try_join!(people, faults, end) }) => played,
            found = self.found() => Err(found),
        };
        self.rival.set(false);
        let (steps, (components, replicas, quotas, nodes), ()) = played?;
        let mut figures = Figures { steps: steps.iter().sum(), ..Figures::default() };
        for tally in [components, replicas, quotas, nodes] {
            figures.faults.extend(tally);
        }
        figures.faults.insert("Pods refused by a rival", self.rival.refused() - refused);
        // First: what was found matters more than what may go wrong from here on.
        self.judge()?;
        self.repair(&workloads).await.context("repairing")?;
        figures.settled = self.settle(&workloads).await?;
        self.watching.agrees().await?;
        figures.creations = self.watching.seen(created) - before;
        figures.processes = self.living.found().0 - started;
        self.judge()?;
        for number in 0..form.namespaces {
            let namespace = format!("/api/v1/namespaces/chaos-{seed}-{number}");
            call(&lab.client(), Method::DELETE, &namespace, &json!({})).await?.success()?;
        }
        Ok(figures)
    }

    /// What the checkers find, as soon as they do: then what happened around it is still known.
    async fn found(&self) -> anyhow::Error {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            if let Err(found) = self.judge() {
                return found;
            }
        }
    }

    /// # Errors
    /// What the checkers have found.
    fn judge(&self) -> Result<()> {
        let pods = self.watching.seen(|seen| seen.count.violations.clone());
        ensure!(pods.is_empty(), "{} times two Pods; the first: {}", pods.len(), pods[0]);
        let (_, processes) = self.living.found();
        let Some(first) = processes.first() else { return Ok(()) };
        let pods = self.watching.seen(|seen| seen.count.lately(&first.identity)).join("\n    ");
        Err(anyhow!("{} times two processes; the first: {first}and its Pods:\n    {pods}", processes.len()))
    }

    /// Step after step, each on a singleton of its choice.
    async fn person(
        &self,
        mut chance: Rng,
        number: usize,
        workloads: &[Workload],
        over: watch::Receiver<bool>,
    ) -> Result<u64> {
        let (client, mut steps) = (&self.clients[number % 2], 0);
        while !*over.borrow() {
            let (step, on) = (Step::choose(&mut chance), &workloads[chance.usize(..workloads.len())]);
            let pause = Duration::from_millis(chance.u64(..PAUSE));
            // With the API server stopped nobody waits for ever.
            if let Ok(Ok(answer)) = timeout(PATIENCE, step.take(client, on)).await {
                ensure!(!(step == Step::Two && answer.succeeded()), "{on:?} was scaled to two");
                ensure!(!(step == Step::Second && answer.succeeded()), "{on:?} was given a second Pod");
            }
            steps += 1;
            tokio::time::sleep(pause).await;
        }
        Ok(steps)
    }

    /// Everybody is back, and wants one of each.
    async fn repair(&self, workloads: &[Workload]) -> Result<()> {
        let client = self.lab.client();
        if !self.is_ready_within(LIVENESS, &client).await {
            // As its kubelet would, and said, because it is worth a look.
            eprintln!("the API server does not come back: {}", self.lab.end_of_log(Part::ApiServer).await);
            self.lab.restart(Part::ApiServer).await?;
            ensure!(self.is_ready_within(LIVENESS, &client).await, "the API server does not come back at all");
        }
        both_ready(self.lab).await?;
        for namespace in workloads.iter().map(|it| &it.namespace).collect::<BTreeSet<_>>() {
            let quotas = format!("/api/v1/namespaces/{namespace}/resourcequotas");
            call(&client, Method::DELETE, &quotas, &json!({})).await?.success()?;
        }
        for workload in workloads {
            eventually(&format!("{workload:?} to be as it was"), || workload.restore(&client)).await?;
        }
        Ok(())
    }

    async fn is_ready_within(&self, patience: Duration, client: &kube::Client) -> bool {
        let ready = async {
            while !call(client, Method::GET, "/readyz", &json!(null)).await.is_ok_and(|it| it.code == 200) {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        timeout(patience, ready).await.is_ok()
    }

    /// Until each has its one Pod, ready, and nobody else is there; strangers are shown out.
    async fn settle(&self, workloads: &[Workload]) -> Result<Duration> {
        let (started, mut is_fresh) = (Instant::now(), false);
        let namespace = workloads[0].namespace.trim_end_matches(|it: char| it.is_ascii_digit());
        while started.elapsed() < SETTLED_WITHIN {
            let strays = self.watching.seen(|seen| strays(seen, namespace));
            for stray in strays {
                call(&self.lab.client(), Method::DELETE, &stray, &json!({})).await?;
            }
            if self.watching.until(LOOK_AGAIN, |seen| missing(seen, workloads).is_empty()).await?.is_some() {
                return Ok(started.elapsed());
            }
            if !is_fresh && started.elapsed() > FORGETS_AFTER {
                self.lab.restart(Part::ControllerManager).await?;
                is_fresh = true;
            }
        }
        let missing = self.watching.seen(|seen| missing(seen, workloads));
        Err(anyhow!("after {SETTLED_WITHIN:?} {} of {} are stuck: {missing:?}", missing.len(), workloads.len()))
    }
}

fn created(seen: &Revisions) -> u64 {
    seen.count.begun
}

/// The paths of Pods that nobody owns.
fn strays(seen: &Revisions, namespace: &str) -> Vec<String> {
    let ours = seen.pods().map(|(_, pod)| &pod.metadata).filter(|it| it.namespace.starts_with(namespace));
    let stray = ours.filter(|it| it.owner_references.is_empty());
    stray.map(|it| format!("/api/v1/namespaces/{}/pods/{}", it.namespace, it.name)).collect()
}

/// Those that have not exactly one Pod that is ready, and what they have.
fn missing(seen: &Revisions, workloads: &[Workload]) -> Vec<String> {
    let mut pods: HashMap<(&str, &str), Vec<&Pod>> = HashMap::new();
    for (identity, pod) in seen.pods() {
        pods.entry((&identity.namespace, &identity.key)).or_default().push(pod);
    }
    let told = |it: &Workload| {
        let has = pods.get(&(it.namespace.as_str(), it.key.as_str())).map(Vec::as_slice).unwrap_or_default();
        let is_there = matches!(has, [pod] if pod.is_ready() && !pod.metadata.owner_references.is_empty());
        let news: Vec<_> = has.iter().map(|pod| pod.news(None)).collect();
        (!is_there).then(|| format!("{}/{}: {news:?}", it.namespace, it.key))
    };
    workloads.iter().filter_map(told).collect()
}

const OF_EACH: usize = 8;
const PEOPLE: usize = 6;
/// In milliseconds, between two steps of one person, at most.
const PAUSE: u64 = 200;
const PATIENCE: Duration = Duration::from_secs(15);
/// A controller of Kubernetes that never hears of a Pod that it has made, because the API server was killed in between and
/// the Pod was gone by then, waits five minutes for it (`ExpectationsTimeout`), unless it is started again. Everybody else
/// needs seconds; our own reminders come after little more than a minute.
const FORGETS_AFTER: Duration = Duration::from_secs(75);
const SETTLED_WITHIN: Duration = Duration::from_secs(4 * 60);
/// As long as the kubelet leaves a static Pod of kubeadm that does not answer alone: eight probes, ten seconds apart.
const LIVENESS: Duration = Duration::from_secs(80);
const LOOK_AGAIN: Duration = Duration::from_secs(1);
