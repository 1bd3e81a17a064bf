//! What this program is when one of its own tests starts it: the command of a replica, which writes down that it lives;
//! and, as the control, the processes of an elect whose lease is too short.

use std::env;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use singleton_guard::elect::args::Arguments;
use singleton_guard::elect::daemon;
use singleton_guard::elect::keeper::{self, OURSELVES, boottime, parent, shim};

/// The first argument of the command.
pub const WITNESS: &str = "witness";
/// The name of the control, and in milliseconds the lease that its replicas wait for.
pub const WEAK: &str = "weak";
pub const WEAK_LEASE: &str = "ARENA_LEASE";
const WEAK_KEEPER: &str = "weak-keeper";
const WEAK_ELECTOR: &str = "weak-elector";

/// The exit status of a role, if this process has one.
pub fn play() -> Option<u8> {
    let mut arguments = env::args_os();
    let name = arguments.next()?;
    if name == shim::NAME {
        return Some(shim::run(arguments));
    }
    let done = match name.to_str()? {
        WEAK | WEAK_KEEPER | WEAK_ELECTOR => weak(name.to_str()?),
        _ if arguments.next()? == WITNESS => witness(Path::new(&arguments.next()?)).map(|()| 0),
        _ => return None,
    };
    Some(done.unwrap_or_else(|error| panic!("{error:#}")))
}

/// Every 5 ms: its token, the time, and which replica it is of.
fn witness(file: &Path) -> Result<()> {
    let number = |name: &str| env::var(name).context("a variable")?.parse::<u64>().context("a number");
    let (token, replica) = (number("ELECT_TOKEN")?, number("ELECT_IDENTITY")?);
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file)?;
    loop {
        let line: Vec<u8> = [token, boottime(), replica].into_iter().flat_map(u64::to_le_bytes).collect();
        file.write_all(&line)?;
        sleep(Duration::from_millis(5));
    }
}

/// As the program, but for one number.
fn weak(name: &str) -> Result<u8> {
    let Arguments { flags, command, .. } = Arguments::parse();
    let mut settings = flags.settings(command)?;
    settings.timing.lease = Duration::from_millis(env::var(WEAK_LEASE)?.parse()?);
    let again = |name: &str| {
        let mut command = Command::new(OURSELVES);
        command.arg0(name).args(env::args_os().skip(1));
        command
    };
    Ok(match name {
        WEAK_ELECTOR => daemon::run(&flags, &flags.lock()?, &settings.identity, settings.timing)?,
        WEAK_KEEPER => keeper::run(&settings, again(WEAK_ELECTOR), true)?,
        _ => parent::run(again(WEAK_KEEPER))?,
    })
}
