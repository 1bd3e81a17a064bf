//! The walls around a lab: the calling program runs itself again inside new user, network, mount and PID namespaces.
//!
//! That one step gives everything that a lab must promise. No root. No port that collides with another lab's or with
//! anything else, for each lab has its own loopback device. And a certain end: the program inside is the first process
//! of its PID namespace, so when the outer program ends, even by `kill -9`, the kernel ends all that was started.
//!
//! ```text
//! cargo test / cargo run          the outer program: finds the binaries, owns the work directory, waits
//!   └─ setpriv └─ unshare         turns "my parent is gone" into SIGKILL
//!        └─ the same program      process 1 inside: etcd, the API server, ..., the Pods' processes are its children
//! ```

use std::future::pending;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use super::binaries::{self, Binaries, Names, NoBinaries};
use super::forward;
use super::namespaces::{Namespaces, Network, NoNamespaces};
use super::progress::Progress;
use super::work::WorkDirectory;

/// What the program inside was given by the one outside.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entered {
    /// What it is to do there, for a program that has several things to do.
    pub(crate) task: String,
    /// A private directory that the outer program removes at the end.
    pub(crate) work: PathBuf,
    /// Where etcd, the API server and the other programs are.
    pub(crate) binaries: Binaries,
    /// The loopback port outside that leads to the API server, with [`Reach::Outside`].
    pub(crate) port: Option<u16>,
}

/// From where the API server can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Only from inside the lab.
    Inside,
    /// Also from an ordinary shell on this machine, through a loopback port that the kernel chooses.
    Outside,
}

/// Why there can be no lab here: each reason is one sentence for the person who asked for one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotHere {
    /// No walls.
    #[error(transparent)]
    Namespaces(#[from] NoNamespaces),
    /// No control plane.
    #[error(transparent)]
    Binaries(#[from] NoBinaries),
    /// No directory to work in, or no process.
    #[error("cannot {doing}: {error}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

/// Enters the lab's namespaces. To be called first thing in `main`, before there is a runtime or a thread.
///
/// Inside it returns. Outside it does not: it runs this program again, with the same arguments, on the inside, waits
/// for it, removes the work directory and exits as the inside did. Ctrl-C and SIGTERM end both.
///
/// # Errors
/// Outside, if a lab cannot be had on this machine. Then nothing has been started, and the program goes on.
pub(crate) fn enter(reach: Reach, names: Names, progress: &Progress) -> Result<Entered, NotHere> {
    match inside() {
        Some(entered) => entered,
        None => match Stage::find(names, progress)?.play("", reach, progress)? {
            Ended::Exited(code) | Ended::Interrupted(code) => std::process::exit(code),
        },
    }
}

/// What the program was given, if it is inside.
pub(crate) fn inside() -> Option<Result<Entered, NotHere>> {
    std::env::var(INSIDE).ok().map(|given| set_up(&given))
}

fn set_up(given: &str) -> Result<Entered, NotHere> {
    // Somebody who sets the variable by hand must not get our addresses on their real loopback device.
    if std::process::id() != 1 {
        let error = io::Error::other("it is set, but this is not process 1 of a lab: unset it");
        return Err(NotHere::System { doing: "believe SINGLETON_GUARD_LAB", error });
    }
    let entered = serde_json::from_str(given).map_err(io::Error::other).map_err(doing("read SINGLETON_GUARD_LAB"))?;
    run("ip", &["link", "set", "lo", "up"])?;
    // A Service IP and a node's address are addresses like any other when there is only one machine.
    for address in [API_ADDRESS, SECOND_API_ADDRESS, DNS_ADDRESS, NODE_ADDRESS] {
        run("ip", &["address", "add", &format!("{address}/32"), "dev", "lo"])?;
    }
    Ok(entered)
}

/// What a lab needs of this machine, found: it can be played on again and again, each time in new namespaces.
#[derive(Debug)]
pub(crate) struct Stage {
    namespaces: Namespaces,
    binaries: Binaries,
}

impl Stage {
    /// Finds out whether there can be a lab here, and builds what it lacks.
    ///
    /// # Errors
    /// If there can be none.
    pub(crate) fn find(names: Names, progress: &Progress) -> Result<Self, NotHere> {
        let namespaces = Namespaces::probe()?;
        Ok(Self { namespaces, binaries: binaries::find(names, namespaces, progress)? })
    }

    /// Runs this program again, with the same arguments, on the inside of new namespaces, waits for it and removes the work
    /// directory. The program inside reads in [`Entered::task`] what it is to do there.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn play(&self, task: &str, reach: Reach, progress: &Progress) -> Result<Ended, NotHere> {
        let work = WorkDirectory::create().map_err(doing("make a work directory"))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let ended = runtime.map_err(doing("start a runtime")).and_then(|runtime| {
            let ended = runtime.block_on(self.wait_for_the_inside(task, reach, &work));
            // Connections that are still being forwarded end here.
            drop(runtime);
            ended
        });
        match work.remove() {
            Ok(None) => {}
            Ok(Some(kept)) => progress.step(&format!("the work directory stays: {}", kept.display())),
            Err(error) => progress.step(&format!("the work directory could not be removed: {error}")),
        }
        ended
    }

    /// Runs this program inside and says how it ended.
    async fn wait_for_the_inside(&self, task: &str, reach: Reach, work: &WorkDirectory) -> Result<Ended, NotHere> {
        let door = match reach {
            Reach::Inside => None,
            Reach::Outside => Some(TcpListener::bind("127.0.0.1:0").await.map_err(doing("open a loopback port"))?),
        };
        let port = door.as_ref().map(TcpListener::local_addr).transpose().map_err(doing("read a loopback port"))?;
        let given = Entered {
            task: task.to_owned(),
            work: work.path().to_owned(),
            binaries: self.binaries.clone(),
            port: port.map(|address| address.port()),
        };
        let given =
            serde_json::to_string(&given).map_err(io::Error::other).map_err(doing("name the work directory"))?;
        let program = std::env::current_exe().map_err(doing("find this program's own file"))?;
        // Taken before the start, so that no signal falls in between.
        let ended_by_signal = first_signal().map_err(doing("listen for signals"))?;
        let mut command = tokio::process::Command::from(self.namespaces.command(Network::Own, program));
        command.args(std::env::args_os().skip(1)).env(INSIDE, given).stdin(Stdio::null());
        let mut child = command.spawn().map_err(doing("start this program inside"))?;
        let socket = work.path().join(forward::SOCKET);
        tokio::select! {
            status = child.wait() => status.map(|it| Ended::Exited(exit_code(it))).map_err(doing("wait for the inside")),
            number = ended_by_signal => {
                child.kill().await.map_err(doing("end the inside"))?;
                Ok(Ended::Interrupted(128 + number))
            }
            () = async { match door { Some(door) => forward::to_socket(door, socket).await, None => pending().await } } => {
                Ok(Ended::Exited(1))
            }
        }
    }
}

/// How the inside has ended: an exit code in the way of a shell (128 + signal).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By itself.
    Exited(i32),
    /// Because somebody has asked this program to end.
    Interrupted(i32),
}

/// The number of the first signal that asks this program to end.
fn first_signal() -> io::Result<impl Future<Output = i32>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => SignalKind::interrupt(),
            _ = terminate.recv() => SignalKind::terminate(),
            _ = hang_up.recv() => SignalKind::hangup(),
        }
        .as_raw_value()
    })
}

fn exit_code(status: ExitStatus) -> i32 {
    status.code().or_else(|| status.signal().map(|number| 128 + number)).unwrap_or(1)
}

fn run(program: &'static str, arguments: &[&str]) -> Result<(), NotHere> {
    let output = Command::new(program).args(arguments).output().map_err(doing("start `ip`"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(NotHere::System { doing: "set up the loopback device", error: io::Error::other(said) })
}

fn doing(doing: &'static str) -> impl Fn(io::Error) -> NotHere {
    move |error| NotHere::System { doing, error }
}

/// Where the API server listens: the address of the Service `default/kubernetes`, as processes in Pods expect it.
pub(crate) const API_ADDRESS: &str = "10.0.0.1";
/// Where another API server listens, where a test wants one.
pub(crate) const SECOND_API_ADDRESS: &str = "10.0.0.3";
/// The port of that Service. Free for us, because nothing else lives on this loopback device.
pub(crate) const API_PORT: u16 = 443;
/// Where CoreDNS listens: the tenth address of the Service range, which kubeadm gives to the Service `kube-dns`.
/// No other Service gets it: the first 16 addresses are handed out last (KEP-3070).
pub(crate) const DNS_ADDRESS: &str = "10.0.0.10";
/// The address of the Node, from a range that is reserved for documentation (RFC 5737).
pub(crate) const NODE_ADDRESS: &str = "192.0.2.10";
/// Marks the inside, and carries what [`Entered`] holds.
const INSIDE: &str = "SINGLETON_GUARD_LAB";
