//! From what a user asks for to durations that are safe together: pure.
//!
//! One inequality carries the lock. Whoever is active has nothing of its command alive `stop_after + lost_grace + MARGIN`
//! after it *sent* its last renewal; whoever takes over has waited `lease` since it first *saw* that renewal. Clocks may
//! differ in their rate by one in ten, so the first has to fit into what is left of the second on the fastest clock.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

/// What a user may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// For how long the store may be away before the command is stopped.
    pub tolerate_outage: Duration,
    /// For how long the command may take to end when the lock is lost.
    pub lost_grace: Duration,
    /// How often the record is written.
    pub renew: Duration,
    /// For how long the command may take to end when it is asked to. The record is renewed all that time.
    pub stop_grace: Duration,
}

impl Default for Wanted {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { tolerate_outage: seconds(5), lost_grace: seconds(3), renew: seconds(2), stop_grace: seconds(30) }
    }
}

/// The durations of a lock. [`Timing::of`] makes only safe ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Timing {
    /// For how long a record has to be seen untouched before it is taken over.
    pub lease: Duration,
    /// From the sending of one renewal to that of the next.
    pub renew: Duration,
    /// For how long an answer of the store is waited for.
    pub call: Duration,
    /// From the sending of the last renewal that counts to the command's SIGTERM.
    pub stop_after: Duration,
    /// From that SIGTERM to SIGKILL.
    pub lost_grace: Duration,
    /// From that SIGKILL until nothing is alive.
    pub margin: Duration,
    /// From SIGTERM to SIGKILL when the command is asked to end.
    pub stop_grace: Duration,
}

/// Why no durations are safe with what was asked for, and what would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Unsafe {
    #[allow(missing_docs, reason = "the message says it")]
    #[error("--renew {0:?} is too short: a store needs time to answer. Use at least {RENEW_MIN:?}")]
    Renew(Duration),
    #[allow(missing_docs, reason = "the message says it")]
    #[error(
        "--tolerate-outage {0:?} is shorter than --renew {1:?}: one late answer would stop the command. \
         Use --tolerate-outage {1:?} or more, or a shorter --renew"
    )]
    Outage(Duration, Duration),
    #[allow(missing_docs, reason = "the message says it")]
    #[error(
        "with these durations nobody takes over for {0:?} after a crash, which is more than {LEASE_MAX:?}. \
         Use a shorter --tolerate-outage, --lost-grace or --renew"
    )]
    Lease(Duration),
}

impl Timing {
    /// The shortest safe lease for what is wanted.
    pub fn of(wanted: &Wanted) -> Result<Self, Unsafe> {
        let Wanted { tolerate_outage, lost_grace, renew, stop_grace } = *wanted;
        if renew < RENEW_MIN {
            return Err(Unsafe::Renew(renew));
        }
        if tolerate_outage < renew {
            return Err(Unsafe::Outage(tolerate_outage, renew));
        }
        // An answer that comes later than the next renewal is due is of no more use.
        let call = renew;
        // The outage may begin right after a renewal, and one call may be under way when it ends.
        let stop_after = tolerate_outage.saturating_add(renew).saturating_add(call);
        let dead_after = stop_after.saturating_add(lost_grace).saturating_add(MARGIN);
        let lease = on_the_slowest_clock(dead_after);
        if lease > LEASE_MAX {
            return Err(Unsafe::Lease(lease));
        }
        Ok(Self { lease, renew, call, stop_after, lost_grace, margin: MARGIN, stop_grace })
    }

    /// When nothing is alive any more after the last renewal that counts was sent.
    #[must_use]
    pub fn dead_after(&self) -> Duration {
        self.stop_after.saturating_add(self.lost_grace).saturating_add(self.margin)
    }

    /// How often a passive replica looks, so that it takes over soon after a release.
    #[must_use]
    pub fn look(&self) -> Duration {
        (self.renew / 4).clamp(LOOK_MIN, LOOK_MAX)
    }
}

/// What it means for who runs it.
impl fmt::Display for Timing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "takes over {:?} after a crash, stops after {:?} without the store",
            self.lease, self.stop_after
        )
    }
}

/// `dead_after / (1 - RATE)`, rounded up to whole seconds: a Lease has no others.
fn on_the_slowest_clock(dead_after: Duration) -> Duration {
    let (rate, of) = RATE;
    let exact = dead_after.as_nanos().saturating_mul(of).div_ceil(of.saturating_sub(rate).max(1));
    let seconds = exact.div_ceil(Duration::from_secs(1).as_nanos());
    Duration::from_secs(u64::try_from(seconds).unwrap_or(u64::MAX))
}

/// By how much the rates of two clocks may differ: 1 in 10. chrony slews by up to 8.3 % (its `maxslewrate`), and
/// `CLOCK_BOOTTIME` follows it.
const RATE: (u128, u128) = (1, 10);
/// What the kernel, and a machine that is busy, may take to end what was killed.
const MARGIN: Duration = Duration::from_secs(1);
/// A store on the same network answers in milliseconds; a new TLS connection takes several round trips.
const RENEW_MIN: Duration = Duration::from_millis(200);
/// More than anybody waits for a failover. A record that claims a longer lease is not one of ours.
pub const LEASE_MAX: Duration = Duration::from_secs(3600);
/// A passive replica takes over within a second after a release.
const LOOK_MAX: Duration = Duration::from_millis(500);
const LOOK_MIN: Duration = Duration::from_millis(100);
