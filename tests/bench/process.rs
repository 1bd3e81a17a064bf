//! One server as a process of its own: started, pinned, measured from outside through `/proc`, and ended.
//!
//! What it serves is not known here.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// A running server. It is killed when this is dropped, and by the kernel if this program dies first.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    proc: String,
}

/// Memory in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memory {
    /// Resident now (`VmRSS`).
    pub(crate) resident: u64,
    /// The most that was ever resident (`VmHWM`).
    pub(crate) peak: u64,
}

impl Process {
    /// Starts the command on one core, so that no figure depends on how work was spread.
    ///
    /// To be called from the thread that lives longest: the kernel kills the server when that thread is gone.
    pub(crate) fn start_on(core: usize, command: &Command) -> Result<Self> {
        let mut pinned = Command::new("setpriv");
        pinned.args(["--pdeathsig", "KILL", "taskset", "--cpu-list", &core.to_string()]);
        pinned.arg(command.get_program()).args(command.get_args());
        pinned.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Self::spawn(&mut pinned)
    }

    /// Starts the command as it is: for measuring the start itself.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        Self::spawn(command)
    }

    fn spawn(command: &mut Command) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("starting {}", command.get_program().display()))?;
        let proc = format!("/proc/{}", child.id());
        Ok(Self { child, proc })
    }

    /// Waits until the port accepts connections. Says when it did.
    pub(crate) fn until_accepting(&mut self, address: SocketAddr) -> Result<Instant> {
        self.until("accepts connections", || TcpStream::connect(address).is_ok())
    }

    /// Waits until `/readyz` on this port answers 200. Says when it did.
    pub(crate) fn until_ready(&mut self, operations: SocketAddr) -> Result<Instant> {
        self.until("is ready", || is_ready(operations).unwrap_or(false))
    }

    fn until(&mut self, what: &str, mut done: impl FnMut() -> bool) -> Result<Instant> {
        let started = Instant::now();
        while !done() {
            if let Some(status) = self.child.try_wait()? {
                bail!("a server ended before it {what}: {status}");
            }
            if started.elapsed() > PATIENCE {
                bail!("a server was given {} s, and none of them was enough until it {what}", PATIENCE.as_secs());
            }
            sleep(PAUSE);
        }
        Ok(Instant::now())
    }

    /// CPU time of all its threads, kernel work on their behalf included, in nanoseconds: the first field of
    /// `schedstat` (Linux, `Documentation/scheduler/sched-stats.rst`).
    pub(crate) fn cpu_nanoseconds(&self) -> Result<u64> {
        let mut sum = 0_u64;
        for thread in fs::read_dir(format!("{}/task", self.proc))? {
            let path = thread?.path().join("schedstat");
            // A thread may end between the two reads.
            let Ok(text) = fs::read_to_string(path) else { continue };
            let on_cpu = text.split_whitespace().next().context("schedstat is empty: the kernel does not count")?;
            sum += on_cpu.parse::<u64>()?;
        }
        Ok(sum)
    }

    /// How many descriptors it has open.
    #[allow(dead_code, reason = "for the hostile peers")]
    pub(crate) fn descriptors(&self) -> Result<usize> {
        Ok(fs::read_dir(format!("{}/fd", self.proc))?.count())
    }

    /// Its memory now.
    pub(crate) fn memory(&self) -> Result<Memory> {
        let status = fs::read_to_string(format!("{}/status", self.proc))?;
        let field = |name: &str| -> Result<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such line in status")?;
            Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024)
        };
        Ok(Memory { resident: field("VmRSS:")?, peak: field("VmHWM:")? })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself: then there is nothing to kill.
        let _gone = self.child.kill().and_then(|()| self.child.wait());
    }
}

/// Pins this program, and the threads it will start, to a core.
pub(crate) fn pin_self(core: usize) -> Result<()> {
    let pid = std::process::id().to_string();
    let pinned = Command::new("taskset")
        .args(["--cpu-list", "--pid", &core.to_string(), &pid])
        .stdout(Stdio::null())
        .status()
        .context("starting taskset (util-linux)")?;
    anyhow::ensure!(pinned.success(), "taskset cannot pin this program to core {core}: at least two cores are needed");
    Ok(())
}

/// An address on loopback with a port that was free a moment ago.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Size of a file in bytes.
pub(crate) fn size(path: &Path) -> Result<u64> {
    Ok(fs::metadata(path).with_context(|| format!("reading {}", path.display()))?.len())
}

fn is_ready(address: SocketAddr) -> Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}

/// Small beside the shortest start that is measured (about 3 ms).
const PAUSE: Duration = Duration::from_micros(100);
const PATIENCE: Duration = Duration::from_secs(20);
