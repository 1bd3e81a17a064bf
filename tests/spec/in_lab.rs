//! How a program of live tests runs: it enters namespaces of its own, boots what its trials need, runs them, and ends it all.
//! What cannot be had is said by one trial that no filter hides.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::{Arguments, Conclusion, Trial};

use super::left_out;
use crate::lab::binaries::Names;
use crate::lab::progress::Progress;
use crate::lab::stage::{self, Entered, Reach};

/// What the trials of a program need, from the first to the last.
pub trait Booted: Sized {
    /// The trial that says why it does not boot.
    const BOOTS: &'static str;

    fn boot(entered: Entered, progress: &Progress) -> Result<Self>;

    fn shutdown(self) -> Result<()>;
}

/// Runs trials in what they need. `part` is what is left out where there can be no lab; `others` need none.
pub fn run<B: Booted>(
    arguments: Arguments,
    (part, others): (&str, Vec<Trial>),
    progress: &Progress,
    play: impl FnOnce(Arguments, Vec<Trial>, &Arc<B>) -> Conclusion,
) -> ExitCode {
    let entered = match stage::enter(Reach::Inside, Names::Served, progress) {
        Ok(entered) => entered,
        Err(reason) => {
            let said = left_out::left_out(&reason.to_string());
            return left_out::conclude(arguments, others, part, said).exit_code();
        }
    };
    let booted = match B::boot(entered, progress) {
        Ok(booted) => Arc::new(booted),
        Err(error) => {
            let said = Err(format!("{error:#}").into());
            return left_out::conclude(arguments, Vec::new(), B::BOOTS, said).exit_code();
        }
    };
    let conclusion = play(arguments, others, &booted);
    match Arc::into_inner(booted).map(B::shutdown) {
        Some(Err(error)) => {
            eprintln!("the lab did not end well: {error:#}");
            ExitCode::FAILURE
        }
        _ => conclusion.exit_code(),
    }
}
