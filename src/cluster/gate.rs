//! How many look-ups may be under way at once. Requests that need none never come here, so a storm of look-ups costs
//! the others nothing; it cannot fill the memory either.

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use crate::policy::lookup::Unknown;

/// A bound on work under way, with a bounded queue in front of it. First come, first served.
#[derive(Debug)]
pub struct Gate {
    running: Semaphore,
    admitted: Semaphore,
}

/// The right to run, until it is dropped.
#[derive(Debug)]
pub struct Pass<'a> {
    _running: SemaphorePermit<'a>,
    _admitted: SemaphorePermit<'a>,
}

impl Gate {
    /// `running` at once, and `waiting` behind them.
    #[must_use]
    pub fn new(running: usize, waiting: usize) -> Self {
        let admitted = running.saturating_add(waiting).min(Semaphore::MAX_PERMITS);
        Self { running: Semaphore::new(running.min(Semaphore::MAX_PERMITS)), admitted: Semaphore::new(admitted) }
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// [`Unknown::Busy`]: the queue is full, or the turn did not come before the deadline.
    pub async fn enter(&self, deadline: Instant) -> Result<Pass<'_>, Unknown> {
        let admitted = self.admitted.try_acquire().map_err(|_| Unknown::Busy)?;
        match timeout_at(deadline, self.running.acquire()).await {
            Ok(Ok(running)) => Ok(Pass { _running: running, _admitted: admitted }),
            Ok(Err(_)) | Err(_) => Err(Unknown::Busy),
        }
    }
}

impl Default for Gate {
    /// At 5 ms a GET, 32 at once are more than 6 000 a second. The queue holds what three API servers can have in flight by
    /// their defaults (`--max-requests-inflight` and `--max-mutating-requests-inflight`, 600 together): the last one waits
    /// for 0.3 s, and its deadline ends a longer wait.
    fn default() -> Self {
        Self::new(32, 1_800)
    }
}
