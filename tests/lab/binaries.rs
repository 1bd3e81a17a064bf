//! Where the binaries of the control plane come from: the environment, the user's cache, or Go.
//!
//! This runs before the walls go up, because Go may need the network. Nothing is written into the checkout, and what
//! is in the cache was built from exactly the `go.mod` and `go.sum` that this program was compiled with.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::namespaces::{Namespaces, Network};
use super::progress::Progress;
use super::work::tail;

/// The programs that a directory must hold to be used.
pub(crate) const NAMES: [&str; 6] =
    ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "helm"];

/// Why there are no binaries.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoBinaries {
    /// They are neither at hand nor can they be built.
    #[error(
        "the control plane has to be built once, and `go` cannot be started ({0}): install Go {GO} or newer \
         (https://go.dev/dl), or set KUBEBUILDER_ASSETS to a directory with {names}", names = NAMES.join(", ")
    )]
    Go(io::Error),
    /// Go said no.
    #[error("building the control plane with Go failed; its last lines:\n{0}")]
    Build(String),
    /// `go.mod` does not look as expected.
    #[error("go.mod names no version of k8s.io/kubernetes like v1.37.1")]
    Version,
    /// Neither `XDG_CACHE_HOME` nor `HOME` says where the cache is.
    #[error("no place for the cache: set XDG_CACHE_HOME or HOME to a directory you may write to")]
    Cache,
    /// The file system said no.
    #[error("{}: {error}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// A directory with all of [`NAMES`]: `KUBEBUILDER_ASSETS` if it is complete, else the cache, built first if need be.
pub(crate) fn find(namespaces: Namespaces, progress: &Progress) -> Result<PathBuf, NoBinaries> {
    if let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from) {
        match lacking(&assets) {
            None => return Ok(assets),
            Some(name) => {
                let path = assets.display();
                progress.step(&format!("KUBEBUILDER_ASSETS ({path}) has no {name}: using our own control plane"));
            }
        }
    }
    let version = Version::from_go_mod(GO_MOD).ok_or(NoBinaries::Version)?;
    let flags = version.link_flags();
    let cache = cache_directory().ok_or(NoBinaries::Cache)?;
    let directory = cache.join(format!("controlplane-{:016x}", fnv1a(&[GO_MOD, GO_SUM, &flags])));
    if lacking(&directory).is_none() {
        return Ok(directory);
    }
    std::fs::create_dir_all(&cache).map_err(at(&cache))?;
    let _building = lock(&directory, progress)?;
    // The one who had the lock before us may have built it.
    if lacking(&directory).is_some() {
        build(namespaces, &directory, &flags, progress)?;
    }
    Ok(directory)
}

/// Builds into a directory beside `directory` and renames it when it is complete.
fn build(namespaces: Namespaces, directory: &Path, flags: &str, progress: &Progress) -> Result<(), NoBinaries> {
    Command::new("go").arg("version").stdin(Stdio::null()).output().map_err(NoBinaries::Go)?;
    // We hold the lock, so whatever is there is left over from a build that was killed.
    let unfinished = directory.with_extension("unfinished");
    for stale in [&unfinished, directory] {
        if stale.exists() {
            std::fs::remove_dir_all(stale).map_err(at(stale))?;
        }
    }
    let module = module_directory(directory);
    std::fs::create_dir_all(&module).map_err(at(&module))?;
    for (name, text) in [("go.mod", GO_MOD), ("go.sum", GO_SUM)] {
        std::fs::write(module.join(name), text).map_err(at(&module))?;
    }
    let log = log_file(directory);
    let output = File::create(&log).map_err(at(&log))?;
    let mut out = OsString::from(&unfinished);
    out.push("/");
    let mut go = namespaces
        .command(Network::Shared, "go")
        .args(["build", "-v", "-mod=readonly", "-trimpath", "-ldflags", flags, "-o"])
        .arg(out)
        .args(PACKAGES)
        .current_dir(&module)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-buildvcs=false")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(output)
        .spawn()
        .map_err(NoBinaries::Go)?;
    progress.step("building the control plane from its Go modules, once (about 7 minutes on 2 cores)");
    let mut clock = Clock::new(progress);
    let status = loop {
        match go.try_wait().map_err(at(&log))? {
            Some(status) => break status,
            None => clock.tick("building", &log),
        }
    };
    if !status.success() {
        return Err(NoBinaries::Build(tail(&log, 15)));
    }
    // Go names a program after the last element of its import path that is not a version.
    let named = unfinished.join("server");
    std::fs::rename(&named, unfinished.join("etcd")).map_err(at(&named))?;
    std::fs::remove_dir_all(&module).map_err(at(&module))?;
    std::fs::rename(&unfinished, directory).map_err(at(directory))?;
    progress.step(&format!("built, and kept in {}", directory.display()));
    Ok(())
}

/// Waits until this process is the only one to build `directory`.
fn lock(directory: &Path, progress: &Progress) -> Result<File, NoBinaries> {
    let path = directory.with_extension("lock");
    let file = File::create(&path).map_err(at(&path))?;
    let mut clock = Clock::new(progress);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => clock.tick("another lab builds the control plane", &log_file(directory)),
            Err(TryLockError::Error(error)) => return Err(at(&path)(error)),
        }
    }
}

/// Passes the time while something is built, and says every few seconds how far it is.
struct Clock<'a> {
    progress: &'a Progress,
    started: Instant,
    said: Option<Instant>,
}

impl<'a> Clock<'a> {
    fn new(progress: &'a Progress) -> Self {
        Self { progress, started: Instant::now(), said: None }
    }

    fn tick(&mut self, what: &str, log: &Path) {
        if self.said.is_none_or(|said| said.elapsed() >= Duration::from_secs(5)) {
            self.said = Some(Instant::now());
            let elapsed = self.started.elapsed().as_secs();
            self.progress.step(&format!("{what}, {elapsed} s so far{}", last_package(log)));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Where a build in progress is, and what Go says meanwhile.
fn module_directory(directory: &Path) -> PathBuf {
    directory.with_extension("unfinished").join("module")
}

fn log_file(directory: &Path) -> PathBuf {
    module_directory(directory).join("build.log")
}

/// The first of [`NAMES`] that is not in `directory`.
fn lacking(directory: &Path) -> Option<&'static str> {
    NAMES.into_iter().find(|name| !directory.join(name).is_file())
}

/// The user's cache directory of this project, as the XDG Base Directory Specification has it.
fn cache_directory() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("singleton-guard"))
}

/// What `go build -v` said last: the package it compiled, and how many there were.
fn last_package(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let count = text.lines().count();
    text.lines().last().map(|package| format!(": {count} of about 3000 packages, now {package}")).unwrap_or_default()
}

fn at(path: &Path) -> impl Fn(io::Error) -> NoBinaries + use<> {
    let path = path.to_owned();
    move |error| NoBinaries::File { path: path.clone(), error }
}

/// The version of Kubernetes, without which the server calls itself v0.0.0 and its clients and feature gates misbehave.
struct Version<'a> {
    whole: &'a str,
    major: &'a str,
    minor: &'a str,
}

impl<'a> Version<'a> {
    fn from_go_mod(go_mod: &'a str) -> Option<Self> {
        let required = go_mod.lines().find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"))?;
        let whole = required.split_whitespace().next()?;
        let mut parts = whole.split('.');
        Some(Self { whole, major: parts.next()?, minor: parts.next()? })
    }

    fn link_flags(&self) -> String {
        let Self { whole, major, minor } = self;
        let package = "k8s.io/component-base/version";
        format!("-s -w -X {package}.gitVersion=v{whole} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}")
    }
}

/// 64-bit FNV-1a over all texts: it only has to tell one set of inputs from another, the same way in every build.
fn fnv1a(texts: &[&str]) -> u64 {
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

const GO_MOD: &str = include_str!("../controlplane/go.mod");
const GO_SUM: &str = include_str!("../controlplane/go.sum");
/// The `go` line of go.mod.
const GO: &str = "1.26";
/// One `go build` for all, so that shared packages compile once.
const PACKAGES: [&str; 6] = [
    "k8s.io/kubernetes/cmd/kubectl",
    "k8s.io/kubernetes/cmd/kube-apiserver",
    "k8s.io/kubernetes/cmd/kube-controller-manager",
    "k8s.io/kubernetes/cmd/kube-scheduler",
    "helm.sh/helm/v4/cmd/helm",
    "go.etcd.io/etcd/server/v3",
];
