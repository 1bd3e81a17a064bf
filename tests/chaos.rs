//! Chaos: strict singletons on a live control plane while people, controllers, replicas of ours, components and nodes do
//! whatever they can, and two checkers that nothing escapes.
//!
//! `SEED=n` chooses the same steps again; `LONG=1` goes through twenty seeds, `LONG=30` through as many as thirty minutes
//! hold: `LONG=1 cargo test --test chaos -- --nocapture`.

#![allow(unreachable_pub, missing_docs, dead_code, reason = "one program that shares rooms with the specification")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::too_many_lines,
    reason = "a test that meets the unexpected has failed"
)]

mod chaos {
    pub mod count;
    pub mod histories;
    pub mod processes;
    pub mod revisions;
}

use std::process::ExitCode;

use chaos::histories::HISTORIES;
use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    libtest_mimic::run(&arguments, histories()).exit_code()
}

fn histories() -> Vec<Trial> {
    let trial = |(name, history): (&str, fn() -> anyhow::Result<()>)| {
        Trial::test(name, move || history().map_err(|error| format!("{error:#}").into()))
    };
    HISTORIES.into_iter().map(trial).collect()
}
