//! Who has ended: the command, the elector, the parent, and the orphans that fall to the keeper.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, WaitOptions, WaitStatus, getpid, wait};

use super::deadline::boottime;
use super::schedule::Phase;
use super::work::Keeper;
use super::{signals, tree};
use crate::elect::exit;
use crate::elect::wire::ToElector;

impl Keeper<'_> {
    /// Takes note of all that has ended, and of what follows from it.
    pub(super) fn reap(&mut self) {
        self.take_ended();
        let now = boottime();
        if self.elector.descriptor().is_none() {
            self.without_elector(now);
        }
        if self.parent_ended() {
            self.parent = None;
            self.asked_to_stop();
            self.signal(self.settings.stop_signal);
        }
        if matches!(self.schedule.phase(), Phase::Waiting | Phase::Leaving { .. }) || self.status.is_none() {
            return;
        }
        if self.nothing_left() {
            self.schedule.leave(now);
            self.elector.tell(ToElector::Gone { status: self.status.unwrap_or(0) });
        } else if !self.told_the_rest {
            // The command has ended; what it has started is told to, and has as long as after a loss.
            self.told_the_rest = true;
            self.schedule.left_behind(now);
            self.signal_the_rest();
        }
    }

    fn without_elector(&mut self, now: u64) {
        match self.schedule.phase() {
            // It ends when it was asked to, or for a reason of its own.
            Phase::Waiting if self.elector.ended() => self.schedule.leave(now),
            Phase::Running | Phase::Ending { .. } => {
                if self.schedule.abandoned(now) {
                    self.signal(self.settings.stop_signal);
                }
            }
            Phase::Waiting | Phase::Killing { .. } | Phase::Leaving { .. } => {}
        }
    }

    /// Whether it found any.
    fn take_ended(&mut self) -> bool {
        let mut any = false;
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            any = true;
            if self.elector.pid() == Some(pid) {
                self.elector.reaped(status);
            } else if self.child.as_ref().is_some_and(|child| child.pid == pid) && self.status.is_none() {
                self.status = Some(as_a_shell(status));
            }
        }
        any
    }

    /// The kernel's list may leave out somebody while another one ends. So it counts only if none has ended meanwhile.
    fn nothing_left(&mut self) -> bool {
        loop {
            let childless = tree::childless(self.elector.pid()).unwrap_or(false);
            if !self.take_ended() {
                return childless;
            }
        }
    }

    fn signal_the_rest(&self) {
        let signal = rustix::process::Signal::from_named_raw(signals::number(self.settings.stop_signal));
        let rest = tree::descendants(getpid(), self.elector.pid()).unwrap_or_default();
        tree::signal(&rest, signal.unwrap_or(Signal::TERM));
    }

    fn parent_ended(&self) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        self.parent.as_ref().is_some_and(|parent| {
            let mut descriptors = [PollFd::new(parent, PollFlags::IN)];
            matches!(poll(&mut descriptors, Some(&now)), Ok(1))
        })
    }
}

fn as_a_shell(status: WaitStatus) -> u8 {
    let signalled = || status.terminating_signal().map(|signal| i32::from(exit::SIGNALLED).saturating_add(signal));
    status.exit_status().or_else(signalled).and_then(|status| u8::try_from(status).ok()).unwrap_or(u8::MAX)
}
