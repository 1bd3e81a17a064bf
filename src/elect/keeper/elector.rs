//! The other process, as the keeper has it.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::process::Command;

use rustix::process::{Pid, Signal, WaitStatus, kill_process};

use crate::elect::link::{Came, Link};
use crate::elect::wire::{ToElector, ToKeeper};

/// The other process, as the keeper has it.
#[derive(Debug)]
pub(super) struct Elector {
    /// Until it is reaped: from then on the number may mean another one.
    pid: Option<Pid>,
    /// Until it is closed.
    link: Option<Link>,
    status: Option<u8>,
}

impl Elector {
    pub(super) fn start(mut elector: Command, link: Link) -> io::Result<Self> {
        let pid = elector.spawn()?.id();
        Ok(Self { pid: i32::try_from(pid).ok().and_then(Pid::from_raw), link: Some(link), status: None })
    }

    pub(super) fn pid(&self) -> Option<Pid> {
        self.pid
    }

    pub(super) fn ended(&self) -> bool {
        self.pid.is_none()
    }

    /// Its exit status, if it was not killed.
    pub(super) fn status(&self) -> Option<u8> {
        self.status
    }

    /// It has closed its end and is not reaped yet.
    pub(super) fn is_dying(&self) -> bool {
        self.link.is_none() && self.pid.is_some()
    }

    /// It may have ended, and then nothing is to be said.
    pub(super) fn tell(&self, message: ToElector) {
        if let Some(link) = &self.link {
            let _sent = link.send(message);
        }
    }

    pub(super) fn receive(&mut self) -> Came<ToKeeper> {
        let came = self.link.as_ref().map_or(Came::Nothing, Link::receive);
        if came == Came::Ended {
            // Without it, it is of no use; and whoever ends already is not changed by that.
            self.link = None;
            self.kill();
        }
        came
    }

    pub(super) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.link.as_ref().map(Link::as_fd)
    }

    pub(super) fn kill(&self) {
        if let Some(pid) = self.pid {
            let _sent = kill_process(pid, Signal::KILL);
        }
    }

    pub(super) fn reaped(&mut self, status: WaitStatus) {
        self.pid = None;
        self.link = None;
        self.status = status.exit_status().and_then(|status| u8::try_from(status).ok());
    }
}
