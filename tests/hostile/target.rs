//! The program that is attacked, as a process with the resources of a Pod, and the API server behind it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::binary::guard_binary;
use super::client::Client;
use super::fixture::Fixture;
use super::process::{Memory, Process, free_address};
use super::{serve, stand_in};

/// A running singleton-guard, the only one of this program. It ends when this is dropped.
pub(crate) struct Target {
    process: Process,
    fixture: Fixture,
    pub(crate) address: SocketAddr,
    pub(crate) operations: SocketAddr,
    _alone: MutexGuard<'static, ()>,
}

impl Target {
    /// Starts it, of `BINARY` if that is set.
    pub(crate) fn start() -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let _installed = singleton_guard::certs::provider().as_ref().clone().install_default();
        let api_server = free_address().unwrap();
        let fixture = Fixture::create(api_server).unwrap();
        let directory = fixture.directory().to_owned();
        std::thread::spawn(move || serve::run(api_server, &directory, async { stand_in::router() }));

        let (address, operations) = (free_address().unwrap(), free_address().unwrap());
        // What containerd gives a Pod where the system's defaults are left as they are; the program has to raise it.
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={SOFT_LIMIT}:{HARD_LIMIT}"));
        command.arg("setpriv").args(["--pdeathsig", "KILL"]).arg(guard_binary()).arg("serve");
        command.args(["--bind-address", &address.ip().to_string(), "--port", &address.port().to_string()]);
        command.args(["--operations-port", &operations.port().to_string(), "--log-level", "error"]);
        command.arg("--certificate-directory").arg(fixture.directory());
        command.arg("--kubeconfig").arg(fixture.kubeconfig());
        let mut process = Process::start(&mut command).unwrap();
        process.until_ready(operations).unwrap();
        Self { process, fixture, address, operations, _alone: alone }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address, &self.fixture.authority()).unwrap()
    }

    pub(crate) fn authority(&self) -> PathBuf {
        self.fixture.authority()
    }

    pub(crate) fn memory(&self) -> Memory {
        self.process.memory().unwrap()
    }

    /// CPU time so far, of the kernel on its behalf too.
    pub(crate) fn cpu(&self) -> Duration {
        Duration::from_nanos(self.process.cpu_nanoseconds().unwrap())
    }

    pub(crate) fn descriptors(&self) -> usize {
        self.process.descriptors().unwrap()
    }

    /// Waits until fewer are open, and says how many there are.
    pub(crate) fn descriptors_settle_below(&self, bound: usize) -> usize {
        let started = Instant::now();
        while self.descriptors() >= bound && started.elapsed() < Duration::from_secs(20) {
            std::thread::yield_now();
        }
        self.descriptors()
    }
}

/// Two at the same time would measure each other.
static ALONE: Mutex<()> = Mutex::new(());

const SOFT_LIMIT: u32 = 128;
const HARD_LIMIT: u32 = 8_192;
