//! The loop: news into the index, concerned workloads into the queue, a plan for each that is due, its steps carried out
//! beside the loop. Everything that is remembered is remembered here, by one task.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::deleted::Deleted;
use super::index::{Around, concerned_by_workload};
use super::memory::Memory;
use super::queue::Queue;
use super::watch;
use super::work::{Done, Failure, Left, Work};
use crate::cluster::Clock;
use crate::cluster::call::CallError;
use crate::cluster::follow::AFTER_A_PANIC;
use crate::companions::plan::{Surroundings, let_go, plan};
use crate::configuration::Current;
use crate::events::{SAY_AGAIN, Voice};
use crate::index::{Index, Key, uid_of};
use crate::settings::Settings;
use crate::telemetry::metrics::Metrics;

/// Keeps the companions of all singletons.
pub struct Controller {
    client: Client,
    index: Index,
    settings: Current,
    metrics: Metrics,
    voice: Arc<Voice>,
    clock: Clock,
}

impl Controller {
    /// `instance` names this replica in Events.
    #[must_use]
    pub fn new(client: Client, index: Index, settings: Current, metrics: Metrics, instance: String) -> Self {
        let voice = Voice::new(client.clone(), "singleton-guard.io/companions", "KeepCompanions", instance);
        Self { client, index, settings, metrics, voice: Arc::new(voice), clock: Clock::default() }
    }

    /// Times are judged by this clock.
    #[must_use]
    pub fn timed(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Never ends.
    pub async fn run(mut self) {
        loop {
            let settings = self.settings.get();
            if settings.companions.enabled {
                self.keep(settings).await;
            } else {
                self.settings.changed().await;
            }
        }
    }

    /// Until other things have to be watched, or none.
    async fn keep(&self, settings: Arc<Settings>) {
        let mut watches = JoinSet::new();
        let (services, budgets) = watch::start(&self.client, &settings, &self.metrics, &mut watches);
        let around = Around::new(&self.index, &services, &budgets);
        // What was marked before somebody listened.
        let keys = around.look().keys();
        let mut work = Loop {
            controller: self,
            settings,
            state: State::default(),
            tasks: JoinSet::new(),
            running: HashMap::new(),
            rights: HashSet::new(),
        };
        for key in keys {
            work.state.queue.add(key, JITTER.mul_f64(fastrand::f64()));
        }
        work.run(around, self.settings.clone(), &mut watches).await;
        // What was begun is finished: each call has a deadline of its own.
        while work.tasks.join_next().await.is_some() {}
        watches.shutdown().await;
        self.metrics.unwatched(watch::NAMES);
        self.metrics.without_companions();
    }
}

/// What this process knows.
#[derive(Default)]
struct State {
    queue: Queue<Key>,
    memory: HashMap<Key, Memory>,
    deleted: Deleted,
    /// Whose window of consent is open.
    windows: HashSet<Key>,
}

struct Loop<'a> {
    controller: &'a Controller,
    settings: Arc<Settings>,
    state: State,
    tasks: JoinSet<Done>,
    running: HashMap<Id, Key>,
    /// The missing rights that were said.
    rights: HashSet<String>,
}

impl Loop<'_> {
    async fn run(&mut self, mut around: Around, mut settings: Current, watches: &mut JoinSet<()>) {
        loop {
            let due = self.state.queue.next_at().filter(|_| self.tasks.len() < AT_ONCE && around.look().is_synced());
            tokio::select! {
                changes = around.marked.changed() => {
                    self.concerns(changes.into_iter().flat_map(concerned_by_workload));
                }
                changes = around.services.changed() => {
                    let look = around.look();
                    for change in &changes {
                        self.state.deleted.heed(change, &look, &self.settings.companions, self.controller.clock.now());
                    }
                    self.concerns(changes.iter().flat_map(|change| look.concerned_by(change)));
                }
                changes = around.budgets.changed() => {
                    let look = around.look();
                    self.concerns(changes.iter().flat_map(|change| look.concerned_by(change)));
                }
                ended = self.tasks.join_next_with_id(), if !self.tasks.is_empty() => {
                    if let Some(ended) = ended {
                        self.conclude(ended);
                    }
                }
                _ = watches.join_next() => {
                    sleep(AFTER_A_PANIC).await;
                    return;
                }
                () = settings.changed() => {
                    if !self.adopt(&around, settings.get()) {
                        return;
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    if let Some(key) = self.state.queue.take() {
                        self.begin(&around, key);
                        // A window may open or close without any news: after a restart, or by its own end.
                        self.controller.metrics.consent_windows(self.state.windows.len());
                    }
                }
            }
        }
    }

    /// Works by other settings from now on: everything is planned anew. Says whether that is enough; another mark has to
    /// be watched for, and who is switched off must not watch.
    fn adopt(&mut self, around: &Around, settings: Arc<Settings>) -> bool {
        if settings.mark != self.settings.mark || !settings.companions.enabled {
            return false;
        }
        self.settings = settings;
        for key in around.look().keys() {
            self.state.queue.add(key, JITTER.mul_f64(fastrand::f64()));
        }
        true
    }

    /// To be planned anew, soon.
    fn concerns(&mut self, keys: impl Iterator<Item = Key>) {
        for key in keys.collect::<BTreeSet<_>>() {
            // Two replicas that hear the same must not always write the same at the same moment.
            self.state.queue.add(key, JITTER.mul_f64(fastrand::f64()));
        }
    }

    /// Plans for one workload, and starts what the plan says.
    fn begin(&mut self, around: &Around, key: Key) {
        let look = around.look();
        let State { queue, memory, deleted, windows } = &mut self.state;
        windows.remove(&key);
        let (Controller { client, metrics, voice, clock, .. }, settings) = (self.controller, &self.settings);
        if settings.exempts(&key.namespace) {
            queue.done(&key);
            return;
        }
        let work = if let Some(entry) = look.workload(&key) {
            let uid = uid_of(entry);
            let remembered = memory.entry(key.clone()).or_default();
            if remembered.uid != uid {
                *remembered = Memory { uid: uid.to_owned(), ..Memory::default() };
            }
            if let Some(said_at) = remembered.said_at {
                let rest = SAY_AGAIN.saturating_sub(said_at.elapsed());
                if rest.is_zero() {
                    remembered.said.clear();
                    remembered.said_at = None;
                } else {
                    queue.add(key.clone(), rest);
                }
            }
            match entry {
                Ok(marked) => {
                    let now = clock.now();
                    let around = Surroundings {
                        keys_hold: settings.holds_keys(&key.namespace),
                        deleted: deleted.of(&marked.workload.uid),
                        ..look.around(&key.namespace)
                    };
                    let mut plan = plan(&marked.workload, &around, &settings.companions, now);
                    windows.extend(plan.window.map(|_| key.clone()));
                    if let Some(again) = plan.again {
                        let wait = again.duration_since(now).unwrap_or_default() + JITTER.mul_f64(fastrand::f64());
                        queue.add(key.clone(), wait);
                    }
                    let about = (&marked.workload, &around, &settings.companions);
                    if let Some(due) = remembered.patience.hold(&mut plan, about, (now, Instant::now().into_std())) {
                        let wait = due.saturating_duration_since(Instant::now().into_std());
                        queue.add(key.clone(), wait + JITTER.mul_f64(fastrand::f64()));
                    }
                    Work::keep(marked, plan, remembered)
                }
                Err(unread) => Work::unread(&key, unread, remembered),
            }
        } else {
            memory.remove(&key);
            let around = look.around(&key.namespace);
            let budgets = around.budgets.iter().copied().filter(|budget| {
                let is_its = budget.controller.as_ref().is_some_and(|owner| owner.is(key.of, &key.name));
                budget.is_ours && !budget.is_deleted && is_its
            });
            let sets = look.stamped(&key).map(|marked| marked.workload.clone());
            let let_go = let_go(key.of, &key.name, &around);
            Work::release(&key, Left { budgets: budgets.cloned().collect(), sets: sets.collect(), let_go })
        };
        let Some(work) = work else {
            queue.done(&key);
            return;
        };
        let (client, voice, metrics, settings) =
            (client.clone(), Arc::clone(voice), metrics.clone(), Arc::clone(settings));
        let task = self.tasks.spawn(async move { work.run(&client, &voice, &metrics, &settings).await });
        self.running.insert(task.id(), key);
    }

    fn conclude(&mut self, ended: Result<(Id, Done), JoinError>) {
        let (id, done) = match ended {
            Ok((id, done)) => (id, Some(done)),
            // The panic hook has said it.
            Err(error) => (error.id(), None),
        };
        let Some(key) = self.running.remove(&id) else { return };
        let State { queue, memory, .. } = &mut self.state;
        let Some(done) = done else {
            queue.failed(&key);
            return;
        };
        if let Some(remembered) = memory.get_mut(&key).filter(|remembered| remembered.uid == done.uid) {
            if remembered.said != done.said {
                // What is added is said again with the rest, or one that changes would keep the others from it.
                let said_at = remembered.said_at.unwrap_or_else(Instant::now);
                remembered.said_at = (!done.said.is_empty()).then_some(said_at);
                remembered.said = done.said;
                if remembered.said_at.is_some() {
                    queue.add(key.clone(), SAY_AGAIN.saturating_sub(said_at.elapsed()));
                }
            }
            remembered.stamped = done.stamped.or(remembered.stamped.take());
            for object in done.written {
                remembered.patience.wrote(object, Instant::now().into_std());
            }
        }
        if done.errors.is_empty() {
            queue.done(&key);
        } else {
            queue.failed(&key);
        }
        let (namespace, name) = (&key.namespace, &key.name);
        for Failure { right, error, is_said } in done.errors {
            match error {
                CallError::Forbidden(cause) => {
                    if self.rights.insert(right.clone()) {
                        tracing::error!(
                            cause,
                            rule = right,
                            "a right is missing; add this rule to the ClusterRole, or set companions.enabled to false"
                        );
                    }
                }
                error if is_said => tracing::debug!(namespace, name, cause = %error, "still refused; trying again"),
                error => {
                    tracing::warn!(namespace, name, cause = %error, "companions are not as they should be; trying again");
                }
            }
        }
    }
}

/// More would only take turns at the API server with requests that somebody waits for.
const AT_ONCE: usize = 8;
/// Below what a step aside may take, above what the watch takes to tell of the other replica's write.
const JITTER: Duration = Duration::from_millis(150);
