//! promtool, which not every machine has: what needs it is left out there.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::on_path;
use crate::harness::left_out::LeftOut;

/// Where it is.
pub fn promtool() -> Result<PathBuf> {
    on_path("promtool").ok_or_else(|| LeftOut(NO_PROMETHEUS.to_owned()).into())
}

/// What a replica answers is in the text format, and named and described as the Prometheus project asks for.
pub fn well_formed(promtool: &Path, metrics: &str) -> Result<()> {
    run(promtool, &["check", "metrics"], metrics)
}

/// Runs it in the checkout.
pub fn run(promtool: &Path, arguments: &[&str], input: &str) -> Result<()> {
    let run = || {
        let mut command = Command::new(promtool);
        command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        // It reads all of it before it says anything.
        child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input.as_bytes()))?;
        child.wait_with_output()
    };
    let done = run().with_context(|| format!("promtool {arguments:?}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = [done.stdout, done.stderr].concat();
    bail!("promtool {arguments:?}:\n{}", String::from_utf8_lossy(&said))
}

/// Why a test is left out.
pub const NO_PROMETHEUS: &str = "promtool or prometheus is not there (Debian: package prometheus)";
