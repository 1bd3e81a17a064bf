//! The version of before: built as a release, once, from the repository's own history into the user's cache directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::lab::binaries::cache_directory;
use crate::lab::progress::Progress;

/// Where it is. To be called where there is a network; it fails where the history is not at hand, as in a shallow clone.
pub(crate) fn program(progress: &Progress) -> Result<PathBuf> {
    let cache = cache_directory().context("neither XDG_CACHE_HOME nor HOME is set")?;
    let program = cache.join(format!("before-{COMMIT}-release"));
    if !program.is_file() {
        progress.step("the version of before has to be built from the history, once: some minutes");
        // In a directory of its own, and then renamed: another process may be doing the same.
        let unfinished = cache.join(format!("before-{}.unfinished", std::process::id()));
        let built = build(&unfinished).and_then(|built| Ok(fs::rename(built, &program)?));
        fs::remove_dir_all(&unfinished)?;
        built?;
    }
    Ok(program)
}

fn build(directory: &Path) -> Result<PathBuf> {
    fs::create_dir_all(directory)?;
    let archive = directory.join("source.tar");
    let mut git = Command::new("git");
    done(git.args(["archive", COMMIT, "--output"]).arg(&archive).current_dir(env!("CARGO_MANIFEST_DIR")))?;
    done(Command::new("tar").arg("-xf").arg(&archive).current_dir(directory))?;
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--locked", "--bin", "singleton-guard"]);
    done(cargo.current_dir(directory).env("CARGO_TARGET_DIR", directory.join("target")))?;
    Ok(directory.join("target/release/singleton-guard"))
}

fn done(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("starting {command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The last one in which three rooms each watched the marked workloads for themselves.
const COMMIT: &str = "335e8b6c88d6f0478a73f04b73edbe576b20afb5";
