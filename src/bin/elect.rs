//! The program `elect`: which of its processes this one is, and the exit status. Everything else is in the library.

use std::env;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use clap::Parser as _;
use rustix::process::{Pid, getpid};
use singleton_guard::elect::args::{Also, Arguments, Cannot, Flags};
use singleton_guard::elect::keeper::{self, OURSELVES, parent, shim};
use singleton_guard::elect::socket::{self, Question};
use singleton_guard::elect::{daemon, exit, table};

/// The names under which the program starts itself again.
const KEEPER: &str = "elect-keeper";
const ELECTOR: &str = "elect-elector";

fn main() -> ExitCode {
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_default();
    if name == shim::NAME {
        return shim::run(arguments).into();
    }
    let Arguments { also, flags, command } = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _told = error.print();
            return if error.use_stderr() { exit::USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    let done = match also {
        None => run(&name, &flags, command),
        Some(Also::Check(flags)) => check(&flags),
        Some(Also::Status(flags)) => ask(&flags, Question::Status),
        Some(Also::StepDown(flags)) => ask(&flags, Question::StepDown),
    };
    match done {
        Ok(status) => status.into(),
        Err(error) => {
            let _told = writeln!(io::stderr(), "elect: {error}");
            match error {
                Failed::Cannot(Cannot::NoLock | Cannot::NoIdentity) => exit::USAGE.into(),
                Failed::Cannot(Cannot::Unsafe(_)) => exit::CONFIGURATION.into(),
                Failed::Io(_) => exit::UNKILLABLE.into(),
            }
        }
    }
}

/// One of the processes, by the name under which it was started.
fn run(name: &OsString, flags: &Flags, command: Vec<OsString>) -> Result<u8, Failed> {
    // Each of them begins here, so nothing is started with flags that do not work.
    let settings = flags.settings(command)?;
    if name == ELECTOR {
        return Ok(daemon::run(flags, &flags.lock()?, &settings.identity, settings.timing)?);
    }
    let is_below = name == KEEPER;
    if is_below || getpid() == Pid::INIT {
        Ok(keeper::run(&settings, again(ELECTOR), is_below)?)
    } else {
        Ok(parent::run(again(KEEPER))?)
    }
}

fn again(name: &str) -> Command {
    let mut command = Command::new(OURSELVES);
    command.arg0(name).args(env::args_os().skip(1));
    command
}

fn check(flags: &Flags) -> Result<u8, Failed> {
    let timing = flags.timing()?;
    writeln!(io::stdout(), "{}", table::of(&timing))?;
    Ok(0)
}

fn ask(flags: &Flags, question: Question) -> Result<u8, Failed> {
    let (lock, identity) = (flags.lock()?.to_string(), flags.identity()?);
    match socket::ask(&lock, &identity, question) {
        Ok(answer) => {
            write!(io::stdout(), "{answer}")?;
            Ok(u8::from(answer.trim() == socket::PASSIVE))
        }
        Err(error) => {
            writeln!(io::stderr(), "elect: no elect answers here for {lock} as {identity}: {error}")?;
            Ok(exit::UNAVAILABLE)
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Cannot(#[from] Cannot),
    #[error(transparent)]
    Io(#[from] io::Error),
}
