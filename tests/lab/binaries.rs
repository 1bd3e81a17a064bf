//! Which programs the lab needs, and where they come from: the environment, the user's cache, or Go.
//!
//! Nothing is written into the checkout, and what is in the cache was built from exactly the `go.mod` and `go.sum` that
//! this program was compiled with. Each module has a place of its own there, so a change of one rebuilds only that one.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cache::{cache_directory, fnv1a};
use super::go::{self, at};
use super::namespaces::Namespaces;
use super::progress::Progress;

/// Where the programs are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Binaries {
    /// The directory with the API server, the controllers and the scheduler.
    pub(crate) control_plane: PathBuf,
    /// The directory with etcd, kubectl and helm.
    pub(crate) tools: PathBuf,
    /// The directory with CoreDNS, with [`Names::Served`].
    pub(crate) dns: Option<PathBuf>,
}

/// Whether [`super::Lab::resolve`] is going to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// It may be, so there must be CoreDNS.
    Served,
    /// It is not, and nobody waits two minutes for CoreDNS to be built.
    Unserved,
}

/// Programs that are built together: one row of the table at the end of this file.
#[derive(Debug)]
pub(super) struct Module {
    /// What it is, in a sentence.
    pub(super) what: &'static str,
    /// The beginning of its directory's name in the cache.
    prefix: &'static str,
    pub(super) go_mod: &'static str,
    pub(super) go_sum: &'static str,
    /// The programs, as they are to be named, and their packages.
    pub(super) programs: &'static [(&'static str, &'static str)],
    /// The linker's flags for its `go.mod`.
    link_flags: fn(&str) -> Result<String, NoBinaries>,
    /// How long a build from nothing takes.
    pub(super) cost: &'static str,
    /// How many packages such a build compiles.
    pub(super) packages: usize,
    /// Whether programs of the same names from elsewhere do as well.
    replaceable: bool,
}

impl Module {
    /// The programs that a directory must hold to be used.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.programs.iter().map(|(name, _)| *name)
    }

    /// The first program that is not in `directory`.
    fn lacking(&self, directory: &Path) -> Option<&'static str> {
        self.names().find(|name| !directory.join(name).is_file())
    }
}

/// Why there are no binaries.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoBinaries {
    /// They are neither at hand nor can they be built.
    #[error(
        "{what} has to be built once, and `go` cannot be started ({error}): install Go {GO} or newer \
         (https://go.dev/dl), or set KUBEBUILDER_ASSETS to a directory with {names}", names = names.join(", ")
    )]
    Go {
        /// What is missing.
        what: &'static str,
        /// Its programs.
        names: Vec<&'static str>,
        /// What the system said.
        error: io::Error,
    },
    /// Go said no.
    #[error("building {what} with Go failed; its last lines:\n{log}")]
    Build {
        /// What was built.
        what: &'static str,
        /// The end of Go's output.
        log: String,
    },
    /// `go.mod` does not look as expected.
    #[error("go.mod names no version of k8s.io/kubernetes like v1.37.1")]
    Version,
    /// A release that there is no module for.
    #[error("{RELEASE}={wanted} is none of the releases that can be booted: leave it out for the newest, or set 1.30")]
    Release {
        /// What is wanted.
        wanted: String,
    },
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

/// For each module `KUBEBUILDER_ASSETS` if it has all its programs, else the cache, built first if need be.
pub(crate) fn find(names: Names, namespaces: Namespaces, progress: &Progress) -> Result<Binaries, NoBinaries> {
    let tools = directory(&NEWEST, namespaces, progress)?;
    let control_plane = match std::env::var(RELEASE).as_deref() {
        Err(_) | Ok("") => tools.clone(),
        Ok("1.30") => directory(&OLDEST, namespaces, progress)?,
        Ok(wanted) => return Err(NoBinaries::Release { wanted: wanted.to_owned() }),
    };
    let dns = match names {
        Names::Served => Some(directory(&DNS, namespaces, progress)?),
        Names::Unserved => None,
    };
    Ok(Binaries { control_plane, tools, dns })
}

/// Whether the control plane is of the oldest release, because somebody asked for it.
pub(crate) fn is_oldest() -> bool {
    std::env::var(RELEASE).is_ok_and(|wanted| wanted == "1.30")
}

fn directory(module: &Module, namespaces: Namespaces, progress: &Progress) -> Result<PathBuf, NoBinaries> {
    if let Some(assets) = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from).filter(|_| module.replaceable) {
        match module.lacking(&assets) {
            None => return Ok(assets),
            Some(name) => {
                let (path, what) = (assets.display(), module.what);
                progress.step(&format!("KUBEBUILDER_ASSETS ({path}) has no {name}: {what} is our own"));
            }
        }
    }
    let flags = (module.link_flags)(module.go_mod)?;
    let cache = cache_directory().ok_or(NoBinaries::Cache)?;
    let key = fnv1a(&[module.go_mod, module.go_sum, &flags]);
    let directory = cache.join(format!("{}-{key:016x}", module.prefix));
    if module.lacking(&directory).is_none() {
        return Ok(directory);
    }
    std::fs::create_dir_all(&cache).map_err(at(&cache))?;
    let _building = go::lock(module, &directory, progress)?;
    // The one who had the lock before us may have built it.
    if module.lacking(&directory).is_some() {
        go::build(module, &flags, &directory, namespaces, progress)?;
    }
    Ok(directory)
}

/// The flags with the version of Kubernetes, without which the server calls itself v0.0.0 and its clients and feature
/// gates misbehave.
fn with_kubernetes_version(go_mod: &str) -> Result<String, NoBinaries> {
    let required = go_mod.lines().find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes v"));
    let whole = required.and_then(|required| required.split_whitespace().next()).unwrap_or_default();
    let mut parts = whole.split('.');
    let (Some(major), Some(minor)) = (parts.next(), parts.next()) else { return Err(NoBinaries::Version) };
    let package = "k8s.io/component-base/version";
    Ok(format!(
        "{STRIPPED} -X {package}.gitVersion=v{whole} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"
    ))
}

/// The control plane of the newest release, and the tools for either.
const NEWEST: Module = Module {
    what: "the control plane",
    prefix: "controlplane",
    go_mod: include_str!("../controlplane/go.mod"),
    go_sum: include_str!("../controlplane/go.sum"),
    programs: &[
        ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
        ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
        ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
        ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
        ("helm", "helm.sh/helm/v4/cmd/helm"),
        ("etcd", "go.etcd.io/etcd/server/v3"),
    ],
    link_flags: with_kubernetes_version,
    cost: "about 7 minutes",
    packages: 3000,
    replaceable: true,
};
/// The control plane of the oldest release that the chart installs on. Whoever asks for it wants no other.
const OLDEST: Module = Module {
    what: "the control plane of Kubernetes 1.30",
    prefix: "controlplane-oldest",
    go_mod: include_str!("../controlplane-1.30/go.mod"),
    go_sum: include_str!("../controlplane-1.30/go.sum"),
    programs: &[
        ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
        ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
        ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    ],
    link_flags: with_kubernetes_version,
    cost: "about 6 minutes",
    packages: 2000,
    replaceable: false,
};
const DNS: Module = Module {
    what: "CoreDNS",
    prefix: "coredns",
    go_mod: include_str!("../coredns/go.mod"),
    go_sum: include_str!("../coredns/go.sum"),
    programs: &[("coredns", "github.com/coredns/coredns")],
    link_flags: |_| Ok(STRIPPED.to_owned()),
    cost: "about 2 minutes",
    packages: 1400,
    replaceable: true,
};
/// The environment variable that names a release: `1.30`, or nothing for the newest.
const RELEASE: &str = "KUBERNETES";
/// Without symbol table and debug information.
const STRIPPED: &str = "-s -w";
/// The `go` line of every go.mod.
const GO: &str = "1.26";
