//! Programs of our own in Go: each a module in `tests/`, built once into the user's cache directory.
//!
//! What is there was built from exactly the sources that are in the checkout. To be called where there is a network.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::cache::{cache_directory, fnv1a};

/// The program of the module `tests/NAME`, built if it is not there.
///
/// # Errors
/// If Go is not there, or says no: in its words.
pub(crate) fn build(root: &Path, name: &str) -> Result<PathBuf, String> {
    let directory = root.join("tests").join(name);
    let read = |name| std::fs::read_to_string(directory.join(name)).map_err(|error| format!("{name}: {error}"));
    let sources = [read("go.mod")?, read("go.sum")?, read("main.go")?];
    let key = fnv1a(&sources.each_ref().map(String::as_str));
    let cache = cache_directory().ok_or("neither XDG_CACHE_HOME nor HOME is set")?;
    let program = cache.join(format!("{name}-{key:016x}"));
    if program.is_file() {
        return Ok(program);
    }
    // To a name of its own, and then renamed: another process may be doing the same.
    let unfinished = cache.join(format!("{name}-{}.unfinished", std::process::id()));
    let mut go = Command::new("go");
    go.args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o"]);
    go.arg(&unfinished).arg(".").current_dir(&directory).env("CGO_ENABLED", "0");
    said(&mut go)?;
    std::fs::rename(&unfinished, &program).map_err(|error| format!("{}: {error}", program.display()))?;
    Ok(program)
}

/// The directory of a module that `tests/NAME` uses, fetched if it is not there.
///
/// # Errors
/// As of [`build`].
pub(crate) fn sources(root: &Path, name: &str, module: &str) -> Result<PathBuf, String> {
    let directory = root.join("tests").join(name);
    said(Command::new("go").args(["mod", "download", module]).current_dir(&directory))?;
    let list = ["list", "-m", "-mod=readonly", "-f", "{{.Dir}}", module];
    let path = said(Command::new("go").args(list).current_dir(&directory))?;
    Ok(path.trim().into())
}

/// What a command has printed.
fn said(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("go: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)))
}
