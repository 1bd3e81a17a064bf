//! What a keeper is told when it is started.

use std::ffi::OsString;
use std::path::PathBuf;

use nix::sys::signal::Signal;

use crate::elect::timing::Timing;

/// The program that runs, wherever it was started from, and also after it was replaced on disk.
pub const OURSELVES: &str = "/proc/self/exe";

/// What a keeper has to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The command and its arguments.
    pub command: Vec<OsString>,
    /// The durations of the lock.
    pub timing: Timing,
    /// What tells the command to end.
    pub stop_signal: Signal,
    /// Where the token is written for it.
    pub token_file: Option<PathBuf>,
    /// Whether it may gain privileges by what it executes. It could become somebody whom we cannot kill.
    pub privileges: bool,
    /// The name of the lock, for the command.
    pub lock: String,
    /// The name of this replica, for the command.
    pub identity: String,
}
