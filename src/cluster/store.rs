//! What the watches have told, by namespace and name, and who wants to hear of changes. Plain state behind a lock that is
//! never held for longer than a look; nobody waits for anybody, and what waits to be heard is bounded by what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// The name of an object, and which of the store's feeds it came by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key<F> {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The feed.
    pub of: F,
}

/// One change of one object: how it was when its reader heard of it last, and how it is.
#[derive(Debug)]
pub struct Change<F, V> {
    /// Its name.
    pub key: Key<F>,
    /// Nothing if it was not there.
    pub before: Option<Arc<V>>,
    /// Nothing if it is gone.
    pub after: Option<Arc<V>>,
}

/// What is kept of an object.
pub trait Kept: PartialEq {
    /// Takes over from the object as it was.
    fn settle(&mut self, _before: &Self) {}

    /// About how many bytes of it somebody else has chosen the length of.
    fn weight(&self) -> usize {
        0
    }

    /// Keeps less of it, because its namespace holds more than [`WEIGHT_MAX`], and says whether something is lost by it.
    fn lighten(&mut self) -> Option<&'static str> {
        None
    }
}

/// The objects of one or several watches, each with its feed.
#[derive(Debug)]
pub struct Store<F, V>(Mutex<State<F, V>>);

/// What a store holds.
#[derive(Debug)]
pub struct State<F, V> {
    items: BTreeMap<Key<F>, Arc<V>>,
    /// By namespace.
    weights: BTreeMap<String, usize>,
    feeds: BTreeMap<F, Feed<F>>,
    readers: BTreeMap<u64, Pending<F, V>>,
    next: u64,
}

#[derive(Debug)]
struct Feed<F> {
    /// While a list runs: what it has shown.
    listed: Option<BTreeSet<Key<F>>>,
    /// Whether a list was whole once. Before that nothing is known to be absent.
    is_synced: bool,
    /// Since when the watch is not at work.
    lost: Option<Instant>,
}

/// What a reader has not heard yet.
#[derive(Debug)]
struct Pending<F, V> {
    interest: Interest<V>,
    changed: BTreeMap<Key<F>, Option<Arc<V>>>,
    wake: Arc<Notify>,
}

/// Whether a change, from how it was to how it is, is of interest.
pub type Interest<V> = fn(Option<&V>, Option<&V>) -> bool;

/// One who hears of changes, until it is dropped.
#[derive(Debug)]
pub struct Reader<F: Copy + Ord, V: Kept> {
    store: Arc<Store<F, V>>,
    number: u64,
    wake: Arc<Notify>,
}

impl<F: Copy + Ord, V: Kept> Store<F, V> {
    /// Empty, for these feeds.
    pub fn new(feeds: impl IntoIterator<Item = F>) -> Arc<Self> {
        let feed = || Feed { listed: None, is_synced: false, lost: Some(Instant::now()) };
        let feeds = feeds.into_iter().map(|of| (of, feed())).collect();
        Arc::new(Self(Mutex::new(State {
            items: BTreeMap::new(),
            weights: BTreeMap::new(),
            feeds,
            readers: BTreeMap::new(),
            next: 0,
        })))
    }

    /// Who hears of every change of interest from now on.
    pub fn reader(self: &Arc<Self>, interest: Interest<V>) -> Reader<F, V> {
        let wake = Arc::new(Notify::new());
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.readers.insert(number, Pending { interest, changed: BTreeMap::new(), wake: Arc::clone(&wake) });
        Reader { store: Arc::clone(self), number, wake }
    }

    /// A look at all of it.
    pub fn lock(&self) -> MutexGuard<'_, State<F, V>> {
        // A reader that panicked has changed nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Copy + Ord, V: Kept> State<F, V> {
    /// A list begins.
    pub fn begin(&mut self, of: F) {
        if let Some(feed) = self.feeds.get_mut(&of) {
            feed.listed = Some(BTreeSet::new());
        }
    }

    /// An object is there: it is new, has changed, or is one of a list that runs. Says what is lost where its namespace
    /// holds too much.
    pub fn set(&mut self, key: &Key<F>, mut value: V) -> Option<&'static str> {
        if let Some(listed) = self.feeds.get_mut(&key.of).and_then(|feed| feed.listed.as_mut()) {
            listed.insert(key.clone());
        }
        let before = self.items.get(key).cloned();
        if let Some(before) = &before {
            value.settle(before);
        }
        let others = self.weight(&key.namespace) - before.as_ref().map_or(0, |before| before.weight());
        let lost = if others + value.weight() > WEIGHT_MAX { value.lighten() } else { None };
        if before.as_deref() != Some(&value) {
            self.weigh(&key.namespace, others + value.weight());
            let after = Arc::new(value);
            self.items.insert(key.clone(), Arc::clone(&after));
            self.tell(key, before.as_ref(), Some(&after));
        }
        lost
    }

    /// An object is gone, or no longer selected.
    pub fn unset(&mut self, key: &Key<F>) {
        if let Some(before) = self.items.remove(key) {
            self.weigh(&key.namespace, self.weight(&key.namespace) - before.weight());
            self.tell(key, Some(&before), None);
        }
    }

    fn weight(&self, namespace: &str) -> usize {
        self.weights.get(namespace).copied().unwrap_or_default()
    }

    fn weigh(&mut self, namespace: &str, weight: usize) {
        if weight == 0 {
            self.weights.remove(namespace);
        } else {
            self.weights.insert(namespace.to_owned(), weight);
        }
    }

    /// The list is whole: what it has not shown is gone.
    pub fn end(&mut self, of: F) {
        let Some(feed) = self.feeds.get_mut(&of) else { return };
        let listed = feed.listed.take().unwrap_or_default();
        feed.is_synced = true;
        let gone: Vec<_> = self.items.keys().filter(|key| key.of == of && !listed.contains(*key)).cloned().collect();
        for key in gone {
            self.unset(&key);
        }
        for reader in self.readers.values() {
            reader.wake.notify_one();
        }
    }

    /// Nothing is known any more: something else is watched from now on. Nobody is told that what there was has gone.
    pub fn reset(&mut self) {
        self.items.clear();
        self.weights.clear();
        for feed in self.feeds.values_mut() {
            *feed = Feed { listed: None, is_synced: false, lost: Some(Instant::now()) };
        }
        for reader in self.readers.values_mut() {
            reader.changed.clear();
        }
    }

    /// Whether the watch is at work from now on.
    pub fn follows(&mut self, of: F, follows: bool) {
        if let Some(feed) = self.feeds.get_mut(&of) {
            feed.lost = if follows { None } else { feed.lost.or_else(|| Some(Instant::now())) };
        }
    }

    /// Whether each watch has listed once.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        self.feeds.values().all(|feed| feed.is_synced)
    }

    /// Since when one of the watches is not at work.
    #[must_use]
    pub fn lost(&self) -> Option<Instant> {
        self.feeds.values().filter_map(|feed| feed.lost).min()
    }

    /// What is kept of this one.
    pub fn get(&self, key: &Key<F>) -> Option<&V> {
        self.items.get(key).map(Arc::as_ref)
    }

    /// All, each with its name.
    pub fn entries(&self) -> impl Iterator<Item = (&Key<F>, &V)> {
        self.items.iter().map(|(key, value)| (key, value.as_ref()))
    }

    /// Those of one namespace.
    pub fn within(&self, namespace: &str) -> impl Iterator<Item = (&Key<F>, &V)> {
        let first = self.feeds.keys().next().copied();
        let from = first.map(|of| Key { namespace: namespace.to_owned(), name: String::new(), of });
        let namespace = namespace.to_owned();
        let range = from.map(|from| self.items.range(from..)).into_iter().flatten();
        range.take_while(move |(key, _)| key.namespace == namespace).map(|(key, value)| (key, value.as_ref()))
    }

    fn tell(&mut self, key: &Key<F>, before: Option<&Arc<V>>, after: Option<&Arc<V>>) {
        for Pending { interest, changed, wake } in self.readers.values_mut() {
            if interest(before.map(Arc::as_ref), after.map(Arc::as_ref)) {
                changed.entry(key.clone()).or_insert_with(|| before.cloned());
                wake.notify_one();
            }
        }
    }
}

impl<F: Copy + Ord, V: Kept> Reader<F, V> {
    /// Waits for changes, or for a list to be whole, and answers all changes since the last time.
    pub async fn changed(&mut self) -> Vec<Change<F, V>> {
        self.wake.notified().await;
        let mut state = self.store.lock();
        let State { items, readers, .. } = &mut *state;
        let changed = readers.get_mut(&self.number).map(|pending| std::mem::take(&mut pending.changed));
        changed
            .into_iter()
            .flatten()
            .map(|(key, before)| Change { after: items.get(&key).cloned(), key, before })
            .collect()
    }

    /// The store that it reads.
    pub fn lock(&self) -> MutexGuard<'_, State<F, V>> {
        self.store.lock()
    }
}

impl<F: Copy + Ord, V: Kept> Drop for Reader<F, V> {
    fn drop(&mut self) {
        self.store.lock().readers.remove(&self.number);
    }
}

/// How much is kept of one namespace, beside names: a hundred times what any real one has. Whoever may write in it can make
/// us keep no more.
pub const WEIGHT_MAX: usize = 4 << 20;
