//! The work queue and its workers: a change makes workloads due, and each that is due is planned for here and carried out in a
//! task beside. Everything that is remembered is remembered here, by one task.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kube::Client;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

use super::deleted::Deleted;
use super::index::{Around, Look, concerned_by_workload};
use super::memory::Memory;
use super::queue::Queue;
use super::reconcile::{Done, Failure, Left, Reconcile};
use crate::cluster::Clock;
use crate::cluster::call::CallError;
use crate::cluster::follow::AFTER_A_PANIC;
use crate::companions::plan::{Surroundings, let_go, plan};
use crate::configuration::Current;
use crate::events::Recorder;
use crate::index::{Entry, Key, uid_of};
use crate::settings::Settings;
use crate::telemetry::metrics::Metrics;

/// What every worker works with.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) metrics: Metrics,
    pub(super) recorder: Arc<Recorder>,
    /// Times are judged by it.
    pub(super) clock: Clock,
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

/// Reconciles at most so many workloads at once, each in a task of its own.
pub(super) struct Workers<'a> {
    context: &'a Context,
    settings: Arc<Settings>,
    state: State,
    tasks: JoinSet<Done>,
    running: HashMap<Id, Key>,
    /// The missing rights that were said.
    rights: HashSet<String>,
}

impl<'a> Workers<'a> {
    pub(super) fn new(context: &'a Context, settings: Arc<Settings>) -> Self {
        Self {
            context,
            settings,
            state: State::default(),
            tasks: JoinSet::new(),
            running: HashMap::new(),
            rights: HashSet::new(),
        }
    }

    /// Works until other things have to be watched, or none. What was begun is finished: each call has a deadline of its own.
    pub(super) async fn run(mut self, around: Around, settings: Current, watches: &mut JoinSet<()>) {
        // What was marked before somebody listened.
        self.reconcile_all(&around);
        self.follow(around, settings, watches).await;
        while self.tasks.join_next().await.is_some() {}
    }

    async fn follow(&mut self, mut around: Around, mut settings: Current, watches: &mut JoinSet<()>) {
        let kinds = self.settings.kinds;
        loop {
            let due = self.state.queue.next_at().filter(|_| self.tasks.len() < AT_ONCE && around.look().is_synced());
            tokio::select! {
                changes = around.marked.changed() => {
                    self.concerns(changes.into_iter().flat_map(|change| concerned_by_workload(change, kinds)));
                }
                changes = around.services.changed() => {
                    let look = around.look();
                    for change in &changes {
                        self.state.deleted.observe(change, &look, &self.settings.companions, self.context.clock.now());
                    }
                    self.concerns(changes.iter().flat_map(|change| look.concerned_by(change, kinds)));
                }
                changes = around.budgets.changed() => {
                    let look = around.look();
                    self.concerns(changes.iter().flat_map(|change| look.concerned_by(change, kinds)));
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
                        self.context.metrics.singletons.consent_windows(self.state.windows.len());
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
        self.reconcile_all(around);
        true
    }

    fn reconcile_all(&mut self, around: &Around) {
        let keys = around.look().keys();
        self.concerns(keys.into_iter());
    }

    /// To be planned anew, soon.
    fn concerns(&mut self, keys: impl Iterator<Item = Key>) {
        for key in keys.collect::<BTreeSet<_>>() {
            self.state.queue.add(key, jitter());
        }
    }

    /// Plans for one workload, and starts what the plan says.
    fn begin(&mut self, around: &Around, key: Key) {
        let look = around.look();
        self.state.windows.remove(&key);
        let work = match look.workload(&key) {
            _ if self.settings.exempts(&key.namespace) => None,
            Some(entry) => self.state.keep(&look, &key, entry, &self.settings, self.context.clock.now()),
            None => {
                self.state.memory.remove(&key);
                release(&look, &key)
            }
        };
        let Some(work) = work else {
            self.state.queue.done(&key);
            return;
        };
        let Context { client, recorder, metrics, .. } = self.context.clone();
        let settings = Arc::clone(&self.settings);
        let task = self.tasks.spawn(async move { work.run(&client, &recorder, &metrics, &settings).await });
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
            if let Some(rest) = remembered.said(done.said) {
                queue.add(key.clone(), rest);
            }
            remembered.stamped = done.stamped.or(remembered.stamped.take());
            for object in done.written {
                remembered.backoff.wrote(object, Instant::now().into_std());
            }
        }
        if done.errors.is_empty() {
            queue.done(&key);
        } else {
            queue.failed(&key);
        }
        self.log(&key, done.errors);
    }

    fn log(&mut self, key: &Key, errors: Vec<Failure>) {
        let (namespace, name) = (&key.namespace, &key.name);
        for Failure { right, error, is_said } in errors {
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

impl State {
    /// What is to be done for a marked workload.
    fn keep(
        &mut self,
        look: &Look<'_>,
        key: &Key,
        entry: &Entry,
        settings: &Settings,
        now: SystemTime,
    ) -> Option<Reconcile> {
        let Self { queue, memory, deleted, windows } = self;
        let mut again = |wait| queue.add(key.clone(), wait);
        let remembered = memory.entry(key.clone()).or_default();
        if let Some(rest) = remembered.begin(uid_of(entry)) {
            again(rest);
        }
        let marked = match entry {
            Ok(marked) => marked,
            Err(unread) => return Reconcile::unread(key, unread, remembered),
        };
        let around = Surroundings {
            keys_hold: settings.holds_keys(&key.namespace),
            deleted: deleted.of(&marked.workload.uid),
            ..look.around(&key.namespace)
        };
        let mut plan = plan(&marked.workload, &around, &settings.companions, now);
        windows.extend(plan.window.map(|_| key.clone()));
        if let Some(at) = plan.again {
            again(at.duration_since(now).unwrap_or_default() + jitter());
        }
        let (about, instant) = ((&marked.workload, &around, &settings.companions), Instant::now().into_std());
        if let Some(due) = remembered.backoff.hold(&mut plan, about, (now, instant)) {
            again(due.saturating_duration_since(instant) + jitter());
        }
        Reconcile::keep(marked, settings.kinds, plan, remembered)
    }
}

/// What is to be done after a workload that is not marked any more, or gone.
fn release(look: &Look<'_>, key: &Key) -> Option<Reconcile> {
    let around = look.around(&key.namespace);
    let budgets = around.budgets.iter().copied().filter(|budget| {
        let is_its = budget.controller.as_ref().is_some_and(|owner| owner.is(key.of, &key.name));
        budget.is_ours && !budget.is_deleted && is_its
    });
    let sets = look.stamped(key).map(|marked| marked.workload.clone());
    let let_go = let_go(key.of, &key.name, &around);
    Reconcile::release(key, Left { budgets: budgets.cloned().collect(), sets: sets.collect(), let_go })
}

/// Two replicas that hear the same must not always write the same at the same moment.
fn jitter() -> Duration {
    JITTER.mul_f64(fastrand::f64())
}

/// More would only take turns at the API server with requests that somebody waits for.
const AT_ONCE: usize = 8;
/// Below what a step aside may take, above what the watch takes to tell of the other replica's write.
const JITTER: Duration = Duration::from_millis(150);
