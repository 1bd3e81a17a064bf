//! Whether this process may be sent reviews: named conditions that all have to be met, and the drain before the end.
//!
//! Who starts something that readiness depends on takes a [`Condition`] first and meets it when it is done; it can be
//! withdrawn again. Nothing here waits or probes.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Ready when every condition is met and no drain has begun. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<Shared>);

/// One thing that readiness depends on. Unmet when it is handed out, and for ever if it is dropped unmet.
#[derive(Debug)]
pub struct Condition {
    shared: Arc<Shared>,
    index: usize,
}

/// A condition that is not met, by name and with the reason: one line of `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Name of the condition.
    pub name: &'static str,
    /// Why it is not met.
    pub reason: String,
}

impl Readiness {
    /// Adds a condition. From now on the process is not ready until it is met.
    #[must_use]
    pub fn require(&self, name: &'static str) -> Condition {
        let mut conditions = self.0.lock();
        conditions.push((name, Some("not started yet".to_owned())));
        let index = conditions.len().saturating_sub(1);
        self.0.met.store(false, Ordering::Release);
        drop(conditions);
        Condition { shared: Arc::clone(&self.0), index }
    }

    /// Whether new reviews should be sent here.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is_able() && !self.is_draining()
    }

    /// Whether a review that comes can be answered: every condition is met. Stays so during the drain.
    #[must_use]
    pub fn is_able(&self) -> bool {
        self.0.met.load(Ordering::Acquire)
    }

    /// Whether the end has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }

    /// Begins the end: not ready any more, for good.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// What keeps the process from being ready; empty when it is.
    #[must_use]
    pub fn missing(&self) -> Vec<Missing> {
        let conditions = self.0.lock();
        let unmet =
            conditions.iter().filter_map(|(name, reason)| reason.clone().map(|reason| Missing { name, reason }));
        let draining = self.is_draining().then(|| Missing { name: "drain", reason: "shutting down".to_owned() });
        draining.into_iter().chain(unmet).collect()
    }
}

impl Condition {
    /// The condition holds.
    pub fn meet(&self) {
        self.set(None);
    }

    /// The condition does not hold, or no longer.
    pub fn withdraw(&self, reason: impl fmt::Display) {
        self.set(Some(reason.to_string()));
    }

    fn set(&self, reason: Option<String>) {
        let mut conditions = self.shared.lock();
        if let Some(entry) = conditions.get_mut(self.index) {
            entry.1 = reason;
        }
        let met = conditions.iter().all(|(_, reason)| reason.is_none());
        self.shared.met.store(met, Ordering::Release);
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

/// The list is for people; every request reads the two flags only.
#[derive(Debug)]
struct Shared {
    conditions: Mutex<Vec<(&'static str, Option<String>)>>,
    met: AtomicBool,
    draining: AtomicBool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<(&'static str, Option<String>)>> {
        self.conditions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Shared {
    fn default() -> Self {
        Self { conditions: Mutex::default(), met: AtomicBool::new(true), draining: AtomicBool::new(false) }
    }
}
