//! What this program is when one of its own tests starts it: keeper, its parent, an elector that does what it is told by
//! the test, and commands that a shell cannot play.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use rustix::event::{PollFd, PollFlags, poll};
use singleton_guard::elect::keeper::{self, OURSELVES, Settings, boottime, fallback, parent, shim, signals};
use singleton_guard::elect::link::{Came, Link};
use singleton_guard::elect::timing::Timing;
use singleton_guard::elect::wire::{LENGTH, Message as _, ToElector, ToKeeper};

/// The first argument of a process that plays a role.
pub(super) const ROLE: &str = "play";
/// Where the elector finds the test.
pub(super) const CONTROL: &str = "KEEPER_TEST_CONTROL";
/// In milliseconds: lost-grace, stop-grace, margin, call.
pub(super) const TIMING: &str = "KEEPER_TEST_TIMING";
/// The status with which the elector exits at the end.
pub(super) const STATUS: &str = "KEEPER_TEST_STATUS";
/// Where the token is written.
pub(super) const TOKEN_FILE: &str = "KEEPER_TEST_TOKEN_FILE";
/// Whether the command may gain privileges.
pub(super) const PRIVILEGES: &str = "KEEPER_TEST_PRIVILEGES";
/// What makes the elector end the command itself, as the second killer.
pub(super) const END: [u8; LENGTH] = [0xff; LENGTH];

/// The exit status of a role, if this process has one.
pub(super) fn play() -> Option<u8> {
    let mut arguments = std::env::args_os();
    if arguments.next().is_some_and(|name| name == shim::NAME) {
        return Some(shim::run(arguments));
    }
    if arguments.next().is_none_or(|first| first != ROLE) {
        return None;
    }
    let role = arguments.next().unwrap();
    let status = match role.to_str().unwrap() {
        "parent" => {
            let mut again = Command::new(OURSELVES);
            again.arg0("test-keeper").args([ROLE, "keeper"]).args(arguments);
            parent::run(again)
        }
        name @ ("keeper" | "init") => {
            let settings = settings(arguments.collect());
            let mut elector = Command::new(OURSELVES);
            elector.arg0("test-elector").args([ROLE, "elector"]);
            keeper::run(&settings, elector, name == "keeper")
        }
        "elector" => elector(),
        "clockwork" => clockwork(&arguments.next().unwrap().into_string().unwrap()),
        other => panic!("no role {other}"),
    };
    Some(status.unwrap_or_else(|error| panic!("{}: {error}", role.display())))
}

fn settings(command: Vec<std::ffi::OsString>) -> Settings {
    let timing = std::env::var(TIMING).unwrap();
    let mut timing = timing.split(',').map(|number| Duration::from_millis(number.parse().unwrap()));
    let mut next = || timing.next().unwrap();
    let (lost_grace, stop_grace, margin, call) = (next(), next(), next(), next());
    let second = Duration::from_secs(1);
    Settings {
        command,
        timing: Timing { lease: second, renew: second, call, stop_after: second, lost_grace, margin, stop_grace },
        stop_signal: Signal::SIGTERM,
        token_file: std::env::var_os(TOKEN_FILE).map(Into::into),
        privileges: std::env::var_os(PRIVILEGES).is_some(),
        lock: "lease://here/broker".to_owned(),
        identity: "broker-0".to_owned(),
    }
}

/// Passes on what the test says and what the keeper says. It ends when the test hangs up.
fn elector() -> io::Result<u8> {
    signals::leave_to_the_keeper()?;
    let link = Link::inherited()?;
    let mut control = UnixStream::connect(std::env::var_os(CONTROL).unwrap())?;
    loop {
        let mut descriptors =
            [PollFd::new(&link, PollFlags::IN), PollFd::from_borrowed_fd(control.as_fd(), PollFlags::IN)];
        poll(&mut descriptors, None)?;
        let [from_keeper, from_test] = descriptors.map(|descriptor| !descriptor.revents().is_empty());
        while let Some(came) = from_keeper.then(|| link.receive::<ToElector>()) {
            match came {
                Came::Message(message) => control.write_all(&message.write())?,
                Came::Nothing => break,
                Came::Ended => return Ok(0),
            }
        }
        if from_test {
            let mut bytes = [0; LENGTH];
            if control.read_exact(&mut bytes).is_err() {
                return Ok(std::env::var(STATUS).map_or(0, |status| status.parse().unwrap()));
            }
            if bytes == END {
                assert!(fallback::end(Duration::from_secs(1))?);
                return Ok(75);
            }
            link.send(ToKeeper::read(&bytes).unwrap())?;
        }
    }
}

/// Writes the time every half millisecond, and is deaf to SIGTERM.
fn clockwork(file: &str) -> io::Result<u8> {
    let mut deaf = SigSet::empty();
    deaf.add(Signal::SIGTERM);
    deaf.thread_block()?;
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
    loop {
        file.write_all(&boottime().to_le_bytes())?;
        sleep(Duration::from_micros(500));
    }
}
