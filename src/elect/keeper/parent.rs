//! The parent of a keeper that is not process 1. Nobody can kill process 1 from inside its namespace, and when it ends the
//! kernel ends the rest. Elsewhere a keeper can be killed, and what the command has started would fall to the machine's
//! init and live on. So it falls to this process, which does nothing else: it passes signals on, and waits.

use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpid, pidfd_open, pidfd_send_signal, set_child_subreaper, wait,
};

use super::child::in_the_foreground;
use super::signals::{self, Signals};
use super::tree;
use crate::elect::exit;

/// Starts the keeper and ends as it does.
pub fn run(mut keeper: Command) -> io::Result<u8> {
    set_child_subreaper(Some(getpid()))?;
    let signals = Signals::take()?;
    // What is sent to our group must not reach the keeper twice. On a terminal it has to be in the group that may lend it.
    if !in_the_foreground() {
        keeper.process_group(0);
    }
    let pid = keeper.spawn()?.id();
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
    let descriptor = pidfd_open(pid, PidfdFlags::empty())?;
    loop {
        while let Some(signal) = signals.next() {
            if let Some(signal) = rustix::process::Signal::from_named_raw(signals::number(signal))
                && signal != Signal::CHILD
            {
                let _sent = pidfd_send_signal(&descriptor, signal);
            }
        }
        if let Some(status) = reap(pid) {
            return Ok(status);
        }
        let _woken = poll(&mut [PollFd::from_borrowed_fd(signals.as_fd(), PollFlags::IN)], None);
    }
}

/// The exit status once the keeper has ended, and nothing below it lives.
fn reap(keeper: Pid) -> Option<u8> {
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid == keeper {
            let status = status.exit_status().and_then(|status| u8::try_from(status).ok());
            let alive = end_the_rest();
            return Some(if alive { exit::UNKILLABLE } else { status.unwrap_or(exit::LOST) });
        }
    }
    None
}

/// Kills what the keeper has left, and says whether any of it still lives.
fn end_the_rest() -> bool {
    let left = tree::end(getpid(), None, PATIENCE);
    while matches!(wait(WaitOptions::NOHANG), Ok(Some(_))) {}
    match left {
        Ok(left) if left.is_empty() => false,
        Ok(left) => {
            let _told = writeln!(io::stderr(), "elect: {} processes of the command could not be ended", left.len());
            true
        }
        Err(_) => true,
    }
}

/// As long as the margin that is kept for the kernel to end what was killed.
const PATIENCE: Duration = Duration::from_secs(1);
