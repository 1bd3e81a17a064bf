//! The command: how it is started, what it is given, and the terminal.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use rustix::process::{Pid, PidfdFlags, getpgrp, getpid, pidfd_open, pidfd_send_signal};
use rustix::termios::{tcgetpgrp, tcsetpgrp};

use super::settings::{OURSELVES, Settings};
use super::shim::{self, Order};
use super::signals;

/// The first process of a command that was started.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) pid: Pid,
    /// Means this very process, also when its number is used again.
    descriptor: OwnedFd,
    terminal: bool,
}

impl Child {
    /// Starts the command, in a group of its own.
    pub(super) fn start(settings: &Settings, token: u64) -> io::Result<Self> {
        let terminal = in_the_foreground();
        let order = Order { keeper: getpid(), terminal, privileges: settings.privileges };
        let mut command = Command::new(OURSELVES);
        command.arg0(shim::NAME).args(order.arguments()).args(&settings.command).process_group(0);
        command.env("ELECT_LOCK", &settings.lock).env("ELECT_IDENTITY", &settings.identity);
        command.env("ELECT_TOKEN", token.to_string()).env_remove("ELECT_TOKEN_FILE");
        if let Some(file) = &settings.token_file {
            write_whole(file, &format!("{token}\n"))?;
            command.env("ELECT_TOKEN_FILE", file);
        }
        let pid = command.spawn()?.id();
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        if terminal {
            tcsetpgrp(io::stdin(), pid)?;
        }
        // Nobody else reaps it, so the number still means it.
        Ok(Self { pid, descriptor: pidfd_open(pid, PidfdFlags::empty())?, terminal })
    }

    /// Passes a signal on. It may have ended meanwhile.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(signal) = rustix::process::Signal::from_named_raw(signals::number(signal)) {
            let _sent = pidfd_send_signal(&self.descriptor, signal);
        }
    }

    /// Whoever started us gets back the terminal that it lent.
    pub(super) fn return_terminal(&self) {
        if self.terminal && tcgetpgrp(io::stdin()).is_ok_and(|group| group == self.pid) {
            // From the background this would stop us, were SIGTTOU not blocked.
            let _returned = tcsetpgrp(io::stdin(), getpgrp());
        }
    }
}

/// Whether our group has the terminal, and so could lend it.
pub(super) fn in_the_foreground() -> bool {
    io::stdin().is_terminal() && tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
}

/// Nobody who reads it sees half of it.
fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(".new");
    fs::write(&unfinished, text)?;
    fs::rename(&unfinished, file)
}
