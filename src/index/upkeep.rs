//! The watches of the marked workloads, and the store that they fill.

use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use kube::Client;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::custom;
use super::marked::{Marked, SeenWorkload, Unread, WorkloadSpec, WorkloadStatus, keep};
use crate::api::kind::{Kind, Kinds};
use crate::api::mark::MarkKey;
use crate::api::reference::{Regarding, WorkloadRef};
use crate::cluster::Clock;
use crate::cluster::feed::{Feed, Reduce};
use crate::cluster::follow::{AFTER_A_PANIC, Followed};
use crate::cluster::list::Asked;
use crate::cluster::seen::Seen;
use crate::cluster::store::{self, Interest, Kept, State, Store};
use crate::companions::plan::field_manager;
use crate::configuration::Current;
use crate::settings::Settings;
use crate::telemetry::metrics::Metrics;

/// A marked workload, or why it cannot be read.
pub(crate) type Entry = Result<Marked, Unread>;
/// The kind, the namespace and the name of a workload, whether it is marked now or was.
pub(crate) type Key = store::Key<Kind>;
/// One who hears of changes of marked workloads.
pub(crate) type Reader = store::Reader<Kind, Entry>;

/// The marked workloads. Clones share them.
#[derive(Debug, Clone)]
pub struct Index {
    store: Arc<Store<Kind, Entry>>,
    kinds: Kinds,
}

/// Keeps the index.
pub struct Upkeep {
    index: Index,
    client: Client,
    settings: Current,
    metrics: Metrics,
    clock: Clock,
}

/// Reads the workloads of one kind.
struct Workloads {
    kind: Kind,
    mark: MarkKey,
    /// The field manager of our stamps.
    stamp: String,
    clock: Clock,
}

/// Reads those of a kind of others.
struct OfOthers(Workloads);

/// The uid of a marked workload, also of one that cannot be read.
pub(crate) fn uid_of(entry: &Entry) -> &str {
    match entry {
        Ok(marked) => &marked.workload.uid,
        Err(unread) => &unread.uid,
    }
}

impl Index {
    /// An empty one, and who fills it. Since when a workload is known is told by this clock, which plans go by.
    #[must_use]
    pub fn new(client: Client, settings: Current, metrics: Metrics, clock: Clock) -> (Self, Upkeep) {
        let kinds = settings.get().kinds;
        let index = Self { store: Store::new(kinds.iter()), kinds };
        (index.clone(), Upkeep { index, client, settings, metrics, clock })
    }

    /// Who hears of the changes of interest.
    pub(crate) fn reader(&self, interest: Interest<Entry>) -> Reader {
        self.store.reader(interest)
    }

    /// A look at all of it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State<Kind, Entry>> {
        self.store.lock()
    }

    /// The namespaces that hold a marked workload, also one that cannot be read.
    pub(crate) fn namespaces(&self) -> BTreeSet<String> {
        let mut namespaces = BTreeSet::new();
        for (Key { namespace, .. }, _) in self.lock().entries() {
            // They come sorted.
            if namespaces.last() != Some(namespace) {
                namespaces.insert(namespace.clone());
            }
        }
        namespaces
    }

    /// Whether this is a marked workload.
    pub(crate) fn has(&self, Regarding { group, kind, namespace, name, uid, .. }: &Regarding) -> bool {
        let Some(of) = self.kinds.named(group, kind) else { return false };
        let key = Key { namespace: namespace.clone(), name: name.clone(), of };
        self.lock().get(&key).is_some_and(|entry| uid_of(entry) == uid)
    }

    /// Whether all of it was listed once.
    pub(crate) fn is_synced(&self) -> bool {
        self.lock().is_synced()
    }

    /// The singleton that a workload is, or belongs to, as far as is known.
    pub(crate) fn singleton(
        &self,
        WorkloadRef { kind, namespace, name }: &WorkloadRef<'_>,
    ) -> Option<(Kind, Regarding)> {
        let key = |of, name: &str| Key { namespace: namespace.to_string(), name: name.to_owned(), of };
        let state = self.lock();
        let entry = state.get(&key(*kind, name))?;
        let behind = entry.as_ref().ok().filter(|marked| marked.is_behind_maker(self.kinds));
        let Some(owner) = behind.and_then(|marked| marked.workload.controller.as_ref()) else {
            return Some((*kind, Regarding::workload(*kind, namespace, name, uid_of(entry))));
        };
        let of = owner.kind(self.kinds)?;
        let is_marked = state.get(&key(of, &owner.name)).is_some_and(|entry| uid_of(entry) == owner.uid);
        is_marked.then(|| (of, Regarding::workload(of, namespace, &owner.name, &owner.uid)))
    }

    /// For how long one of its watches has not been at work; nothing while all are.
    pub(crate) fn blind_for(&self) -> Option<Duration> {
        self.lock().lost().map(|since| since.elapsed())
    }

    fn count(&self, metrics: &Metrics) {
        let state = self.lock();
        for kind in self.kinds.iter() {
            let own = state.entries().filter(|(key, _)| key.of == kind).map(|(_, entry)| entry.as_ref());
            let own = own.filter(|entry| !entry.is_ok_and(|marked| marked.is_behind_maker(self.kinds)));
            let (mut all, mut above) = (0, 0);
            for entry in own {
                all += 1;
                above += usize::from(entry.is_ok_and(|marked| marked.replicas > 1));
            }
            metrics.singletons.count(kind.info().metrics.main, all, above);
        }
    }
}

impl Upkeep {
    /// Never ends. Another mark is another index.
    pub async fn run(mut self) {
        loop {
            let settings = self.settings.get();
            self.index.lock().reset();
            let (index, metrics) = (self.index.clone(), self.metrics.clone());
            let mut watches = self.watches(&settings);
            let mut reader = index.reader(|_, _| true);
            loop {
                tokio::select! {
                    _ = reader.changed() => index.count(&metrics),
                    _ = watches.join_next() => {
                        sleep(AFTER_A_PANIC).await;
                        break;
                    }
                    () = self.settings.changed() => {
                        if self.settings.get().mark != settings.mark {
                            break;
                        }
                    }
                }
            }
            watches.shutdown().await;
        }
    }

    fn watches(&self, settings: &Settings) -> JoinSet<()> {
        let mut watches = JoinSet::new();
        for kind in self.index.kinds.iter() {
            let info = kind.info();
            let mark = settings.mark.clone();
            let list = Asked {
                collection: info.collection(),
                selector: mark.to_string(),
                metadata_only: false,
                keep: if info.custom.is_some() { custom::keep(kind, &mark) } else { keep(kind, &mark) },
            };
            let granted_by = "its rules for the guarded kinds";
            let followed = Followed::new(&self.client, list, info.metrics.main, &self.metrics, granted_by);
            let stamp = field_manager(&settings.companions.managed_by);
            let reduce = Workloads { kind, mark, stamp, clock: self.clock.clone() };
            let store = Arc::clone(&self.index.store);
            if info.custom.is_some() {
                let (followed, reduce) = (followed.that_may_be_absent(), OfOthers(reduce));
                watches.spawn(followed.follow(Feed { store, of: kind, reduce }));
            } else {
                watches.spawn(followed.follow(Feed { store, of: kind, reduce }));
            }
        }
        watches
    }
}

impl Reduce for Workloads {
    type Spec = WorkloadSpec;
    type Status = WorkloadStatus;
    type Value = Entry;

    fn read(&self, seen: SeenWorkload<'_>) -> Result<Entry, &'static str> {
        Marked::read(seen, self.kind, &self.mark, &self.stamp, self.clock.now()).map(Ok)
    }

    /// Its namespace holds a singleton all the same.
    fn unread(&self, uid: String, why: &'static str) -> Option<Entry> {
        Some(Err(Unread { uid, why }))
    }
}

impl Reduce for OfOthers {
    type Spec = custom::Part;
    type Status = custom::Part;
    type Value = Entry;

    fn read(&self, seen: Seen<'_, custom::Part, custom::Part>) -> Result<Entry, &'static str> {
        self.0.read(custom::read(seen, self.0.kind.info()))
    }

    fn unread(&self, uid: String, why: &'static str) -> Option<Entry> {
        self.0.unread(uid, why)
    }
}

impl Kept for Entry {
    /// It has been known since it was seen first.
    fn settle(&mut self, before: &Self) {
        if let (Ok(marked), Ok(before)) = (self, before)
            && marked.workload.uid == before.workload.uid
        {
            marked.workload.seen = before.workload.seen;
        }
    }

    fn weight(&self) -> usize {
        self.as_ref().map_or(0, Marked::weight)
    }

    fn lighten(&mut self) -> Option<&'static str> {
        let why = "the marked workloads of its namespace are more than is kept";
        let uid = self.as_ref().map(|marked| marked.workload.uid.clone()).ok()?;
        *self = Err(Unread { uid, why });
        Some(why)
    }
}
