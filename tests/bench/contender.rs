//! The servers that are compared: how each is started, and the connections to it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::client::{Answer, Call, Client, Connection};
use super::fixture::Fixture;
use super::process::{self, Process, free_address};
use super::programs::Programs;
use super::rsa;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    /// See `floor`.
    Floor,
    /// singleton-guard.
    Ours,
    /// See `naive`.
    Naive,
    /// See `go/main.go`.
    Go,
    /// The same with an RSA key of 2048 bits: another one only while a connection is new.
    GoRsa,
    /// See `controller-runtime/main.go`.
    ControllerRuntime,
}

/// In the order of the report's columns.
pub(crate) const NAMES: [Name; 6] =
    [Name::Floor, Name::Ours, Name::Naive, Name::Go, Name::GoRsa, Name::ControllerRuntime];

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
    program: PathBuf,
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
            Self::Go => "go",
            Self::GoRsa => "go-rsa",
            Self::ControllerRuntime => "ctrl-rt",
        }
    }

    /// Plans a server of this name.
    pub(crate) fn plan(self, programs: &Programs, fixture: &Fixture) -> Result<Plan> {
        match self {
            Self::Floor | Self::Naive => role(self.as_str(), free_address()?, fixture),
            Self::Ours => ours(&programs.guard, fixture),
            Self::Go => go(&programs.go, fixture.directory(), fixture),
            Self::GoRsa => go(&programs.go, &rsa::directory(fixture)?, fixture),
            Self::ControllerRuntime => {
                let webhook = free_address()?;
                let mut command = Command::new(&programs.controller_runtime);
                command.args(["-address", &webhook.to_string(), "-directory"]).arg(fixture.directory());
                Ok(Plan { command, webhook, operations: None })
            }
        }
    }
}

/// A server that is part of this program, on a given address.
pub(crate) fn role(name: &str, webhook: SocketAddr, fixture: &Fixture) -> Result<Plan> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([name, "--address", &webhook.to_string(), "--directory"]).arg(fixture.directory());
    Ok(Plan { command, webhook, operations: None })
}

fn go(program: &Path, directory: &Path, fixture: &Fixture) -> Result<Plan> {
    let webhook = free_address()?;
    let mut command = Command::new(program);
    command.args(["-address", &webhook.to_string(), "-api-server", &format!("https://{}", fixture.api_server())]);
    command.arg("-directory").arg(directory);
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
        .arg(fixture.kubeconfig())
        // From the Dockerfile.
        .env("MIMALLOC_ALLOW_THP", "0");
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
    pub(crate) fn start(name: Name, core: usize, programs: &Programs, fixture: &Fixture) -> Result<Self> {
        let plan = name.plan(programs, fixture)?;
        let process = plan.start_on(core).with_context(|| format!("starting {}", name.as_str()))?;
        let client = Client::new(plan.webhook, &fixture.authority())?;
        let program = plan.command.get_program().into();
        Ok(Self { name, program, process, client, connections: Vec::new() })
    }

    /// Which one it is.
    pub(crate) const fn name(&self) -> Name {
        self.name
    }

    /// The process, for its memory.
    pub(crate) const fn process(&self) -> &Process {
        &self.process
    }

    /// Size of its program.
    pub(crate) fn size(&self) -> Result<u64> {
        process::size(&self.program)
    }

    /// Opens this many connections. To be used at once: a server may close one that says nothing.
    pub(crate) fn connect(&mut self, connections: usize) -> Result<()> {
        self.connections = (0..connections).map(|_| self.client.connect()).collect::<Result<_>>()?;
        Ok(())
    }

    /// Opens connections one after the other, and sends the review once over each.
    pub(crate) fn cold(&self, body: &str, connections: usize) -> Result<Slice> {
        let mut call = self.call(body)?;
        settle();
        let before = self.process.cpu_nanoseconds()?;
        let mut latencies = Vec::with_capacity(connections);
        for number in 0..connections {
            call.number(number)?;
            let started = Instant::now();
            self.client.connect()?.call(&call).with_context(|| self.name.as_str())?;
            latencies.push(started.elapsed());
        }
        settle();
        let cpu = Duration::from_nanos(self.process.cpu_nanoseconds()?.saturating_sub(before));
        Ok(Slice { cpu, latencies })
    }

    /// Sends so many reviews at the same time, each over a connection of its own. Says how many were not answered.
    pub(crate) fn burst(&self, body: &str, reviews: usize) -> Result<(Slice, usize)> {
        let call = self.call(body)?;
        let together = Instant::now() + Duration::from_millis(300);
        let before = self.process.cpu_nanoseconds()?;
        let one = |mut call: Call, number| {
            call.number(number)?;
            thread::sleep(together.saturating_duration_since(Instant::now()));
            let started = Instant::now();
            self.client.connect()?.call(&call)?;
            anyhow::Ok(started.elapsed())
        };
        let latencies: Vec<Duration> = thread::scope(|scope| {
            let threads: Vec<_> = (0..reviews)
                .map(|number| {
                    let (call, one) = (call.clone(), &one);
                    thread::Builder::new().stack_size(SMALL_STACK).spawn_scoped(scope, move || one(call, number))
                })
                .collect::<Result<_, _>>()?;
            anyhow::Ok(threads.into_iter().filter_map(|thread| thread.join().ok()?.ok()).collect())
        })?;
        settle();
        let cpu = Duration::from_nanos(self.process.cpu_nanoseconds()?.saturating_sub(before));
        let errors = reviews - latencies.len();
        Ok((Slice { cpu, latencies }, errors))
    }

    /// Sends the review at a fixed rate, whether or not the one before it is answered yet. What a review had to wait
    /// for one before it counts.
    pub(crate) fn fixed_rate(&mut self, body: &str, per_second: u32, requests: usize) -> Result<Vec<Duration>> {
        let (call, lanes) = (self.call(body)?, self.connections.len());
        let begin = Instant::now() + Duration::from_millis(10);
        thread::scope(|scope| {
            let threads: Vec<_> = self
                .connections
                .iter_mut()
                .enumerate()
                .map(|(lane, connection)| {
                    let mut call = call.clone();
                    scope.spawn(move || {
                        let mut latencies = Vec::new();
                        for number in (lane..requests).step_by(lanes) {
                            let due = begin + Duration::from_secs(1) * u32::try_from(number)? / per_second;
                            thread::sleep(due.saturating_duration_since(Instant::now()));
                            call.number(number)?;
                            connection.call(&call)?;
                            latencies.push(due.elapsed());
                        }
                        anyhow::Ok(latencies)
                    })
                })
                .collect();
            let mut all = Vec::with_capacity(requests);
            for thread in threads {
                all.extend(thread.join().map_err(|_| anyhow::anyhow!("a thread of the client panicked"))??);
            }
            Ok(all)
        })
    }

    /// Sends the review over each connection. Says how many are still good.
    pub(crate) fn kept(&mut self, body: &str) -> Result<usize> {
        let call = self.call(body)?;
        Ok(self.connections.iter_mut().filter_map(|connection| connection.call(&call).ok()).count())
    }

    /// Sends the review `requests` times over this many of the connections, each busy all the time.
    pub(crate) fn measure(&mut self, body: &str, connections: usize, requests: usize) -> Result<Slice> {
        let call = self.call(body)?;
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

    fn call(&self, body: &str) -> Result<Call> {
        Call::new(body, if self.name == Name::Floor { Answer::Constant } else { Answer::Uid })
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

/// For threads of which there are a thousand.
const SMALL_STACK: usize = 256 << 10;
