//! Everything that descends from a process, whatever group, session or parent it has given itself: found by parents in
//! /proc, and killed so that no other process with the same number is hit. A process whose parent ends falls to the
//! nearest subreaper, so it stays a descendant.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// One process, as /proc has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// R, S, D, Z and so on, of its first thread.
    pub state: char,
    /// When it was started, in ticks since boot: tells it from a later one with its number.
    started: u64,
    threads: u64,
}

impl Process {
    /// Dead and not reaped. The first thread of a process may also have ended while others run.
    fn is_zombie(&self) -> bool {
        self.state == 'Z' && self.threads <= 1
    }
}

/// All that descend from `root`, except `spare` and what descends from that.
pub fn descendants(root: Pid, spare: Option<Pid>) -> io::Result<Vec<Process>> {
    let mut children: HashMap<i32, Vec<Process>> = HashMap::new();
    for process in all()? {
        children.entry(process.parent).or_default().push(process);
    }
    let spare = spare.map(Pid::as_raw_pid);
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![root.as_raw_pid()];
    while let Some(parent) = parents.pop() {
        let below = children.remove(&parent).unwrap_or_default();
        for process in below.into_iter().filter(|process| Some(process.pid) != spare) {
            parents.push(process.pid);
            found.push(process);
        }
    }
    Ok(found)
}

/// Sends a signal to each, if it is still the one that was found.
pub fn signal(processes: &[Process], signal: Signal) {
    for process in processes {
        let Some(pid) = Pid::from_raw(process.pid) else { continue };
        // From here on the descriptor cannot come to mean another process, so the second look settles which one it is.
        let Ok(descriptor) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        if read(process.pid).is_some_and(|now| now.started == process.started) {
            // Whoever has ended meanwhile, or may not be killed by us, is found again by the next look, or is not.
            let _sent = pidfd_send_signal(&descriptor, signal);
        }
    }
}

/// Kills all that descend from `root`, except `spare`, until none is left or `patience` is over, and returns who is left.
/// It is for whoever is not their parent too, and reaps nobody.
pub fn end(root: Pid, spare: Option<Pid>, patience: Duration) -> io::Result<Vec<Process>> {
    let begun = Instant::now();
    loop {
        let left: Vec<_> = descendants(root, spare)?.into_iter().filter(|process| !process.is_zombie()).collect();
        if left.is_empty() || begun.elapsed() > patience {
            return Ok(left);
        }
        signal(&left, Signal::KILL);
        sleep(PAUSE);
    }
}

/// Whether the calling process, which has one thread, has no child but `spare`. Since orphans fall to it, it has no
/// other descendant then. The kernel's own list also has those that /proc hides from us.
pub fn childless(spare: Option<Pid>) -> io::Result<bool> {
    let own = rustix::process::getpid().as_raw_pid();
    let spare = spare.map(Pid::as_raw_pid);
    match fs::read_to_string(format!("/proc/self/task/{own}/children")) {
        Ok(list) => Ok(list.split_ascii_whitespace().all(|pid| pid.parse().ok() == spare)),
        // Kernels that are built without it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(all()?.iter().all(|process| process.parent != own || Some(process.pid) == spare))
        }
        Err(error) => Err(error),
    }
}

fn all() -> io::Result<Vec<Process>> {
    let entries = fs::read_dir("/proc")?;
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    Ok(pids.filter_map(read).collect())
}

fn read(pid: i32) -> Option<Process> {
    let stat = fs::read(Path::new("/proc").join(pid.to_string()).join("stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name, in brackets, may hold anything, also brackets.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    // proc(5): the parent is field 4, the number of threads 20, the start 22.
    let threads = fields.nth(15)?.parse().ok()?;
    let started = fields.nth(1)?.parse().ok()?;
    Some(Process { pid, parent, state, started, threads })
}

const PAUSE: Duration = Duration::from_millis(5);
