//! The command line of `elect`, and the same as `ELECT_*` in the environment.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args, Parser, Subcommand};
use nix::sys::signal::Signal;
use thiserror::Error;

use super::keeper::Settings;
use super::lock::Lock;
use super::timing::{Timing, Unsafe, Wanted};

/// Of all replicas that name one lock, at most one has a living command.
#[derive(Debug, Parser)]
#[command(name = "elect", version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Arguments {
    /// What else it can do.
    #[command(subcommand)]
    pub also: Option<Also>,
    #[allow(missing_docs, reason = "clap would show it")]
    #[command(flatten)]
    pub flags: Flags,
    /// The command to run while this replica is active, and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Also {
    /// Says what the durations of these flags mean, and whether they are safe.
    Check(Box<Flags>),
    /// Asks the elect with this lock and identity on this machine, or in this Pod, how it is.
    Status(Box<Flags>),
    /// Asks it to hand over: its command ends, and another replica takes over.
    StepDown(Box<Flags>),
}

/// The flags.
#[derive(Debug, Clone, Args)]
pub struct Flags {
    /// The lock: `lease://NAMESPACE/NAME`, or `etcd://HOST,HOST/KEY`, with ?ca=, &cert=, &key= and so on.
    #[arg(long, env = "ELECT_LOCK")]
    pub lock: Option<Lock>,
    /// The name of this replica [default: `POD_NAME`, else the host's name].
    #[arg(long, env = "ELECT_IDENTITY", value_name = "NAME")]
    pub identity: Option<String>,
    /// For how long the store may be away before the command is stopped.
    #[arg(long, env = "ELECT_TOLERATE_OUTAGE", value_name = "DURATION", default_value = "5s", value_parser = duration)]
    pub tolerate_outage: Duration,
    /// For how long the command may take to end when the lock is lost.
    #[arg(long, env = "ELECT_LOST_GRACE", value_name = "DURATION", default_value = "3s", value_parser = duration)]
    pub lost_grace: Duration,
    /// How often the lock is renewed.
    #[arg(long, env = "ELECT_RENEW", value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub renew: Duration,
    /// For how long the command may take to end when it is asked to. The lock is renewed all that time.
    #[arg(long, env = "ELECT_STOP_GRACE", value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub stop_grace: Duration,
    /// The signal that asks the command to end.
    #[arg(long, env = "ELECT_STOP_SIGNAL", value_name = "SIGNAL", default_value = "TERM", value_parser = signal)]
    pub stop_signal: Signal,
    /// Where /status, /active, /watch, /metrics, /readyz and /livez are served, for example 127.0.0.1:9091. Without it
    /// they are not.
    #[arg(long, env = "ELECT_HTTP", value_name = "ADDRESS")]
    pub http: Option<String>,
    /// A file that the fencing token is written to before the command starts.
    #[arg(long, env = "ELECT_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Lets the command gain privileges by what it executes. It could become somebody whom elect cannot kill.
    #[arg(long, env = "ELECT_ALLOW_NEW_PRIVILEGES", action = ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    pub allow_new_privileges: bool,
}

/// Why it cannot begin.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Cannot {
    /// The durations.
    #[error(transparent)]
    Unsafe(#[from] Unsafe),
    /// Nothing names the lock.
    #[error("no lock is named: use --lock, or set ELECT_LOCK")]
    NoLock,
    /// Nothing names the replica.
    #[error("this replica has no name: use --identity, or set ELECT_IDENTITY")]
    NoIdentity,
}

impl Flags {
    /// The lock.
    pub fn lock(&self) -> Result<Lock, Cannot> {
        self.lock.clone().ok_or(Cannot::NoLock)
    }

    /// The name of this replica.
    pub fn identity(&self) -> Result<String, Cannot> {
        let given = self.identity.clone().or_else(|| std::env::var("POD_NAME").ok());
        let name = given.or_else(|| fs::read_to_string("/proc/sys/kernel/hostname").ok()).unwrap_or_default();
        let name = name.trim();
        if name.is_empty() { Err(Cannot::NoIdentity) } else { Ok(name.to_owned()) }
    }

    /// The durations, if they are safe.
    pub fn timing(&self) -> Result<Timing, Cannot> {
        let &Self { tolerate_outage, lost_grace, renew, stop_grace, .. } = self;
        Ok(Timing::of(&Wanted { tolerate_outage, lost_grace, renew, stop_grace })?)
    }

    /// What the keeper has to know.
    pub fn settings(&self, command: Vec<OsString>) -> Result<Settings, Cannot> {
        Ok(Settings {
            command,
            timing: self.timing()?,
            stop_signal: self.stop_signal,
            token_file: self.token_file.clone(),
            privileges: self.allow_new_privileges,
            lock: self.lock()?.to_string(),
            identity: self.identity()?,
        })
    }
}

/// A whole number with its unit.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| DURATION.to_owned())?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => None,
    };
    milliseconds.map(Duration::from_millis).ok_or_else(|| DURATION.to_owned())
}

/// With or without SIG.
fn signal(text: &str) -> Result<Signal, String> {
    let name = if text.starts_with("SIG") { text.to_owned() } else { format!("SIG{text}") };
    name.parse().map_err(|_| "use the name of a signal, for example TERM or INT".to_owned())
}

const DURATION: &str = "use a whole number with ms, s, m or h, for example 5s";
