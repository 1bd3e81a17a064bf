//! The servers that are compared: how each is started, and the connections to it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::client::{Answer, Call, Client, Connection};
use super::fixture::Fixture;
use super::process::{Process, free_address};

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// See `floor`.
    Floor,
    /// singleton-guard.
    Ours,
    /// See `naive`.
    Naive,
}

/// In the order of the report's columns.
pub(crate) const NAMES: [Name; 3] = [Name::Floor, Name::Ours, Name::Naive];

/// How a server is started, and where it can be reached then.
#[derive(Debug)]
pub(crate) struct Plan {
    command: Command,
    webhook: SocketAddr,
    /// Where `/readyz` is, if it has one.
    operations: Option<SocketAddr>,
}

/// From `exec` to two points in the life of a server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start {
    /// The port accepts connections.
    pub(crate) accepting: Duration,
    /// `/readyz` says so; for a server without it the same as accepting.
    pub(crate) ready: Duration,
}

/// A server at work, with its warm connections.
#[derive(Debug)]
pub(crate) struct Contender {
    name: Name,
    process: Process,
    client: Client,
    connections: Vec<Connection>,
}

/// What one measurement saw.
#[derive(Debug)]
pub(crate) struct Slice {
    /// CPU time of the server.
    pub(crate) cpu: Duration,
    /// From the first byte sent to the last received, of every call.
    pub(crate) latencies: Vec<Duration>,
}

impl Name {
    /// As in the report.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Ours => "ours",
            Self::Naive => "naive",
        }
    }

    /// Plans a server of this name. `binary` is the singleton-guard.
    pub(crate) fn plan(self, binary: &Path, fixture: &Fixture) -> Result<Plan> {
        match self {
            Self::Floor | Self::Naive => role(self.as_str(), free_address()?, fixture),
            Self::Ours => ours(binary, fixture),
        }
    }
}

/// A server that is part of this program, on a given address.
pub(crate) fn role(name: &str, webhook: SocketAddr, fixture: &Fixture) -> Result<Plan> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([name, "--address", &webhook.to_string(), "--directory"]).arg(fixture.directory());
    Ok(Plan { command, webhook, operations: None })
}

/// As shipped, but for the certificate and the API server, which come from files.
fn ours(binary: &Path, fixture: &Fixture) -> Result<Plan> {
    let (webhook, operations) = (free_address()?, free_address()?);
    let mut command = Command::new(binary);
    command
        .arg("serve")
        .args(["--bind-address", &webhook.ip().to_string(), "--port", &webhook.port().to_string()])
        .args(["--operations-port", &operations.port().to_string()])
        .arg("--certificate-directory")
        .arg(fixture.directory())
        .arg("--kubeconfig")
        .arg(fixture.kubeconfig());
    Ok(Plan { command, webhook, operations: Some(operations) })
}

impl Plan {
    /// Starts it on one core and waits until it is ready.
    pub(crate) fn start_on(&self, core: usize) -> Result<Process> {
        let mut process = Process::start_on(core, &self.command)?;
        process.until_accepting(self.webhook)?;
        if let Some(operations) = self.operations {
            process.until_ready(operations)?;
        }
        Ok(process)
    }

    /// Starts it on all cores, says how long that took, and ends it.
    pub(crate) fn time_start(&mut self) -> Result<Start> {
        let before = Instant::now();
        let mut process = Process::start(&mut self.command)?;
        let accepting = process.until_accepting(self.webhook)?;
        let ready = match self.operations {
            Some(operations) => process.until_ready(operations)?,
            None => accepting,
        };
        Ok(Start { accepting: accepting - before, ready: ready - before })
    }
}

impl Contender {
    /// Starts it on one core. No connection is open yet, so its memory is that of an idle server.
    pub(crate) fn start(name: Name, core: usize, binary: &Path, fixture: &Fixture) -> Result<Self> {
        let plan = name.plan(binary, fixture)?;
        let process = plan.start_on(core).with_context(|| format!("starting {}", name.as_str()))?;
        let client = Client::new(plan.webhook, &fixture.authority())?;
        Ok(Self { name, process, client, connections: Vec::new() })
    }

    /// Which one it is.
    pub(crate) const fn name(&self) -> Name {
        self.name
    }

    /// The process, for its memory.
    pub(crate) const fn process(&self) -> &Process {
        &self.process
    }

    /// Opens this many connections. To be used at once: a server may close one that says nothing.
    pub(crate) fn connect(&mut self, connections: usize) -> Result<()> {
        self.connections = (0..connections).map(|_| self.client.connect()).collect::<Result<_>>()?;
        Ok(())
    }

    /// Sends the review `requests` times over this many of the connections, each busy all the time.
    pub(crate) fn measure(&mut self, body: &str, connections: usize, requests: usize) -> Result<Slice> {
        let answer = if self.name == Name::Floor { Answer::Constant } else { Answer::Uid };
        let call = Call::new(body, answer)?;
        let each = requests.div_ceil(connections);
        settle();
        let before = self.process.cpu_nanoseconds()?;
        let latencies = thread::scope(|scope| {
            let threads: Vec<_> = self
                .connections
                .iter_mut()
                .take(connections)
                .enumerate()
                .map(|(index, connection)| {
                    let call = call.clone();
                    scope.spawn(move || send(connection, call, index * each..(index + 1) * each))
                })
                .collect();
            let mut all = Vec::with_capacity(connections * each);
            for thread in threads {
                let latencies = thread.join().map_err(|_| anyhow::anyhow!("a thread of the client panicked"))?;
                all.extend(latencies.with_context(|| self.name.as_str())?);
            }
            anyhow::Ok(all)
        })?;
        settle();
        let cpu = Duration::from_nanos(self.process.cpu_nanoseconds()?.saturating_sub(before));
        Ok(Slice { cpu, latencies })
    }
}

fn send(connection: &mut Connection, mut call: Call, numbers: std::ops::Range<usize>) -> Result<Vec<Duration>> {
    let mut latencies = Vec::with_capacity(numbers.len());
    for number in numbers {
        call.number(number)?;
        let started = Instant::now();
        connection.call(&call)?;
        latencies.push(started.elapsed());
    }
    Ok(latencies)
}

/// Until the server's threads are off the core again: only then has the kernel counted their time.
fn settle() {
    thread::sleep(Duration::from_millis(3));
}
