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

use super::actions::{Action, Outcome};
use super::watch::{self, KeyedPod};
use crate::api::kind::{Kind, Makes};
use crate::api::reference::{PodRef, Regarding};
use crate::cluster::follow::AFTER_A_PANIC;
use crate::cluster::store::{Key, Reader};
use crate::configuration::Current;
use crate::events::{Recorder, SAY_AGAIN};
use crate::index::marked::StrictWorkload;
use crate::index::{self, Entry, Index};
use crate::settings::Settings;
use crate::strict::liveness;
use crate::strict::liveness::{Reminders, Step};
use crate::telemetry::metrics::Metrics;

/// Keeps strict singletons alive.
pub struct Controller {
    client: Client,
    index: Index,
    settings: Current,
    metrics: Metrics,
    recorder: Recorder,
}

/// What this process knows.
struct State {
    marked: index::Reader,
    /// The ReplicaSets that carry a key.
    sets: Reader<(), StrictWorkload>,
    pods: Reader<(), KeyedPod>,
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
    /// How much longer this replica waits than it must. It differs between replicas, so that one of them acts and the
    /// others see it.
    jitter: Duration,
    reminders: Reminders,
    /// When the next step may be taken.
    next: Instant,
    /// Whether somebody else has the name, as far as is known.
    is_blocked: bool,
    /// When that may be said, or said again.
    tell: Instant,
}

impl Controller {
    /// `instance` names this replica in Events.
    #[must_use]
    pub fn new(client: Client, index: Index, settings: Current, metrics: Metrics, instance: String) -> Self {
        let recorder = Recorder::new(client.clone(), "singleton-guard.io/strict", "KeepStrict", instance);
        Self { client, index, settings, metrics, recorder }
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
        let actions =
            due.into_iter().map(|(uid, action)| async move { (uid, action.run(&self.client, &self.recorder).await) });
        let ended: Vec<_> = stream::iter(actions).buffer_unordered(AT_ONCE).collect().await;
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
        let jitter = JITTER.mul_f64(fastrand::f64());
        let reminders = Reminders::none_since(reminded);
        Self { under, since: now, jitter, reminders, next: now, is_blocked: false, tell: now }
    }

    /// The name was found free and the controller reminded, by whichever replica: now it has to be seen what comes of it.
    fn is_free(&mut self, now: Instant) {
        (self.is_blocked, self.tell) = (false, now);
        self.next = now + self.reminders.pause() + self.jitter;
    }
}

impl State {
    fn is_synced(&self) -> bool {
        self.marked.lock().is_synced() && self.sets.lock().is_synced() && self.pods.lock().is_synced()
    }

    /// The actions that are due, by the uid of the workload that waits. Workloads that do not wait any more are forgotten.
    fn due(&mut self, settings: &Settings, now: Instant, clock: SystemTime) -> Vec<(String, Action)> {
        let (mut waits, mut due) = (HashMap::new(), Vec::new());
        let (marked, sets, pods) = (self.marked.lock(), self.sets.lock(), self.pods.lock());
        // A ReplicaSet may be among both. A Deployment makes no Pods itself.
        let strict =
            marked.entries().filter(|(key, _)| key.of.info().makes != Makes::ReplicaSets).filter_map(|(key, entry)| {
                let workload = entry.as_ref().ok()?.strict.as_ref()?;
                Some((key.of, &key.namespace, &key.name, workload))
            });
        let sets = sets.entries().map(|(key, workload)| (Kind::REPLICA_SET, &key.namespace, &key.name, workload));
        for (kind, namespace, name, workload) in sets.chain(strict) {
            let StrictWorkload { uid, key, wants, has, reminded } = workload;
            let pod = pods.get(&Key { namespace: namespace.clone(), name: key.clone(), of: () });
            let waits_for_it = *wants && (!has || pod.is_some_and(KeyedPod::goes));
            if !waits_for_it || key.is_empty() || settings.exempts(namespace) || waits.contains_key(uid) {
                continue;
            }
            let under = pod.map(|pod| (pod.uid.clone(), pod.is_terminal));
            let known = self.waits.remove(uid).filter(|wait| wait.under == under);
            let mut wait = known.unwrap_or_else(|| Wait::new(under.clone(), *reminded, now));
            // While a Pod holds the name, reminders mean nothing and must not delay anything else.
            if wait.under.is_none() && wait.reminders.see(*reminded) {
                wait.is_free(now);
            }
            let holder = pod.map(|pod| pod.holder(clock));
            let waited = now.saturating_duration_since(wait.since).saturating_sub(wait.jitter);
            let step = liveness::step(holder.as_ref(), waited);
            let about = Regarding::workload(kind, namespace, name, uid);
            let pod_ref = PodRef { namespace: namespace.clone().into(), name: key.clone().into() };
            let action = match (step, holder) {
                _ if wait.next > now => None,
                (Step::Delete, Some(holder)) => {
                    let uid = pod.map(|pod| pod.uid.clone()).unwrap_or_default();
                    Some(Action::Delete { pod: pod_ref, uid, was_asked: holder.was_asked() })
                }
                (Step::Remind, _) => Some(Action::Remind { about, pod: pod_ref, tell: now >= wait.tell }),
                (Step::Tell, Some(holder)) if now >= wait.tell => {
                    // By the clock that the holder was seen by, so that every replica says the same.
                    Some(Action::Tell { about, note: holder.blocks(key, clock) })
                }
                _ => None,
            };
            due.extend(action.map(|action| (uid.clone(), action)));
            waits.insert(uid.clone(), wait);
        }
        self.waits = waits;
        due
    }
}

/// At most so much more than it must: long enough for what one replica writes to be seen by the others.
const JITTER: Duration = Duration::from_secs(1);
/// How often those who wait are looked at where no watch says anything: a part of [`JITTER`], or they would act together.
const TICK: Duration = Duration::from_millis(250);
/// When a step that was taken, or failed, is taken again if nothing has come of it.
const AGAIN: Duration = Duration::from_secs(5);
const AT_ONCE: usize = 8;
