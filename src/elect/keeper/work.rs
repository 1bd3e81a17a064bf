//! The keeper's one loop: what it is told, what comes in, what has ended, and what the time asks for.

use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Pid, PidfdFlags, getpid, getppid, pidfd_open, set_child_subreaper};

use crate::elect::exit;
use crate::elect::link::{Came, Link};
use crate::elect::wire::{ToElector, ToKeeper};

use super::child::Child;
use super::deadline::{Deadline, boottime};
use super::elector::Elector;
use super::schedule::{Due, Phase, Schedule};
use super::settings::Settings;
use super::signals::Signals;
use super::tree;

/// Keeps the command until nothing of it is alive, and returns the exit status. `parent`: it was started by
/// [`super::parent::run`], and ends with it.
pub fn run(settings: &Settings, elector: Command, parent: bool) -> io::Result<u8> {
    let mut keeper = Keeper::new(settings, elector, parent)?;
    let status = keeper.keep();
    if let Some(child) = &keeper.child {
        child.return_terminal();
    }
    status
}

/// A keeper at work.
pub(super) struct Keeper<'a> {
    pub(super) settings: &'a Settings,
    pub(super) schedule: Schedule,
    deadline: Deadline,
    signals: Signals,
    pub(super) elector: Elector,
    /// Readable when the parent has ended.
    pub(super) parent: Option<OwnedFd>,
    pub(super) child: Option<Child>,
    /// How the command ended.
    pub(super) status: Option<u8>,
    /// Whether what it has left behind was told to end.
    pub(super) told_the_rest: bool,
}

impl<'a> Keeper<'a> {
    fn new(settings: &'a Settings, mut elector: Command, parent: bool) -> io::Result<Self> {
        set_child_subreaper(Some(getpid()))?;
        let signals = Signals::take()?;
        let parent = match getppid() {
            Some(pid) if parent => Some(pidfd_open(pid, PidfdFlags::empty())?),
            _ => None,
        };
        let (link, other) = Link::pair()?;
        // Neither what is typed nor what is sent to our group is meant for it, and it must not hold what the command writes.
        elector.stdin(OwnedFd::from(other)).stdout(Stdio::null()).process_group(0);
        let elector = Elector::start(elector, link)?;
        // Without it a keeper that was swapped out may be late on a machine that is short of memory. Mappings to come are
        // not included: they would fail beyond the limit that a container has.
        let _locked = mlockall(MlockAllFlags::CURRENT | MlockAllFlags::ONFAULT);
        let (schedule, deadline) = (Schedule::new(&settings.timing), Deadline::new()?);
        Ok(Self {
            settings,
            schedule,
            deadline,
            signals,
            elector,
            parent,
            child: None,
            status: None,
            told_the_rest: false,
        })
    }

    fn keep(&mut self) -> io::Result<u8> {
        loop {
            let pause = self.deadline.hidden_pause();
            self.schedule.paused(pause);
            while let Came::Message(message) = self.elector.receive() {
                self.obey(message, pause);
            }
            while let Some(signal) = self.signals.next() {
                self.signalled(signal);
            }
            self.reap();
            match self.schedule.due(boottime()) {
                Due::Nothing => {}
                Due::Stop => self.signal(self.settings.stop_signal),
                Due::Kill => self.kill()?,
                Due::GiveUp => return Ok(self.give_up()),
                Due::Leave => self.elector.kill(),
            }
            if let Some(status) = self.left() {
                return Ok(status);
            }
            self.wait()?;
        }
    }

    fn obey(&mut self, message: ToKeeper, pause: u64) {
        let now = boottime();
        match message {
            ToKeeper::Run { until, token, .. } => {
                if self.schedule.run(until.saturating_sub(pause), now) {
                    self.start(token);
                } else if self.child.is_none() {
                    self.elector.tell(ToElector::Gone { status: 0 });
                }
            }
            ToKeeper::Until { at } => {
                self.schedule.renewed(at.saturating_sub(pause));
                self.elector.tell(ToElector::Alive);
            }
            ToKeeper::Stop { grace } => {
                // Whoever waits has nothing to stop, and may still be told to run.
                if self.child.is_some() && self.schedule.stop(now, Some(grace)) {
                    self.signal(self.settings.stop_signal);
                }
            }
            ToKeeper::Lost => {
                if self.child.is_some() && self.schedule.abandoned(now) {
                    self.signal(self.settings.stop_signal);
                }
            }
        }
    }

    fn start(&mut self, token: u64) {
        match Child::start(self.settings, token) {
            Ok(child) => {
                let pid = u32::try_from(child.pid.as_raw_pid()).unwrap_or(0);
                self.child = Some(child);
                self.elector.tell(ToElector::Started { pid });
            }
            Err(error) => {
                let _told = writeln!(io::stderr(), "elect: the command cannot be started: {error}");
                self.status = Some(exit::NOT_EXECUTABLE);
                // Half of it may be there.
                self.schedule.left_behind(boottime());
            }
        }
    }

    fn signalled(&mut self, signal: Signal) {
        match signal {
            Signal::SIGCHLD => {}
            Signal::SIGTERM => {
                self.asked_to_stop();
                self.signal(self.settings.stop_signal);
            }
            Signal::SIGINT | Signal::SIGHUP | Signal::SIGQUIT if self.child.is_none() => self.asked_to_stop(),
            other => self.signal(other),
        }
    }

    pub(super) fn asked_to_stop(&mut self) {
        self.elector.tell(ToElector::StopAsked);
        self.schedule.stop(boottime(), None);
    }

    /// To the command, as long as it has not ended.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(child) = self.child.as_ref().filter(|_| self.status.is_none()) {
            child.signal(signal);
        }
    }

    fn kill(&mut self) -> io::Result<()> {
        self.signal(Signal::SIGKILL);
        if getpid() == Pid::INIT && self.elector.ended() {
            // There will be no release, so nobody is needed for it.
            let _none_left = nix::sys::signal::kill(nix::unistd::Pid::from_raw(-1), Signal::SIGKILL);
        }
        tree::signal(&tree::descendants(getpid(), self.elector.pid())?, rustix::process::Signal::KILL);
        Ok(())
    }

    /// Something is alive that may no longer be. Whoever holds on to it is the kernel.
    fn give_up(&mut self) -> u8 {
        let left = tree::descendants(getpid(), self.elector.pid()).unwrap_or_default();
        self.elector.kill();
        let pids: Vec<String> = left.iter().map(|process| format!("{} ({})", process.pid, process.state)).collect();
        let _told = writeln!(io::stderr(), "elect: could not end the command in time: {}", pids.join(", "));
        exit::UNKILLABLE
    }

    /// The exit status, once the elector has ended too.
    fn left(&self) -> Option<u8> {
        let leaving = matches!(self.schedule.phase(), Phase::Leaving { .. });
        (leaving && self.elector.ended()).then(|| match self.elector.status() {
            _ if self.schedule.lost() => exit::LOST,
            Some(0) => self.status.unwrap_or(0),
            Some(status) => status,
            // It was killed. After the end of the command that costs only the release.
            None => self.status.unwrap_or(exit::LOST),
        })
    }

    fn wait(&self) -> io::Result<()> {
        self.deadline.alarm(self.schedule.next())?;
        let hurry = matches!(self.schedule.phase(), Phase::Killing { .. }) || self.elector.is_dying();
        let signals = self.signals.as_fd();
        let descriptors = self.deadline.descriptors().into_iter().chain([signals]).chain(self.elector.descriptor());
        let descriptors = descriptors.chain(self.parent.as_ref().map(OwnedFd::as_fd));
        let mut descriptors: Vec<_> =
            descriptors.map(|descriptor| PollFd::from_borrowed_fd(descriptor, PollFlags::IN)).collect();
        match poll(&mut descriptors, hurry.then_some(&HURRY)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// Between two looks at what is being killed.
const HURRY: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
