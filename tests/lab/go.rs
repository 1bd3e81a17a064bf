//! Building the programs of one Go module into a directory of the cache: by one process at a time, and seen to advance.
//!
//! It runs before the walls go up, because Go may need the network. It does not know what the programs are for, and it
//! writes nowhere but beside the directory that it fills.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::binaries::{Module, NoBinaries};
use super::namespaces::{Namespaces, Network};
use super::progress::Progress;
use super::work::tail;

/// Waits until this process is the only one to build `directory`; it is until the file is dropped.
pub(super) fn lock(module: &Module, directory: &Path, progress: &Progress) -> Result<File, NoBinaries> {
    let path = directory.with_extension("lock");
    let file = File::create(&path).map_err(at(&path))?;
    let what = format!("another lab builds {}", module.what);
    let mut clock = Clock::new(module, progress);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => clock.tick(&what, &log_file(directory)),
            Err(TryLockError::Error(error)) => return Err(at(&path)(error)),
        }
    }
}

/// Builds all programs of `module` beside `directory`, and renames the result when it is complete.
///
/// To be called by the holder of the [`lock`].
///
/// # Errors
/// If Go is not there, or says no: with its last lines.
pub(super) fn build(
    module: &Module,
    link_flags: &str,
    directory: &Path,
    namespaces: Namespaces,
    progress: &Progress,
) -> Result<(), NoBinaries> {
    let no_go = |error| NoBinaries::Go { what: module.what, names: module.names().collect(), error };
    Command::new("go").arg("version").stdin(Stdio::null()).output().map_err(no_go)?;
    // We hold the lock, so whatever is there is left over from a build that was killed.
    let unfinished = directory.with_extension("unfinished");
    for stale in [&unfinished, directory] {
        if stale.exists() {
            std::fs::remove_dir_all(stale).map_err(at(stale))?;
        }
    }
    let sources = module_directory(directory);
    std::fs::create_dir_all(&sources).map_err(at(&sources))?;
    for (name, text) in [("go.mod", module.go_mod), ("go.sum", module.go_sum)] {
        std::fs::write(sources.join(name), text).map_err(at(&sources))?;
    }
    let log = log_file(directory);
    let output = File::create(&log).map_err(at(&log))?;
    let mut out = OsString::from(&unfinished);
    out.push("/");
    // One `go build` for all, so that shared packages compile once.
    let mut go = namespaces
        .command(Network::Shared, "go")
        .args(["build", "-v", "-mod=readonly", "-trimpath", "-ldflags", link_flags, "-o"])
        .arg(out)
        .args(module.programs.iter().map(|(_, package)| package))
        .current_dir(&sources)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-buildvcs=false")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output)
        .spawn()
        .map_err(no_go)?;
    let Module { what, cost, .. } = module;
    progress.step(&format!("building {what} from its Go module, once ({cost} on 2 cores)"));
    let mut clock = Clock::new(module, progress);
    let status = loop {
        match go.try_wait().map_err(at(&log))? {
            Some(status) => break status,
            None => clock.tick("building", &log),
        }
    };
    if !status.success() {
        return Err(NoBinaries::Build { what, log: tail(&log, 15) });
    }
    for (name, package) in module.programs {
        let built = unfinished.join(name_by_go(package));
        std::fs::rename(&built, unfinished.join(name)).map_err(at(&built))?;
    }
    std::fs::remove_dir_all(&sources).map_err(at(&sources))?;
    std::fs::rename(&unfinished, directory).map_err(at(directory))?;
    progress.step(&format!("built, and kept in {}", directory.display()));
    Ok(())
}

/// What went wrong with the file or directory at `path`.
pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> NoBinaries + use<> {
    let path = path.to_owned();
    move |error| NoBinaries::File { path: path.clone(), error }
}

/// Passes the time while something is built, and says every few seconds how far it is.
struct Clock<'a> {
    module: &'a Module,
    progress: &'a Progress,
    started: Instant,
    said: Option<Instant>,
}

impl<'a> Clock<'a> {
    fn new(module: &'a Module, progress: &'a Progress) -> Self {
        Self { module, progress, started: Instant::now(), said: None }
    }

    fn tick(&mut self, what: &str, log: &Path) {
        if self.said.is_none_or(|said| said.elapsed() >= Duration::from_secs(5)) {
            self.said = Some(Instant::now());
            let elapsed = self.started.elapsed().as_secs();
            self.progress.step(&format!("{what}, {elapsed} s so far{}", self.last_package(log)));
        }
        std::thread::sleep(Duration::from_millis(100));
    }

    /// What `go build -v` said last: the package it compiled, and how many there were.
    fn last_package(&self, log: &Path) -> String {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let (count, all) = (text.lines().count(), self.module.packages);
        let now = text.lines().last();
        now.map(|package| format!(": {count} of about {all} packages, now {package}")).unwrap_or_default()
    }
}

/// Where a build in progress is, and what Go says meanwhile.
fn module_directory(directory: &Path) -> PathBuf {
    directory.with_extension("unfinished").join("module")
}

fn log_file(directory: &Path) -> PathBuf {
    module_directory(directory).join("build.log")
}

/// Go names a program after the last element of its import path that is not a major version (`go help build`).
fn name_by_go(package: &str) -> &str {
    let is_version = |element: &str| element.strip_prefix('v').is_some_and(|number| number.parse::<u32>().is_ok());
    package.rsplit('/').find(|element| !is_version(element)).unwrap_or(package)
}
