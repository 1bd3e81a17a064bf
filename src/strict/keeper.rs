//! The loop: what the watches say, and for every workload that waits the next step. Everything that is remembered is
//! remembered here, by one task; while nobody waits it does nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt as _, stream};
use kube::Client;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::watch::{self, Keyed, MAKERS, News, Wanting};
use super::work::{Outcome, Work};
use crate::cluster::shelf::Shelf;
use crate::configuration::Current;
use crate::events::{Regarding, Voice};
use crate::policy::kind::{Kind, PODS};
use crate::policy::liveness::{self, Step};
use crate::policy::lookup::PodRef;
use crate::settings::Settings;
use crate::telemetry::metrics::Metrics;

/// Keeps strict singletons alive.
pub struct Keeper {
    client: Client,
    settings: Current,
    metrics: Metrics,
    voice: Voice,
}

/// What this process knows.
#[derive(Default)]
struct State {
    pods: Shelf<Keyed>,
    workloads: [Shelf<Wanting>; MAKERS.len()],
    waits: HashMap<String, Wait>,
}

/// One workload that waits, by its uid.
#[derive(Debug, Clone)]
struct Wait {
    /// The uid of the Pod that holds the name; empty for none.
    under: String,
    /// Since when.
    since: Instant,
    nudges: u32,
    /// When the next step may be taken.
    next: Instant,
    told: bool,
}

impl Keeper {
    /// `instance` names this replica in Events.
    #[must_use]
    pub fn new(client: Client, settings: impl Into<Current>, metrics: Metrics, instance: String) -> Self {
        let voice = Voice::new(client.clone(), "singleton-guard.io/strict", "KeepStrict", instance);
        Self { client, settings: settings.into(), metrics, voice }
    }

    /// Never ends.
    pub async fn run(mut self) {
        loop {
            let settings = self.settings.get();
            if settings.strict {
                self.keep(&settings).await;
            } else {
                self.settings.changed().await;
            }
        }
    }

    /// Until other things have to be watched, or none.
    async fn keep(&self, settings: &Arc<Settings>) {
        let mut watches = JoinSet::new();
        let mut news = watch::start(&self.client, &settings.mark, &self.metrics, &mut watches);
        let (mut state, mut current) = (State::default(), self.settings.clone());
        loop {
            tokio::select! {
                heard = news.recv() => {
                    let Some(heard) = heard else { break };
                    state.hear(heard, &mut news);
                }
                () = current.changed() => {
                    let now = current.get();
                    if now.mark != settings.mark || !now.strict {
                        break;
                    }
                }
                () = sleep(TICK), if !state.waits.is_empty() => {}
            }
            if state.is_synced() {
                self.pass(&mut state, &current.get()).await;
            }
        }
        self.metrics.blocked(0, Duration::ZERO);
        self.metrics.unwatched(MAKERS.map(|(name, _)| name).into_iter().chain([PODS]));
        watches.shutdown().await;
    }

    /// The next step for everybody who waits.
    async fn pass(&self, state: &mut State, settings: &Settings) {
        let (now, clock) = (Instant::now(), SystemTime::now());
        let due = state.due(settings, now, clock);
        let works = due.into_iter().map(|(uid, work)| async move { (uid, work.run(&self.client, &self.voice).await) });
        let ended: Vec<_> = stream::iter(works).buffer_unordered(AT_ONCE).collect().await;
        for (uid, outcome) in ended {
            let Some(wait) = state.waits.get_mut(&uid) else { continue };
            match outcome {
                Outcome::Nudged => {
                    wait.nudges = wait.nudges.saturating_add(1);
                    wait.next = now + liveness::pause(wait.nudges);
                }
                Outcome::Told => wait.told = true,
                Outcome::Done => wait.next = now + AGAIN,
            }
        }
        let blocked = state.waits.values().filter(|wait| wait.told);
        let longest = blocked.clone().map(|wait| now.saturating_duration_since(wait.since)).max().unwrap_or_default();
        self.metrics.blocked(blocked.count(), longest);
    }
}

impl State {
    fn is_synced(&self) -> bool {
        self.pods.is_synced && self.workloads.iter().all(|shelf| shelf.is_synced)
    }

    /// Puts it, and all that has come meanwhile, on its shelf.
    fn hear(&mut self, heard: News, more: &mut Receiver<News>) {
        let mut next = Some(heard);
        while let Some(heard) = next {
            match heard {
                News::Pod(heard) => {
                    self.pods.heed(heard, |_, _| ());
                }
                News::Workload(maker, heard) => {
                    if let Some(shelf) = self.workloads.get_mut(maker) {
                        shelf.heed(heard, |_, _| ());
                    }
                }
            }
            next = more.try_recv().ok();
        }
    }

    /// What is due now, by the uid of who waits. Who does not wait any more is forgotten.
    fn due(&mut self, settings: &Settings, now: Instant, clock: SystemTime) -> Vec<(String, Work)> {
        let (mut waits, mut due) = (HashMap::new(), Vec::new());
        for ((_, kind), shelf) in MAKERS.into_iter().zip(&self.workloads) {
            for ((namespace, name), workload) in shelf.entries() {
                let Wanting { uid, key, wants } = workload;
                if !wants || key.is_empty() || settings.exempts(namespace) || waits.contains_key(uid) {
                    continue;
                }
                let pod = self.pods.get(namespace, key);
                let under = pod.map(|pod| pod.uid.clone()).unwrap_or_default();
                let fresh = Wait { under: under.clone(), since: now, nudges: 0, next: now, told: false };
                let wait = self.waits.remove(uid).filter(|wait| wait.under == under).unwrap_or(fresh);
                let holder = pod.map(|pod| pod.holder(clock));
                let step = liveness::step(holder.as_ref(), now.saturating_duration_since(wait.since));
                let about = regarding(kind, namespace, name, uid);
                let pod_ref = PodRef { namespace: namespace.clone().into(), name: key.clone().into() };
                let work = match (step, holder) {
                    _ if wait.next > now => None,
                    (Step::Delete, _) => Some(Work::Delete { pod: pod_ref, uid: under }),
                    (Step::Nudge, _) => Some(Work::Nudge { about, pod: pod_ref }),
                    (Step::Tell, Some(holder)) if !wait.told => Some(Work::Tell { about, holder, pod: pod_ref }),
                    _ => None,
                };
                due.extend(work.map(|work| (uid.clone(), work)));
                waits.insert(uid.clone(), wait);
            }
        }
        self.waits = waits;
        due
    }
}

fn regarding(kind: Kind, namespace: &str, name: &str, uid: &str) -> Regarding {
    let info = kind.info();
    Regarding {
        group: info.group,
        kind: info.name,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
    }
}

/// How often those who wait are looked at where no watch says anything.
const TICK: Duration = Duration::from_millis(500);
/// When a step that was taken, or failed, is taken again if nothing has come of it.
const AGAIN: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 8;
