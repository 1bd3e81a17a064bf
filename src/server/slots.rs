//! A bounded number of connections from peers that nobody knows. Whoever comes gets a slot: where all are taken, the connection
//! that has been silent for longest is asked to give way, and where none is silent, the oldest.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// All slots, taken and free.
#[derive(Debug)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    taken: Arc<Mutex<Taken>>,
}

/// The slots that are taken, in the order in which their connections came. Whose sender is dropped is asked to give way.
#[derive(Debug, Default)]
struct Taken {
    last: u64,
    silent: BTreeMap<u64, oneshot::Sender<()>>,
    asking: BTreeMap<u64, oneshot::Sender<()>>,
}

/// A slot that is taken, until it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    number: u64,
    taken: Arc<Mutex<Taken>>,
    _held: OwnedSemaphorePermit,
}

/// Resolves when the slot is needed for somebody else.
#[derive(Debug)]
pub(super) struct Reclaimed(oneshot::Receiver<()>);

impl Slots {
    /// So many slots, all free.
    pub(super) fn new(number: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(number.min(Semaphore::MAX_PERMITS))), taken: Arc::default() }
    }

    /// A slot, which is free at once or as soon as somebody has given way.
    pub(super) async fn take(&self) -> Option<(Slot, Reclaimed)> {
        let held = if let Ok(held) = Arc::clone(&self.free).try_acquire_owned() {
            held
        } else {
            self.make_room();
            // A semaphore that nobody closes always gives its permit.
            Arc::clone(&self.free).acquire_owned().await.ok()?
        };
        let (sender, receiver) = oneshot::channel();
        let mut taken = lock(&self.taken);
        taken.last += 1;
        let number = taken.last;
        taken.silent.insert(number, sender);
        Some((Slot { number, taken: Arc::clone(&self.taken), _held: held }, Reclaimed(receiver)))
    }

    /// Asks one to give way. False if there is none.
    pub(super) fn make_room(&self) -> bool {
        let mut taken = lock(&self.taken);
        taken.silent.pop_first().or_else(|| taken.asking.pop_first()).is_some()
    }
}

impl Slot {
    /// Its request has come: it gives way after those that are silent.
    pub(super) fn asks(&self) {
        let mut taken = lock(&self.taken);
        if let Some(sender) = taken.silent.remove(&self.number) {
            taken.asking.insert(self.number, sender);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.silent.remove(&self.number);
        taken.asking.remove(&self.number);
    }
}

impl Reclaimed {
    pub(super) async fn by_another(self) {
        let _dropped = self.0.await;
    }
}

/// Nobody panics while holding it.
fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}
