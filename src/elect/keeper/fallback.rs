//! What the elector does when the keeper does not end the command in time, because somebody has stopped it: the same, from
//! outside. It is called in the elector, the keeper's child.

use std::io;
use std::time::Duration;

use rustix::process::{Signal, getpid, getppid, kill_process};

use super::tree;

/// Kills all that descends from the keeper but this process, and then the keeper, which could start something again.
/// Whether nothing is left; even then there must be no release, because only a keeper knows that for certain.
pub fn end(patience: Duration) -> io::Result<bool> {
    let Some(keeper) = getppid() else { return Ok(false) };
    let left = tree::end(keeper, Some(getpid()), patience)?;
    // Process 1 takes no signal from inside its namespace. It ends when it goes on and finds this process gone.
    let _sent = kill_process(keeper, Signal::KILL);
    Ok(left.is_empty())
}
