//! The signals that the keeper takes, one after the other and never in the middle of something else: they are blocked,
//! and read from a descriptor. Whatever it starts inherits that, and begins with a mask of its own: the shim, so the command,
//! with none.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// All that a good init passes on. SIGTERM asks for the end.
pub const FORWARDED: [Signal; 7] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGWINCH,
];

/// Where they come in.
#[derive(Debug)]
pub(super) struct Signals(SignalFd);

impl Signals {
    /// From now on they are read here. One that whoever started us has switched off, as nohup does, stays off, also for
    /// the command.
    pub(super) fn take() -> io::Result<Self> {
        // Who inherits an ignored SIGCHLD never learns how a child ended. A handler, even one that never runs, ends that.
        signal_hook::flag::register(signal_hook::consts::SIGCHLD, Arc::new(AtomicBool::new(false)))?;
        let ignored = ignored()?;
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGCHLD);
        for signal in FORWARDED.into_iter().filter(|signal| !ignored.contains(signal)) {
            mask.add(signal);
        }
        // It comes to whoever takes a terminal back from its command; it is never read, see `Terminal`.
        let mut blocked = mask;
        blocked.add(Signal::SIGTTOU);
        blocked.thread_set_mask()?;
        Ok(Self(SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// The next one that has come, if any.
    pub(super) fn next(&self) -> Option<Signal> {
        let info = self.0.read_signal().ok()??;
        Signal::try_from(i32::try_from(info.ssi_signo).ok()?).ok()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// For the elector: what is meant for the keeper may reach the whole group or cgroup, and must not end the release. It has
/// to be called before there are threads.
pub fn leave_to_the_keeper() -> io::Result<()> {
    let mut mask = SigSet::empty();
    for signal in FORWARDED {
        mask.add(signal);
    }
    mask.thread_set_mask()?;
    Ok(())
}

fn ignored() -> io::Result<Vec<Signal>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let bit = |number: u32| mask.checked_shr(number.saturating_sub(1)).is_some_and(|rest| rest & 1 == 1);
    Ok(Signal::iterator().filter(|signal| u32::try_from(number(*signal)).is_ok_and(bit)).collect())
}

/// The number of a signal.
#[must_use]
#[allow(clippy::as_conversions, reason = "an enumeration of numbers")]
pub fn number(signal: Signal) -> i32 {
    signal as i32
}
