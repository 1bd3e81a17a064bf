//! The whole program on real stores: three replicas, of which one has a living command, whoever is stopped or killed. A
//! witness looks into /proc all the while.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::harness::{Group, Test};
use crate::rig::Rig;

type Run = fn(&Rig) -> Result<()>;

pub fn group() -> Group<Rig> {
    let tests: [(&str, Run); 2] = [
        ("on etcd: one has a living command, whoever ends", |rig| rig.runtime.block_on(on_etcd(rig))),
        ("on a Lease, with a right on it alone: the same", |rig| rig.runtime.block_on(on_a_lease(rig))),
    ];
    let tests = tests.into_iter().map(|(name, run)| Test::new(name, run)).collect();
    Group { name: "program", side_by_side: 2, tests }
}

/// With etcd.
async fn on_etcd(rig: &Rig) -> Result<()> {
    hands_over(rig, "etcd", "etcd://127.0.0.1:2379/elect/program".to_owned()).await
}

/// With a Lease that was made before, and a right on that one by its name.
async fn on_a_lease(rig: &Rig) -> Result<()> {
    let token = rig.account("program", "get,update", Some("broker")).await?;
    let made = "apiVersion: coordination.k8s.io/v1\nkind: Lease\nmetadata: {name: broker, namespace: program}\n";
    let manifest = rig.work.join("lease.yaml");
    std::fs::write(&manifest, made)?;
    rig.lab.kubectl(&["create", "-f", &manifest.display().to_string()]).await?.success()?;
    hands_over(rig, "lease", rig.lease_lock("program", "broker", &token)?).await?;
    let path = "jsonpath={.spec.holderIdentity}";
    let holder = rig.lab.kubectl(&["get", "lease", "broker", "-n", "program", "-o", path]).await?.success()?;
    ensure!(holder.is_empty(), "released by all, it is {holder}'s");
    Ok(())
}

async fn hands_over(rig: &Rig, name: &str, lock: String) -> Result<()> {
    let replicas = Replicas { directory: rig.work.join(format!("program-{name}")), lock };
    std::fs::create_dir_all(&replicas.directory)?;
    let witness = Witness::start(&replicas.lock);
    let mut running = Vec::new();
    for number in 1..=3 {
        running.push(replicas.start(number)?);
    }
    let first = replicas.active(1, LEASE + ROOM).await?;
    ensure!(replicas.asked("status", first)?.contains("\"active\":true"), "it does not say that it is active");

    // Asked to hand over, and told to stop: the next one does not wait for the lease.
    let asked = replicas.asked("step-down", first)?;
    ensure!(asked.starts_with("its command ends"), "{asked}");
    ensure!(ended(&mut running, first).await? == 0, "the command's own status is 0");
    let second = replicas.active(2, SOON).await?;
    running.push(replicas.start(first)?);
    signal(&running, second, Signal::SIGTERM)?;
    ensure!(ended(&mut running, second).await? == 0, "the command's own status is 0");
    let third = replicas.active(3, SOON).await?;
    running.push(replicas.start(second)?);

    // Without warning: the elector alone, then what was started first.
    let elector = below(&running, third, "elect-elector")?;
    kill(Pid::from_raw(elector), Signal::SIGKILL)?;
    ensure!(ended(&mut running, third).await? == 75, "the lock is lost with its elector");
    let fourth = replicas.active(4, LEASE + ROOM).await?;
    let keeper = below(&running, fourth, "elect-keeper")?;
    kill(Pid::from_raw(keeper), Signal::SIGKILL)?;
    ensure!(ended(&mut running, fourth).await? == 75, "the lock is lost with its keeper");
    replicas.active(5, LEASE + ROOM).await?;

    for (number, _) in &running {
        signal(&running, *number, Signal::SIGTERM)?;
    }
    for (_, mut child) in running {
        ensure!(timeout(SOON, child.wait()).await??.code() == Some(0), "asked to stop, it ends with success");
    }
    let tokens = replicas.tokens();
    ensure!(tokens.is_sorted_by(|one, next| one.0 < next.0), "tokens that do not rise: {tokens:?}");
    witness.saw_one()
}

/// Three replicas of one command.
struct Replicas {
    directory: PathBuf,
    lock: String,
}

impl Replicas {
    fn command(&self, number: u32) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_elect"));
        command.env("ELECT_LOCK", &self.lock).env("ELECT_IDENTITY", number.to_string());
        command.current_dir(&self.directory).stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        command
    }

    fn start(&self, number: u32) -> Result<(u32, Child)> {
        let mut command = self.command(number);
        command.args(["--renew", "300ms", "--tolerate-outage", "500ms", "--lost-grace", "300ms", "--"]);
        let log = self.directory.join("log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        Ok((number, command.args(["sh", "-c", COMMAND]).stderr(log).spawn()?))
    }

    fn asked(&self, what: &str, number: u32) -> Result<String> {
        let mut command = self.command(number).into_std();
        Ok(String::from_utf8(command.arg(what).stdout(Stdio::piped()).output()?.stdout)?)
    }

    /// Who has started the so manyth command, at the latest after that time.
    async fn active(&self, nth: usize, within: Duration) -> Result<u32> {
        let begun = Instant::now();
        loop {
            if let Some((_, number)) = self.tokens().get(nth.saturating_sub(1)) {
                return Ok(*number);
            }
            let log = || std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
            ensure!(begun.elapsed() < within, "command {nth} is not there after {within:?}:\n{}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The tokens in the order in which commands were started, and who started them.
    fn tokens(&self) -> Vec<(u64, u32)> {
        let text = std::fs::read_to_string(self.directory.join("tokens")).unwrap_or_default();
        let line = |line: &str| {
            let (token, number) = line.split_once(' ')?;
            Some((token.parse().ok()?, number.parse().ok()?))
        };
        text.lines().filter_map(line).collect()
    }
}

/// Looks into /proc all the time, by which commands of a lock are alive.
struct Witness {
    most: Arc<AtomicUsize>,
    looks: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Witness {
    fn start(lock: &str) -> Self {
        let witness = Self { most: Arc::default(), looks: Arc::default(), stop: Arc::default() };
        let (most, looks, stop) = (Arc::clone(&witness.most), Arc::clone(&witness.looks), Arc::clone(&witness.stop));
        let lock = lock.split('?').next().unwrap_or_default().to_owned();
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                most.fetch_max(commands(&lock), Ordering::Relaxed);
                looks.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(5));
            }
        });
        witness
    }

    fn saw_one(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let (most, looks) = (self.most.load(Ordering::Relaxed), self.looks.load(Ordering::Relaxed));
        ensure!(most == 1, "{most} commands were alive at once");
        ensure!(looks > 100, "the witness looked {looks} times");
        Ok(())
    }
}

/// How many first processes of a command there are. What becomes one is not one yet.
fn commands(lock: &str) -> usize {
    let wanted = format!("ELECT_LOCK={lock}");
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_one = |process: &Path| {
        let read = |name: &str| std::fs::read(process.join(name)).unwrap_or_default();
        read("cmdline").starts_with(b"sh\0-c\0trap")
            && read("environ").split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    };
    // What a shell forks has its command line until it has become something else.
    let is_forked = |process: &Path| {
        let stat = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
        let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1).map(str::to_owned));
        parent.is_none_or(|parent| is_one(&Path::new("/proc").join(parent)))
    };
    let entries = entries.map(|entry| entry.path());
    entries.filter(|process| is_one(process) && !is_forked(process)).count()
}

fn signal(running: &[(u32, Child)], number: u32, signal: Signal) -> Result<()> {
    let child = running.iter().find(|(who, _)| *who == number).context("it does not run")?;
    Ok(kill(Pid::from_raw(i32::try_from(child.1.id().context("it has ended")?)?), signal)?)
}

/// The exit status of a replica, which no longer runs then.
async fn ended(running: &mut Vec<(u32, Child)>, number: u32) -> Result<i32> {
    let place = running.iter().position(|(who, _)| *who == number).context("it does not run")?;
    let (_, mut child) = running.remove(place);
    timeout(LEASE + ROOM, child.wait()).await??.code().context("it was killed")
}

/// A process of that name below a replica.
fn below(running: &[(u32, Child)], number: u32, name: &str) -> Result<i32> {
    let child = running.iter().find(|(who, _)| *who == number).context("it does not run")?;
    let mut parents = vec![i32::try_from(child.1.id().context("it has ended")?)?];
    while let Some(parent) = parents.pop() {
        let children = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
        for pid in children.split_whitespace() {
            if std::fs::read(format!("/proc/{pid}/cmdline"))?.starts_with(name.as_bytes()) {
                return Ok(pid.parse()?);
            }
            parents.push(pid.parse()?);
        }
    }
    anyhow::bail!("{number} has no {name}")
}

/// Says by its token that it is there, and ends when it is asked to.
const COMMAND: &str =
    "trap 'exit 0' TERM; echo \"$ELECT_TOKEN $ELECT_IDENTITY\" >> tokens; while :; do sleep 0.05; done";
/// What these flags come to.
const LEASE: Duration = Duration::from_secs(3);
/// For a machine that is busy with other tests.
const ROOM: Duration = Duration::from_secs(5);
const SOON: Duration = Duration::from_secs(3);
