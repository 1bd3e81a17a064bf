//! One program of the control plane: started with a log of its own, watched, ended.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::process::{Child, Command};

use super::work::{KEEP, tail};

/// A running program and its log.
#[derive(Debug)]
pub(crate) struct Component {
    name: String,
    log: PathBuf,
    command: (PathBuf, Vec<String>),
    child: Child,
}

impl Component {
    /// Starts `program`. What it prints goes to `NAME.log` in `logs`.
    pub(crate) fn start(name: &str, program: &Path, arguments: &[String], logs: &Path) -> Result<Self> {
        let log = logs.join(format!("{name}.log"));
        File::create(&log).with_context(|| format!("making {}", log.display()))?;
        let command = (program.to_owned(), arguments.to_owned());
        let child = spawn(&command, &log)?;
        Ok(Self { name: name.to_owned(), log, command, child })
    }

    /// Starts it again after SIGKILL, or after it has ended by itself. Its log goes on.
    pub(crate) async fn restart(&mut self) -> Result<()> {
        self.child.kill().await?;
        self.child = spawn(&self.command, &self.log)?;
        Ok(())
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Sends it a signal. One that has ended is left alone.
    pub(crate) async fn signal(&self, signal: Signal) -> Result<()> {
        match self.child.id() {
            Some(pid) => signal.send(pid).await,
            None => Ok(()),
        }
    }

    /// The last lines of its log, and where that is.
    pub(crate) fn end_of_log(&self) -> String {
        format!("the end of {} ({KEEP}=1 keeps it):\n{}", self.log.display(), tail(&self.log, 12))
    }

    /// # Errors
    /// If it has ended on its own: with its exit status and the end of its log.
    pub(crate) fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("{} has ended ({status}); {}", self.name, self.end_of_log());
        }
        Ok(())
    }

    /// Asks it to end, and ends it if it has not done so within `patience`.
    pub(crate) async fn stop(&mut self, patience: Duration) -> Result<()> {
        if let Some(pid) = self.child.id() {
            Signal::Terminate.send(pid).await?;
            if tokio::time::timeout(patience, self.child.wait()).await.is_err() {
                self.child.kill().await?;
            }
        }
        Ok(())
    }
}

fn spawn((program, arguments): &(PathBuf, Vec<String>), log: &Path) -> Result<Child> {
    let output = OpenOptions::new().append(true).open(log).with_context(|| format!("opening {}", log.display()))?;
    Command::new(program)
        .args(arguments)
        .current_dir(log.parent().unwrap_or(Path::new("/")))
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("starting {}", program.display()))
}

/// What a process can be sent. See `signal(7)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// SIGTERM: please end.
    Terminate,
    /// SIGKILL: it ends without running another instruction.
    Kill,
    /// SIGSTOP: it stays, and its connections stay open, but it does nothing.
    Stop,
    /// SIGCONT: it goes on after SIGSTOP.
    Continue,
}

impl Signal {
    /// Sends it to a process. A process that is gone already is no error.
    pub(crate) async fn send(self, pid: u32) -> Result<()> {
        let name = match self {
            Self::Terminate => "TERM",
            Self::Kill => "KILL",
            Self::Stop => "STOP",
            Self::Continue => "CONT",
        };
        // The system call would need unsafe code; every shell can do it.
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", r#"kill -s "$0" "$1""#, name, &pid.to_string()]).stdin(Stdio::null()).stderr(Stdio::null());
        shell.status().await.with_context(|| format!("sending SIG{name} to process {pid}"))?;
        Ok(())
    }
}
