//! What the command's process does before it becomes the command. The standard library has no room between fork and exec
//! without `unsafe`, so it is this program once more, under the name [`NAME`].

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::SigSet;
use rustix::process::{Pid, Signal, getpgrp, getppid, set_parent_process_death_signal};
use rustix::termios::tcgetpgrp;

use crate::elect::exit;

/// The name under which it is started.
pub const NAME: &str = "elect-shim";

/// What it is told by its arguments, before the command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) keeper: Pid,
    pub(super) terminal: bool,
    pub(super) privileges: bool,
}

impl Order {
    pub(super) fn arguments(self) -> [String; 3] {
        let flag = |set: bool| u8::from(set).to_string();
        [self.keeper.as_raw_pid().to_string(), flag(self.terminal), flag(self.privileges)]
    }

    fn read(arguments: &mut impl Iterator<Item = OsString>) -> Option<Self> {
        let mut number = || arguments.next()?.to_str()?.parse::<i32>().ok();
        Some(Self { keeper: Pid::from_raw(number()?)?, terminal: number()? == 1, privileges: number()? == 1 })
    }
}

/// Becomes the command; returns the exit status if that fails.
#[must_use]
pub fn run(mut arguments: impl Iterator<Item = OsString>) -> u8 {
    let Some((order, program)) = Order::read(&mut arguments).zip(arguments.next()) else { return exit::USAGE };
    match ready(order) {
        Ok(true) => {}
        // There is nobody left to keep it.
        Ok(false) => return exit::LOST,
        Err(error) => return failed(&program, &error),
    }
    // The standard library also sets SIGPIPE, which it ignores itself, to its default.
    let error = Command::new(&program).args(arguments).exec();
    failed(&program, &error)
}

fn ready(order: Order) -> io::Result<bool> {
    // Survives exec, unless that gains privileges.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if getppid() != Some(order.keeper) {
        return Ok(false);
    }
    if !order.privileges {
        rustix::thread::set_no_new_privs(true)?;
    }
    SigSet::empty().thread_set_mask()?;
    if order.terminal {
        // The keeper gives the terminal to this group as soon as it knows it.
        for _ in 0..TERMINAL_TRIES {
            if tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp()) {
                break;
            }
            sleep(TERMINAL_PAUSE);
        }
    }
    Ok(true)
}

/// As a shell says and counts it.
fn failed(program: &OsString, error: &io::Error) -> u8 {
    let _told = writeln!(io::stderr(), "elect: {}: {error}", program.display());
    if error.kind() == io::ErrorKind::NotFound { exit::NOT_FOUND } else { exit::NOT_EXECUTABLE }
}

const TERMINAL_TRIES: u32 = 1000;
const TERMINAL_PAUSE: Duration = Duration::from_millis(1);
