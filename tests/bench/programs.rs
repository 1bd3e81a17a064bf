//! The programs that are compared: the singleton-guard that was given, and the ones that Go builds from the modules
//! beside this file. Go keeps what it has built, so a second run builds nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Where they are.
#[derive(Debug)]
pub(crate) struct Programs {
    /// singleton-guard.
    pub(crate) guard: PathBuf,
    /// `go/main.go`.
    pub(crate) go: PathBuf,
    /// `controller-runtime/main.go`.
    pub(crate) controller_runtime: PathBuf,
}

impl Programs {
    /// Builds what is to be built. The first time Go may need the network, and minutes.
    pub(crate) fn build(guard: &Path) -> Result<Self> {
        let guard = guard.to_owned();
        Ok(Self { guard, go: build("go")?, controller_runtime: build("controller-runtime")? })
    }
}

/// The program of one module.
fn build(module: &str) -> Result<PathBuf> {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{module}"));
    let output = Command::new("go")
        .args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench").join(module))
        .env("CGO_ENABLED", "0")
        .output()
        .context("starting go: install Go 1.26 or newer (https://go.dev/dl)")?;
    ensure!(output.status.success(), "go build: {}", String::from_utf8_lossy(&output.stderr));
    Ok(program)
}
