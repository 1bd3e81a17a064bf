//! The program as it was before replicas had patience with each other: built once from the repository's own history into
//! the user's cache directory, for tests in which replicas of two versions meet and for figures beside it; and the chart
//! of then. The program is to be asked for where there is a network.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::lab::cache::cache_directory;
use crate::lab::progress::Progress;

/// How it is built.
#[derive(Debug, Clone, Copy)]
pub enum Profile {
    Dev,
    /// For figures.
    Release,
}

/// Where it is, built if it is not there.
///
/// # Errors
/// The history is not at hand, as in a shallow clone, or it cannot be built: in the words of the tool.
pub fn program(progress: &Progress, profile: Profile) -> Result<PathBuf, String> {
    let cache = cache_directory().ok_or("neither XDG_CACHE_HOME nor HOME is set")?;
    let (suffix, directory, flag) = match profile {
        Profile::Dev => ("", "debug", "--profile=dev"),
        Profile::Release => ("-release", "release", "--release"),
    };
    let program = cache.join(format!("before-{COMMIT}{suffix}"));
    if program.is_file() {
        return Ok(program);
    }
    progress.step("the version of before has to be built from the history, once: some minutes");
    // In a directory of its own, and then renamed: another process may be doing the same.
    let unfinished = cache.join(format!("before-{}.unfinished", std::process::id()));
    let built = build(&unfinished, flag)
        .map(|target| target.join(directory).join("singleton-guard"))
        .and_then(|built| std::fs::rename(&built, &program).map_err(|error| format!("{}: {error}", program.display())));
    // What is left there is of no use; that it cannot be removed is no reason to fail.
    let _ = std::fs::remove_dir_all(&unfinished);
    built?;
    progress.step("the version of before is built");
    Ok(program)
}

/// Builds the one for tests if it is not there. What goes wrong is said by whoever asks for it.
pub fn prepare(progress: &Progress) {
    let _built = program(progress, Profile::Dev);
}

/// Its chart, in a directory that is made for it.
///
/// # Errors
/// As for [`program`].
pub fn chart(directory: &Path) -> Result<PathBuf, String> {
    unpack(directory, &["charts"])?;
    Ok(directory.join("charts/singleton-guard"))
}

fn unpack(directory: &Path, parts: &[&str]) -> Result<(), String> {
    std::fs::create_dir_all(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let archive = directory.join("source.tar");
    let mut git = Command::new("git");
    git.args(["archive", COMMIT, "--output"]).arg(&archive).args(parts).current_dir(env!("CARGO_MANIFEST_DIR"));
    done(&mut git)?;
    done(Command::new("tar").arg("-xf").arg(&archive).current_dir(directory))
}

/// Answers the directory of what was built.
fn build(directory: &Path, profile: &str) -> Result<PathBuf, String> {
    unpack(directory, &[])?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let target = directory.join("target");
    cargo.args(["build", "--locked", "--bin", "singleton-guard", profile]).current_dir(directory);
    cargo.env("CARGO_TARGET_DIR", &target).env("CARGO_PROFILE_DEV_DEBUG", "0");
    done(&mut cargo)?;
    Ok(target)
}

fn done(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The last one in which every replica answered every other at once, and three rooms each watched the marked workloads.
const COMMIT: &str = "335e8b6c88d6f0478a73f04b73edbe576b20afb5";
