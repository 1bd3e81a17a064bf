//! How many instructions one decision takes: the bytes of an AdmissionReview in, the bytes of the answer out, without
//! network, TLS and allocator of the program. Unlike time it is the same on a busy machine, so a change of two percent
//! shows.
//!
//! ```text
//! cargo run --release --locked --manifest-path tests/bench/instructions/Cargo.toml
//! ... --features kube                     beside kube's AdmissionReview<DynamicObject>
//! UPDATE=1 ...                            writes down what was counted
//! ```
//!
//! It starts itself under callgrind (Debian package `valgrind`) with a small and a large number of reviews. What they
//! differ by is what the additional reviews took; starting and ending cancel out. It fails if a count is more than two
//! percent above the one in `instructions.txt`. Targets are printed beside the counts.

mod counted;
#[path = "../reviews.rs"]
#[allow(dead_code, reason = "the bench uses the rest")]
mod reviews;
mod work;

use std::fs;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

use counted::{Counts, Row};
use work::Work;

fn main() -> Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (None, _) => {}
        (Some(name), Some(times)) => {
            let work = Work::all()?.into_iter().find(|work| work.name == name).context("nothing has this name")?;
            work.repeat(times.parse()?)?;
            return Ok(ExitCode::SUCCESS);
        }
        (Some(_), None) => bail!("either nothing, or a name and a number"),
    }
    versions_are_those_that_ship()?;
    let mut rows = Vec::new();
    for work in Work::all()? {
        let instructions = (total(&work, MANY)? - total(&work, FEW)?) / (MANY - FEW);
        rows.push(Row { name: work.name, bytes: work.body.len(), instructions });
    }
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        let counts = Counts::read(&fs::read_to_string(RECORD).unwrap_or_default())?.with(&rows);
        fs::write(RECORD, counts.to_string()).context(RECORD)?;
    }
    let recorded = Counts::read(&fs::read_to_string(RECORD).context(RECORD)?)?;
    print!("{}", counted::table(&rows, &recorded));
    let faults = counted::faults(&rows, &recorded);
    for fault in &faults {
        println!("FAILED: {fault}");
    }
    Ok(if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All instructions of this program when it does the work this many times.
fn total(work: &Work, times: u64) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args([work.name, &times.to_string()])
        .stdin(Stdio::null())
        .output()
        .context("starting valgrind (Debian package valgrind)")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "under callgrind: {said}");
    let collected = said.lines().find_map(|line| line.split_once("Collected : "));
    Ok(collected.context("callgrind collected nothing")?.1.trim().parse()?)
}

/// This package has a lock file of its own; what it counts must be what the program is built from.
fn versions_are_those_that_ship() -> Result<()> {
    let packages = |lock: &'static str| {
        let pairs = lock.split("[[package]]").filter_map(|package| {
            let value = |key: &str| package.lines().find_map(|line| line.strip_prefix(key));
            Some((value("name = ")?, value("version = ")?))
        });
        pairs.filter(|(name, _)| !name.contains("singleton-guard")).collect::<Vec<_>>()
    };
    let shipped = packages(include_str!("../../../Cargo.lock"));
    let others: Vec<_> =
        packages(include_str!("Cargo.lock")).into_iter().filter(|package| !shipped.contains(package)).collect();
    ensure!(others.is_empty(), "other versions than in the program's Cargo.lock: {others:?}");
    Ok(())
}

/// Few enough for a few seconds under callgrind. More reviews give the same.
const FEW: u64 = 10;
const MANY: u64 = 30;
const RECORD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../instructions.txt");
