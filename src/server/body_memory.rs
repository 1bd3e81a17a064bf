//! How many bytes of large bodies are held at once, over all connections: what a review takes of memory grows with its
//! body, and the memory of the process is limited.
//!
//! Small bodies, which nearly all are, never wait, and neither does the beginning of a large one: their sum is bounded by
//! the number of connections, and a peer that announces much and sends no more than a small body takes no room from others.
//! Who has sent more holds what was announced, for as long as a body may take.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

/// A bound on the sum of bodies. First come, first served. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct BodyMemory(Arc<Semaphore>);

/// The right to hold a body, until it is dropped.
#[derive(Debug)]
pub(super) struct Reservation(
    #[expect(dead_code, reason = "it is given back when it is dropped")] OwnedSemaphorePermit,
);

impl BodyMemory {
    /// As many bytes in all.
    pub(super) fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// Waits until a body of this size has room. `None` if it has none by the deadline, or never.
    pub(super) async fn reserve(&self, bytes: usize, deadline: Instant) -> Option<Reservation> {
        let permits = u32::try_from(bytes).ok()?;
        timeout_at(deadline, Arc::clone(&self.0).acquire_many_owned(permits)).await.ok()?.ok().map(Reservation)
    }
}

/// Up to this a body needs no reservation. A review of a Scale has 2 KiB, one of an ordinary workload 4 to 15 KiB: it carries the
/// object twice.
pub(super) const SMALL: usize = 16 << 10;
