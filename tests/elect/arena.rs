//! Replicas of one lock, each with its three processes, and what happens to them.

use std::fs::OpenOptions;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::checker::{self, Life};
use crate::roles::{WEAK, WEAK_LEASE, WITNESS};

/// Some replicas.
pub struct Arena {
    lock: String,
    timing: Timing,
    file: PathBuf,
    replicas: Vec<Child>,
}

/// The flags of the replicas.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    pub flags: &'static [&'static str],
    /// The lease that they come to, or for the control the one that its replicas wait for, in milliseconds.
    pub lease: u64,
    pub is_weak: bool,
}

/// Whom a signal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Parent,
    Keeper,
    Elector,
    Command,
}

impl Arena {
    pub fn new(lock: String, timing: Timing, file: PathBuf, replicas: usize) -> Result<Self> {
        let mut arena = Self { lock, timing, file, replicas: Vec::new() };
        for replica in 0..replicas {
            arena.replicas.push(arena.start(replica)?);
        }
        Ok(arena)
    }

    fn start(&self, replica: usize) -> Result<Child> {
        let ourselves = std::env::current_exe()?;
        let mut command = if self.timing.is_weak {
            let mut weak = Command::new(&ourselves);
            weak.arg0(WEAK).env(WEAK_LEASE, self.timing.lease.to_string());
            weak
        } else {
            Command::new(env!("CARGO_BIN_EXE_elect"))
        };
        command.args(self.timing.flags).arg("--").arg(ourselves).arg(WITNESS).arg(&self.file);
        command.env("ELECT_LOCK", &self.lock).env("ELECT_IDENTITY", replica.to_string());
        let log = OpenOptions::new().create(true).append(true).open(self.file.with_extension("log"))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).process_group(0);
        command.spawn().context("starting a replica")
    }

    /// Starts again whoever has ended, as a kubelet does.
    pub fn revives(&mut self) -> Result<()> {
        for replica in 0..self.replicas.len() {
            if self.replicas[replica].try_wait()?.is_some() {
                self.replicas[replica] = self.start(replica)?;
            }
        }
        Ok(())
    }

    pub fn lease(&self) -> Duration {
        Duration::from_millis(self.timing.lease)
    }

    pub fn lives(&self) -> Result<Vec<Life>> {
        checker::lives(&self.file)
    }

    /// Waits for a command that begins after this many others, and then a moment longer.
    pub fn until_next(&mut self, before: usize) -> Result<Duration> {
        let started = Instant::now();
        let most = self.lease() * 2 + Duration::from_secs(8);
        while self.lives()?.len() <= before {
            self.revives()?;
            if started.elapsed() > most {
                let log = std::fs::read_to_string(self.file.with_extension("log")).unwrap_or_default();
                let end: Vec<_> = log.lines().rev().take(12).collect();
                bail!("nobody is active after {most:?}: {end:#?}");
            }
            sleep(Duration::from_millis(20));
        }
        Ok(started.elapsed())
    }

    /// Sends a signal to a part of a replica.
    pub fn signals(&self, replica: u64, part: Part, signal: Signal) -> Result<()> {
        for pid in self.pids(replica, part)? {
            match kill(Pid::from_raw(pid), signal) {
                Ok(()) | Err(nix::errno::Errno::ESRCH) => {}
                Err(error) => bail!("{signal} to {part:?}: {error}"),
            }
        }
        Ok(())
    }

    fn pids(&self, replica: u64, part: Part) -> Result<Vec<i32>> {
        let parent = i32::try_from(self.replicas[usize::try_from(replica)?].id())?;
        let keepers = children(parent);
        let below = || keepers.iter().flat_map(|keeper| children(*keeper));
        Ok(match part {
            Part::Parent => vec![parent],
            Part::Keeper => keepers,
            Part::Elector => below().filter(|pid| is_elector(*pid)).collect(),
            Part::Command => below().filter(|pid| !is_elector(*pid)).collect(),
        })
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        for replica in &mut self.replicas {
            let _ended = replica.try_wait();
            if let Ok(pid) = i32::try_from(replica.id()) {
                let _sent = kill(Pid::from_raw(pid), Signal::SIGTERM);
            }
        }
        for replica in &mut self.replicas {
            let _ended = replica.wait();
        }
    }
}

fn children(pid: i32) -> Vec<i32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn is_elector(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline"))
        .is_ok_and(|line| line.starts_with(b"elect-elector") || line.starts_with(b"weak-elector"))
}
