//! The clocks: the only place of the lock that reads one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use super::state::Now;

/// Both, at nearly one moment.
#[must_use]
pub fn now() -> Now {
    // One before 1970 does not move, which costs what only it would have shown.
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { boot: boot(), wall }
}

fn boot() -> Duration {
    let read = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(read.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(read.tv_nsec).unwrap_or_default())
}
