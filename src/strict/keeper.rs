//! The loop: what the watches say, and for every workload that waits the next step. Everything that is remembered is
//! remembered here, by one task; while nobody waits it does nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::{StreamExt as _, stream};
use kube::Client;
use time::OffsetDateTime;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::watch::{self, Keyed};
use super::work::{Outcome, Work};
use crate::api::kind::{Kind, Makes};
use crate::api::reference::{PodRef, Regarding};
use crate::cluster::follow::AFTER_A_PANIC;
use crate::cluster::store::{Key, Reader};
use crate::configuration::Current;
use crate::events::{SAY_AGAIN, Voice};
use crate::index::marked::Wanting;
use crate::index::{self, Entry, Index};
use crate::settings::Settings;
use crate::strict::liveness;
use crate::strict::liveness::{Reminders, Step};
use crate::telemetry::metrics::Metrics;

/// Keeps strict singletons alive.
pub struct Keeper {
    client: Client,
    index: Index,
    settings: Current,
    metrics: Metrics,
    voice: Voice,
}

/// What this process knows.
struct State {
    marked: index::Reader,
    /// The ReplicaSets that carry a key.
    sets: Reader<(), Wanting>,
    pods: Reader<(), Keyed>,
    waits: HashMap<String, Wait>,
}

/// The Pod that holds the name, if one does: its uid, and whether it has ended.
type Under = Option<(String, bool)>;

/// One workload that waits, by its uid.
#[derive(Debug, Clone)]
struct Wait {
    under: Under,
    /// Since when.
    since: Instant,
    /// By how much longer this replica waits than it must. It differs from one to the other, so that one of them acts
    /// and the others see it.
    patience: Duration,
    reminders: Reminders,
    /// When the next step may be taken.
    next: Instant,
    /// Whether somebody else has the name, as far as is known.
    is_blocked: bool,
    /// When that may be said, or said again.
    tell: Instant,
}

impl Keeper {
    /// `instance` names this replica in Events.
    #[must_use]
    pub fn new(client: Client, index: Index, settings: Current, metrics: Metrics, instance: String) -> Self {
        let voice = Voice::new(client.clone(), "singleton-guard.io/strict", "KeepStrict", instance);
        Self { client, index, settings, metrics, voice }
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
        let (pods, sets) = watch::start(&self.client, &settings.mark, &self.metrics, &mut watches);
        let (marked, sets, pods) = (self.index.reader(is_strict), sets.reader(|_, _| true), pods.reader(|_, _| true));
        let (mut state, mut current) = (State { marked, sets, pods, waits: HashMap::new() }, self.settings.clone());
        loop {
            tokio::select! {
                _ = state.marked.changed() => {}
                _ = state.sets.changed() => {}
                _ = state.pods.changed() => {}
                () = current.changed() => {
                    let now = current.get();
                    if now.mark != settings.mark || !now.strict {
                        break;
                    }
                }
                _ = watches.join_next() => {
                    sleep(AFTER_A_PANIC).await;
                    break;
                }
                () = sleep(TICK), if !state.waits.is_empty() => {}
            }
            if state.is_synced() {
                self.pass(&mut state, &current.get()).await;
            }
        }
        self.metrics.singletons.blocked(0, Duration::ZERO);
        self.metrics.watches.ended(watch::NAMES);
        watches.shutdown().await;
    }

    /// The next step for everybody who waits.
    async fn pass(&self, state: &mut State, settings: &Settings) {
        let (now, clock) = (Instant::now(), SystemTime::now());
        let due = state.due(settings, now, clock);
        let works = due.into_iter().map(|(uid, work)| async move { (uid, work.run(&self.client, &self.voice).await) });
        let ended: Vec<_> = stream::iter(works).buffer_unordered(AT_ONCE).collect().await;
        // The calls may have taken their time.
        let now = Instant::now();
        for (uid, outcome) in ended {
            let Some(wait) = state.waits.get_mut(&uid) else { continue };
            match outcome {
                Outcome::Reminded(at) => {
                    wait.reminders.give(at);
                    wait.is_free(now);
                }
                Outcome::Blocked { told } => {
                    wait.is_blocked = true;
                    if told {
                        wait.tell = now + SAY_AGAIN;
                    }
                    wait.next = now + AGAIN;
                }
                Outcome::Done => wait.next = now + AGAIN,
            }
        }
        let blocked = state.waits.values().filter(|wait| wait.is_blocked);
        let longest = blocked.clone().map(|wait| now.saturating_duration_since(wait.since)).max().unwrap_or_default();
        self.metrics.singletons.blocked(blocked.count(), longest);
    }
}

/// Whether a strict workload is or was there.
fn is_strict(before: Option<&Entry>, after: Option<&Entry>) -> bool {
    [before, after].into_iter().flatten().flatten().any(|marked| marked.strict.is_some())
}

impl Wait {
    fn new(under: Under, reminded: Option<OffsetDateTime>, now: Instant) -> Self {
        let patience = PATIENCE.mul_f64(fastrand::f64());
        let reminders = Reminders::none_since(reminded);
        Self { under, since: now, patience, reminders, next: now, is_blocked: false, tell: now }
    }

    /// The name was found free and the controller reminded, by whichever replica: now it has to be seen what comes of it.
    fn is_free(&mut self, now: Instant) {
        (self.is_blocked, self.tell) = (false, now);
        self.next = now + self.reminders.pause() + self.patience;
    }
}

impl State {
    fn is_synced(&self) -> bool {
        self.marked.lock().is_synced() && self.sets.lock().is_synced() && self.pods.lock().is_synced()
    }

    /// What is due now, by the uid of who waits. Who does not wait any more is forgotten.
    fn due(&mut self, settings: &Settings, now: Instant, clock: SystemTime) -> Vec<(String, Work)> {
        let (mut waits, mut due) = (HashMap::new(), Vec::new());
        let (marked, sets, pods) = (self.marked.lock(), self.sets.lock(), self.pods.lock());
        // A ReplicaSet may be among both. A Deployment makes no Pods itself.
        let strict =
            marked.entries().filter(|(key, _)| key.of.info().makes != Makes::ReplicaSets).filter_map(|(key, entry)| {
                let wanting = entry.as_ref().ok()?.strict.as_ref()?;
                Some((key.of, &key.namespace, &key.name, wanting))
            });
        let sets = sets.entries().map(|(key, wanting)| (Kind::REPLICA_SET, &key.namespace, &key.name, wanting));
        for (kind, namespace, name, workload) in sets.chain(strict) {
            let Wanting { uid, key, wants, has, reminded } = workload;
            let pod = pods.get(&Key { namespace: namespace.clone(), name: key.clone(), of: () });
            let waits_for_it = *wants && (!has || pod.is_some_and(Keyed::goes));
            if !waits_for_it || key.is_empty() || settings.exempts(namespace) || waits.contains_key(uid) {
                continue;
            }
            let under = pod.map(|pod| (pod.uid.clone(), pod.is_terminal));
            let known = self.waits.remove(uid).filter(|wait| wait.under == under);
            let mut wait = known.unwrap_or_else(|| Wait::new(under.clone(), *reminded, now));
            // Under a holder nobody is reminded, and nothing that has to be done may wait for it.
            if wait.under.is_none() && wait.reminders.see(*reminded) {
                wait.is_free(now);
            }
            let holder = pod.map(|pod| pod.holder(clock));
            let waited = now.saturating_duration_since(wait.since).saturating_sub(wait.patience);
            let step = liveness::step(holder.as_ref(), waited);
            let about = Regarding::workload(kind, namespace, name, uid);
            let pod_ref = PodRef { namespace: namespace.clone().into(), name: key.clone().into() };
            let work = match (step, holder) {
                _ if wait.next > now => None,
                (Step::Delete, Some(holder)) => {
                    let uid = pod.map(|pod| pod.uid.clone()).unwrap_or_default();
                    Some(Work::Delete { pod: pod_ref, uid, was_asked: holder.was_asked() })
                }
                (Step::Remind, _) => Some(Work::Remind { about, pod: pod_ref, tell: now >= wait.tell }),
                (Step::Tell, Some(holder)) if now >= wait.tell => {
                    // By the clock that the holder was seen by, so that every replica says the same.
                    Some(Work::Tell { about, note: holder.blocks(key, clock) })
                }
                _ => None,
            };
            due.extend(work.map(|work| (uid.clone(), work)));
            waits.insert(uid.clone(), wait);
        }
        self.waits = waits;
        due
    }
}

/// At most so much more than it must: long enough for what one replica writes to be seen by the others.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often those who wait are looked at where no watch says anything: a part of [`PATIENCE`], or they would act together.
const TICK: Duration = Duration::from_millis(250);
/// When a step that was taken, or failed, is taken again if nothing has come of it.
const AGAIN: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 8;
