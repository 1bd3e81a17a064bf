//! The real kubectl and helm, as the administrator, with their homes and caches inside the work directory.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// How to call the tools.
#[derive(Debug)]
pub(crate) struct Tools {
    binaries: PathBuf,
    kubeconfig: PathBuf,
    home: PathBuf,
    path: OsString,
}

/// What a tool did.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// The command line, for messages.
    pub(crate) command: String,
    /// The exit code; 128 + signal if a signal ended it.
    pub(crate) code: i32,
    /// What it printed.
    pub(crate) stdout: String,
    /// What it complained about: refusals and warnings.
    pub(crate) stderr: String,
}

impl Outcome {
    /// Whether it exited with 0.
    pub(crate) fn succeeded(&self) -> bool {
        self.code == 0
    }

    /// What it printed, if it succeeded.
    ///
    /// # Errors
    /// If it did not: with the command line and all it said.
    pub(crate) fn success(self) -> Result<String> {
        if self.succeeded() {
            return Ok(self.stdout);
        }
        bail!("`{}` exited with {}\n{}{}", self.command, self.code, self.stdout, self.stderr)
    }
}

impl Tools {
    /// Tools from `binaries` that use `kubeconfig` and keep their files in `home`, which is made.
    pub(crate) fn new(binaries: &Path, kubeconfig: PathBuf, home: PathBuf) -> Result<Self> {
        std::fs::create_dir(&home).with_context(|| format!("making {}", home.display()))?;
        let mut path = OsString::from(binaries);
        path.push(":/usr/local/bin:/usr/bin:/bin");
        Ok(Self { binaries: binaries.to_owned(), kubeconfig, home, path })
    }

    /// Runs one of the tools with `input` on its standard input.
    pub(crate) async fn run<S: AsRef<OsStr>>(&self, tool: &str, arguments: &[S], input: &str) -> Result<Outcome> {
        let words = arguments.iter().map(|argument| argument.as_ref().to_string_lossy());
        let line = [tool.into()].into_iter().chain(words).collect::<Vec<_>>().join(" ");
        let mut child = Command::new(self.binaries.join(tool))
            .args(arguments)
            .current_dir(&self.home)
            // helm's directories follow HOME when the XDG and HELM variables are not set; kubectl calls `diff`.
            .env_clear()
            .env("HOME", &self.home)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("TMPDIR", &self.home)
            .env("PATH", &self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting `{line}`"))?;
        let stdin = child.stdin.take();
        // Written while the output is read: either pipe may be full.
        let feed = async {
            if let Some(mut stdin) = stdin {
                // A tool that does not read its input closes it: its exit code says the rest.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        let ((), output) = tokio::join!(feed, child.wait_with_output());
        let output = output.with_context(|| format!("waiting for `{line}`"))?;
        let signal = output.status.signal();
        Ok(Outcome {
            command: line,
            code: output.status.code().or(signal.map(|number| 128 + number)).unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Whom the tools act as.
    pub(crate) fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Where the binaries are, for a PATH.
    pub(crate) fn binaries(&self) -> &Path {
        &self.binaries
    }
}
