//! The loop: what the watches say, and an Event for every autoscaler that targets a singleton, again before it expires. What
//! is remembered is remembered here, by one task.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use kube::Client;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::found::{Autoscaled, Note, count, notes};
use super::seen::{AutoscalerSpec, Reaching, SeenAutoscaler, keep};
use crate::api::autoscaler::{AUTOSCALERS, Autoscaler};
use crate::api::kind::Kinds;
use crate::api::reference::WorkloadRef;
use crate::cluster::feed::{Feed, Reduce};
use crate::cluster::follow::{AFTER_A_PANIC, Followed};
use crate::cluster::list::Asked;
use crate::cluster::seen::Nothing;
use crate::cluster::store::{Kept, Store};
use crate::configuration::Current;
use crate::events::{Event, Recorder, SAY_AGAIN};
use crate::index::{Entry, Index, uid_of};
use crate::policy::lookup::Scaler;
use crate::settings::{Autoscalers, Settings};
use crate::telemetry::metrics::Metrics;

/// The autoscalers that may ask for more than one. Clones share them.
#[derive(Debug, Clone)]
pub struct Known(Arc<Store<Autoscaler, Watched>>);

/// One of them; nothing of one that may not.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Watched(Option<Reaching>);

/// Watches them, and tells of those that target a singleton.
pub struct Watcher {
    client: Client,
    known: Known,
    index: Index,
    settings: Current,
    metrics: Metrics,
    recorder: Recorder,
}

impl Known {
    /// One that scales this workload, as far as is known.
    pub(crate) fn of(&self, WorkloadRef { kind, namespace, name }: &WorkloadRef<'_>) -> Option<Scaler> {
        let state = self.0.lock();
        let scales = |reaching: &&Reaching| reaching.kind == *kind && reaching.target == **name;
        state.within(namespace).find_map(|(key, Watched(reaching))| {
            let most = reaching.as_ref().filter(scales)?.most;
            Some(Scaler { autoscaler: key.of, name: key.name.clone(), most })
        })
    }
}

impl Watcher {
    /// What it knows, and itself. `instance` names this replica in Events.
    #[must_use]
    pub fn new(client: Client, index: Index, settings: Current, metrics: Metrics, instance: String) -> (Known, Self) {
        let recorder = Recorder::new(client.clone(), "singleton-guard.io/autoscalers", "WatchAutoscalers", instance);
        let known = Known(Store::new(AUTOSCALERS));
        (known.clone(), Self { client, known, index, settings, metrics, recorder })
    }

    /// Never ends.
    pub async fn run(mut self) {
        loop {
            if self.settings.get().autoscalers == Autoscalers::Off {
                self.settings.changed().await;
            } else {
                self.keep().await;
            }
        }
    }

    /// Until there is nothing to watch.
    async fn keep(&self) {
        let mut watches = self.watches();
        let (mut autoscalers, mut marked) = (self.known.0.reader(|_, _| true), self.index.reader(is_another));
        let (mut current, mut told) = (self.settings.clone(), HashMap::new());
        loop {
            let due = told.values().min().map(|said: &Instant| *said + SAY_AGAIN);
            tokio::select! {
                _ = autoscalers.changed() => {}
                _ = marked.changed() => {}
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                _ = watches.join_next() => {
                    sleep(AFTER_A_PANIC).await;
                    break;
                }
                () = current.changed() => {
                    if current.get().autoscalers == Autoscalers::Off {
                        break;
                    }
                }
            }
            // Before that a target may seem to be no singleton, and Events would come one by one.
            if self.index.is_synced() {
                self.pass(&current.get(), &mut told).await;
            }
        }
        watches.shutdown().await;
        self.known.0.lock().reset();
        self.metrics.watches.ended(AUTOSCALERS.map(|kind| kind.info().resource));
        self.count(&[]);
    }

    /// Counts what is autoscaled, and tells of what was not told of lately.
    async fn pass(&self, settings: &Settings, told: &mut HashMap<(String, String), Instant>) {
        let found = self.found(settings);
        self.count(&found);
        let notes: HashMap<_, _> =
            notes(&found).into_iter().map(|Note { about, note }| ((about.uid.clone(), note), about)).collect();
        let now = Instant::now();
        told.retain(|key, said| notes.contains_key(key) && *said + SAY_AGAIN > now);
        let due: Vec<_> = notes.into_iter().filter(|(key, _)| !told.contains_key(key)).collect();
        stream::iter(&due)
            .for_each_concurrent(AT_ONCE, |((_, note), about)| async move {
                let event = Event { reason: REASON, note: note.clone(), is_warning: true, is_state: true };
                self.recorder.record(about, &event).await;
            })
            .await;
        told.extend(due.into_iter().map(|(key, _)| (key, now)));
    }

    fn kinds(&self) -> Kinds {
        self.settings.get().kinds
    }

    fn count(&self, found: &[Autoscaled]) {
        let counts = count(found);
        for kind in self.kinds().iter() {
            let count = counts.get(&kind).copied().unwrap_or_default();
            self.metrics.singletons.autoscaled(kind.info().metrics.main, count);
        }
    }

    fn found(&self, settings: &Settings) -> Vec<Autoscaled> {
        let reaching: Vec<_> = {
            let state = self.known.0.lock();
            let reaching =
                state.entries().filter_map(|(key, Watched(reaching))| Some((key.clone(), reaching.clone()?)));
            reaching.filter(|(key, _)| !settings.exempts(&key.namespace)).collect()
        };
        let singleton = |namespace: &str, reaching: &Reaching| {
            let target =
                WorkloadRef { kind: reaching.kind, namespace: namespace.into(), name: (&*reaching.target).into() };
            self.index.singleton(&target)
        };
        let autoscaled = reaching.into_iter().filter_map(|(key, reaching)| {
            let (kind, singleton) = singleton(&key.namespace, &reaching)?;
            Some(Autoscaled { autoscaler: key.of, name: key.name, reaching, singleton, kind })
        });
        autoscaled.collect()
    }

    fn watches(&self) -> JoinSet<()> {
        let mut watches = JoinSet::new();
        for autoscaler in AUTOSCALERS {
            let info = autoscaler.info();
            let collection = format!("/apis/{}/{}/{}", info.group, info.version, info.resource);
            let list = Asked { collection, selector: String::new(), metadata_only: false, keep: keep() };
            let followed = Followed::new(&self.client, list, info.resource, &self.metrics, "autoscalers");
            // A cluster without KEDA does not serve its kinds.
            let followed =
                if autoscaler == Autoscaler::ScaledObject { followed.that_may_be_absent() } else { followed };
            watches.spawn(followed.follow(Feed {
                store: Arc::clone(&self.known.0),
                of: autoscaler,
                reduce: Read(autoscaler, self.kinds()),
            }));
        }
        watches
    }
}

/// Whether a marked workload comes, goes or is another one.
fn is_another(before: Option<&Entry>, after: Option<&Entry>) -> bool {
    before.map(uid_of) != after.map(uid_of)
}

/// Reads autoscalers of this kind.
struct Read(Autoscaler, Kinds);

impl Reduce for Read {
    type Spec = AutoscalerSpec;
    type Status = Nothing;
    type Value = Watched;

    fn read(&self, seen: SeenAutoscaler<'_>) -> Result<Watched, &'static str> {
        Reaching::read(self.0, self.1, seen).map(Watched)
    }
}

impl Kept for Watched {
    fn weight(&self) -> usize {
        self.0.as_ref().map_or(0, |reaching| reaching.target.len())
    }

    fn lighten(&mut self) -> Option<&'static str> {
        self.0.take().map(|_| "the autoscalers of its namespace are more than is kept")
    }
}

const REASON: &str = "SingletonAutoscaled";
const AT_ONCE: usize = 8;
