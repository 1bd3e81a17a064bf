//! One keeper on the bench: it is started, told things as its elector would, and heard. Everything that it starts carries a
//! mark in its environment, by which the witness finds it in /proc, wherever it has gone.

use std::fmt;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use singleton_guard::elect::keeper::boottime;
use singleton_guard::elect::wire::{LENGTH, Message as _, ToElector, ToKeeper};

use super::roles;

/// As what the keeper is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    /// Below its parent, as on a machine.
    Child,
    /// Process 1 of a namespace, as in a container.
    Init,
}

impl fmt::Display for As {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if *self == Self::Child { "with a parent" } else { "as process 1" })
    }
}

/// What a test is.
pub(super) type Check = fn(As) -> Result<(), String>;

/// Runs it, or says why it cannot be run.
pub(super) fn tried(form: As, check: Check) -> Result<(), Failed> {
    if form == As::Init && !namespaces() {
        if std::env::var_os("CI").is_some_and(|value| value == "true") {
            return Err("this machine allows no PID namespaces".into());
        }
        println!("left out: this machine allows no PID namespaces");
        return Ok(());
    }
    check(form).map_err(Into::into)
}

/// A running keeper.
pub(super) struct Bench {
    pub(super) process: Child,
    control: UnixStream,
    mark: String,
    pub(super) directory: PathBuf,
}

/// How it is started.
pub(super) struct Start<'a> {
    pub(super) form: As,
    pub(super) command: &'a [&'a str],
    pub(super) environment: &'a [(&'a str, &'a str)],
    pub(super) input: Stdio,
    /// A shell prefix, which sets up what the keeper inherits.
    pub(super) under: &'a str,
}

impl<'a> Start<'a> {
    pub(super) fn new(form: As, command: &'a [&'a str]) -> Self {
        Self { form, command, environment: &[], input: Stdio::null(), under: "" }
    }

    pub(super) fn go(self) -> Bench {
        let directory = scratch();
        let listener = UnixListener::bind(directory.join("control")).unwrap();
        let mark = format!("KEEPER_TEST_MARK={}", directory.display());
        let program = std::env::current_exe().unwrap();
        let wrapped = format!("{} exec \"$0\" \"$@\"", self.under);
        let mut command = Command::new("sh");
        command.args(["-c", &wrapped]);
        if self.form == As::Init {
            command.args(["unshare", "--user", "--map-root-user", "--pid", "--mount-proc", "--fork", "--kill-child"]);
        }
        command.arg(program).arg(roles::ROLE);
        command.arg(if self.form == As::Init { "init" } else { "parent" }).args(self.command);
        command.env("KEEPER_TEST_MARK", &directory).env(roles::CONTROL, directory.join("control"));
        command.env(roles::TIMING, "300,600,1000,300").envs(self.environment.iter().copied());
        command.current_dir(&directory).stdin(self.input).stdout(Stdio::piped()).process_group(0);
        let process = command.spawn().unwrap();
        let (control, _) = listener.accept().unwrap();
        Bench { process, control, mark, directory }
    }
}

impl Bench {
    /// A command that has time enough.
    pub(super) fn running(form: As, command: &[&str]) -> Self {
        let mut bench = Start::new(form, command).go();
        bench.run(Duration::from_secs(30));
        bench
    }

    /// Tells it to start the command, and waits until it has.
    pub(super) fn run(&mut self, time: Duration) -> u64 {
        let until = from_now(time);
        self.tell(ToKeeper::Run { until, token: 48213, term: 7 });
        assert!(matches!(self.hear(), ToElector::Started { .. }));
        until
    }

    pub(super) fn tell(&mut self, message: ToKeeper) {
        self.control.write_all(&message.write()).unwrap();
    }

    /// The elector kills, as when the keeper is silent.
    pub(super) fn let_elector_kill(&mut self) {
        self.control.write_all(&roles::END).unwrap();
    }

    /// The next message.
    pub(super) fn hear(&mut self) -> ToElector {
        self.control.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut bytes = [0; LENGTH];
        self.control.read_exact(&mut bytes).expect("the keeper says something in time");
        ToElector::read(&bytes).unwrap()
    }

    /// Waits for the end of the command, and sees at that very moment that nothing of it is alive.
    pub(super) fn gone(&mut self) -> Result<u8, String> {
        loop {
            if let ToElector::Gone { status } = self.hear() {
                let alive = self.alive();
                return if alive.is_empty() { Ok(status) } else { Err(format!("said to be gone: {alive:?}")) };
            }
        }
    }

    /// The exit status. The test hangs up, so the elector ends.
    pub(super) fn exit(&mut self) -> Result<i32, String> {
        let _hung_up = self.control.shutdown(std::net::Shutdown::Both);
        self.exit_by_itself()
    }

    /// The exit status, at which nothing of the command is alive, and soon nothing of ours.
    pub(super) fn exit_by_itself(&mut self) -> Result<i32, String> {
        let status = within("the end of the keeper", || self.process.try_wait().unwrap())?;
        let alive = self.alive();
        if !alive.is_empty() {
            return Err(format!("left behind: {alive:?}"));
        }
        within("the end of our own processes", || marked(&self.mark).is_empty().then_some(()))?;
        Ok(status.code().unwrap_or(-1))
    }

    /// Everything that the command has started and that lives.
    pub(super) fn alive(&self) -> Vec<(i32, String)> {
        marked(&self.mark).into_iter().filter(|(_, name)| !OURS.iter().any(|ours| name.contains(ours))).collect()
    }

    /// Waits for the command to have as many processes.
    pub(super) fn grown(&self, to: usize) -> Result<(), String> {
        within("so many processes", || (self.alive().len() >= to).then_some(()))
    }

    /// One of our own processes, by its part: its number as the test sees it.
    pub(super) fn part(&self, name: &str) -> i32 {
        let wanted = format!("{} {name}", roles::ROLE);
        let found = marked(&self.mark).into_iter().filter(|(_, command)| !command.starts_with("unshare"));
        found.filter(|(_, command)| command.contains(&wanted)).map(|(pid, _)| pid).next().expect("it runs")
    }

    /// The process to which a container runtime would send signals.
    pub(super) fn front(&self, form: As) -> i32 {
        self.part(if form == As::Init { "init" } else { "parent" })
    }

    pub(super) fn file(&self, name: &str) -> String {
        fs::read_to_string(self.directory.join(name)).unwrap_or_default()
    }

    /// Waits until the command has written something.
    pub(super) fn written(&self, name: &str) -> Result<String, String> {
        within(name, || Some(self.file(name)).filter(|text| text.ends_with('\n')))
    }
}

/// Waits for a state, and never for a time.
pub(super) fn within<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> Result<T, String> {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if begun.elapsed() > Duration::from_secs(20) {
            return Err(format!("{what}: not in time"));
        }
        sleep(Duration::from_millis(5));
    }
}

/// How often something is tried: once, or as often as it takes to believe it.
pub(super) fn rounds(long: usize) -> usize {
    if std::env::var_os("LONG").is_some() { long } else { 1 }
}

/// An absolute time for the keeper.
pub(super) fn from_now(time: Duration) -> u64 {
    boottime() + u64::try_from(time.as_nanos()).unwrap()
}

pub(super) fn kill(pid: i32, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal).unwrap();
}

/// Compares, with words.
pub(super) fn same<T: PartialEq + fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} instead of {expected:?}")) }
}

/// Who carries the mark, and by which command line. A zombie has no environment any more.
fn marked(mark: &str) -> Vec<(i32, String)> {
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let carries = |pid: &i32| {
        let environment = fs::read(Path::new("/proc").join(pid.to_string()).join("environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    let name = |pid: i32| {
        let line = fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")).unwrap_or_default();
        (pid, String::from_utf8_lossy(&line).replace('\0', " "))
    };
    pids.filter(carries).map(name).collect()
}

fn scratch() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("keeper-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let directory = std::env::temp_dir().join(name);
    fs::create_dir_all(&directory).unwrap();
    directory
}

fn namespaces() -> bool {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--pid", "--mount-proc", "--fork", "true"]);
    command.stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The command lines of the keeper's own processes, and of what starts them.
const OURS: [&str; 5] = ["play parent", "play keeper", "play init", "play elector", "sh typed"];

/// Whatever a failed check leaves is ended by its mark.
impl Drop for Bench {
    fn drop(&mut self) {
        for (pid, _) in marked(&self.mark) {
            let _ended = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        let _reaped = self.process.wait();
        let _removed = fs::remove_dir_all(&self.directory);
    }
}
