//! The keeper's clock and its alarm. Time is `CLOCK_BOOTTIME`, which goes on while the machine sleeps. A wall clock that
//! runs ahead of it shows a pause that it does not: of a virtual machine that was stopped and continued. Such a pause
//! counts; a wall clock that is set forward for another reason costs a step-down at worst.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};

/// An alarm on each of the two clocks.
#[derive(Debug)]
pub(super) struct Deadline {
    boot: OwnedFd,
    wall: OwnedFd,
    /// Both clocks at one moment.
    since: (u64, u64),
}

impl Deadline {
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        Ok(Self {
            boot: timerfd_create(TimerfdClockId::Boottime, flags)?,
            wall: timerfd_create(TimerfdClockId::Realtime, flags)?,
            since: both(),
        })
    }

    /// For how long the machine was stopped without `CLOCK_BOOTTIME` showing it, since this was last asked.
    pub(super) fn hidden_pause(&mut self) -> u64 {
        let (now, since) = (both(), self.since);
        let boot = now.0.saturating_sub(since.0);
        let back = since.1.saturating_add(boot).saturating_sub(now.1);
        let ahead = now.1.saturating_sub(since.1.saturating_add(boot));
        // What is less adds up until it counts.
        if back.max(ahead) > NOTICED {
            self.since = now;
            return ahead;
        }
        0
    }

    /// Both alarms become readable then.
    pub(super) fn alarm(&self, at: Option<u64>) -> io::Result<()> {
        let (boot, wall) = both();
        set(self.boot.as_fd(), at)?;
        set(self.wall.as_fd(), at.map(|at| wall.saturating_add(at.saturating_sub(boot))))
    }

    pub(super) fn descriptors(&self) -> [BorrowedFd<'_>; 2] {
        [self.boot.as_fd(), self.wall.as_fd()]
    }
}

/// Nanoseconds of `CLOCK_BOOTTIME`.
#[must_use]
pub fn boottime() -> u64 {
    nanoseconds(clock_gettime(ClockId::Boottime))
}

/// Both at one moment: whoever has to wait between the two, on a busy machine, reads them again.
fn both() -> (u64, u64) {
    let mut before = boottime();
    loop {
        let wall = nanoseconds(clock_gettime(ClockId::Realtime));
        let after = boottime();
        if after.saturating_sub(before) < TOGETHER {
            return (after, wall);
        }
        before = after;
    }
}

fn nanoseconds(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    seconds.saturating_mul(SECOND).saturating_add(u64::try_from(time.tv_nsec).unwrap_or(0))
}

/// Sets a timer to an absolute time, or off. Setting it also makes it unreadable.
fn set(timer: BorrowedFd<'_>, at: Option<u64>) -> io::Result<()> {
    // Zero would be off.
    let at = at.map_or(0, |at| at.max(1));
    let part = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let once = Itimerspec {
        it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
        it_value: Timespec { tv_sec: part(at / SECOND), tv_nsec: part(at % SECOND) },
    };
    timerfd_settime(timer, TimerfdTimerFlags::ABSTIME, &once)?;
    Ok(())
}

const SECOND: u64 = 1_000_000_000;
/// Many times what two reads may be apart.
const NOTICED: u64 = 100_000_000;
const TOGETHER: u64 = 10_000_000;
