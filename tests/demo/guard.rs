//! The guard's own program, which an example is not given by cargo: it is built here, beside the example.
//!
//! This needs cargo and perhaps the network, so it happens before the lab's walls go up.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

/// Where the program is, or will be: `target/debug/singleton-guard` for `target/debug/examples/demo`.
pub(crate) fn path() -> Result<PathBuf> {
    Ok(profile_directory()?.join(NAME))
}

/// Builds it with the profile and the target directory of the running example. Compiler errors go to standard error.
pub(crate) fn build() -> Result<()> {
    let directory = profile_directory()?;
    let profile = match directory.file_name().and_then(|name| name.to_str()).unwrap_or_default() {
        // The one profile whose directory has another name. See "Build cache" in the Cargo book.
        "debug" => "dev",
        name => name,
    };
    let target = directory.parent().context("the example lies outside of a target directory")?;
    // Cargo sets the variable for what it runs; without it, this is the one that compiled us.
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let status = Command::new(&cargo)
        .args(["build", "--quiet", "--locked", "--bin", NAME, "--profile", profile])
        // A program alone is built without the features that the dev-dependencies add, which compiles half of all crates
        // a second time. Beside a small example it only has to be linked.
        .args(["--example", "decide", "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("starting {}", Path::new(&cargo).display()))?;
    ensure!(status.success(), "`cargo build --bin {NAME}` failed ({status}): its errors are above");
    Ok(())
}

/// Where cargo puts the programs of the profile that this example was built with.
fn profile_directory() -> Result<PathBuf> {
    let example = std::env::current_exe().context("finding this program's own file")?;
    let directory = example.parent().filter(|parent| parent.ends_with("examples")).and_then(Path::parent);
    let directory = directory.with_context(|| {
        format!("{} is not in cargo's `examples`: use `cargo run --example demo`", example.display())
    })?;
    Ok(directory.to_owned())
}

const NAME: &str = "singleton-guard";
