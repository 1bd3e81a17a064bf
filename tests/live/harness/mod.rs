//! What runs the live tests: one main function, and groups of tests, each with a cluster of its own.
//!
//! ```text
//! main       which groups are wanted, and one after the other of them in a lab
//!   group    what a group boots, and its tests
//!     story  the tests of a file, named by their functions
//! late       a test that is run again, because the machine was slow    repeats
//! left_out   what was not run is never reported as ok
//! ```

mod group;
pub mod late;
pub mod left_out;
mod repeats;
mod story;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};

pub use group::{Cluster, Group, Playable, Test};
pub(crate) use story::stories;
pub use story::{Run, Story, When};

use crate::lab::binaries::Names;
use crate::lab::progress::Progress;
use crate::lab::stage::{self, Ended, Reach, Stage};

/// Lists the tests, or plays each group of which any is wanted: this program runs itself again for it, inside a lab. A
/// group whose lab dies has failed, and the next one is played.
pub fn main(groups: Vec<Box<dyn Playable>>) -> ExitCode {
    let arguments = Arguments::from_args();
    let progress = Progress::to_stderr();
    if let Some(entered) = stage::inside() {
        return match entered {
            Ok(entered) => match groups.into_iter().find(|group| group.name() == entered.task) {
                Some(group) => group.play(arguments, entered, &progress),
                None => failed(&format!("there is no group {}", entered.task)),
            },
            Err(error) => failed(&error.to_string()),
        };
    }
    let stubs: Vec<Trial> = groups.iter().flat_map(|group| group.stubs()).collect();
    let wanted: Vec<_> =
        groups.iter().filter(|group| left_out::any_wanted(&arguments, &group.stubs())).map(AsRef::as_ref).collect();
    if arguments.list || wanted.is_empty() {
        return libtest_mimic::run(&arguments, stubs).exit_code();
    }
    match Stage::find(Names::Served, &progress) {
        Ok(stage) => play(&wanted, &arguments, &stage, &progress),
        Err(reason) => {
            let names: Vec<_> = wanted.iter().map(|group| group.name()).collect();
            let said = left_out::left_out(&reason.to_string());
            left_out::conclude(arguments, &names.join(", "), said).exit_code()
        }
    }
}

/// Whether the long forms are asked for.
pub fn is_long() -> bool {
    std::env::var_os("LONG").is_some_and(|value| value == "1")
}

fn play(groups: &[&dyn Playable], arguments: &Arguments, stage: &Stage, progress: &Progress) -> ExitCode {
    for group in groups {
        // Where there is a network.
        group.prepare(arguments, progress);
    }
    let mut played: Vec<(&str, Ended, Duration)> = Vec::new();
    for group in groups {
        progress.step(&format!("group {}", group.name()));
        let started = Instant::now();
        match stage.play(group.name(), Reach::Inside, progress) {
            Ok(Ended::Interrupted(code)) => return ExitCode::from(u8::try_from(code).unwrap_or(1)),
            Ok(ended) => played.push((group.name(), ended, started.elapsed())),
            Err(error) => {
                eprintln!("group {}: {error}", group.name());
                played.push((group.name(), Ended::Exited(1), started.elapsed()));
            }
        }
    }
    for (name, ended, took) in &played {
        match ended {
            Ended::Exited(0) => eprintln!("group {name}: ok in {took:.0?}"),
            Ended::Exited(code) | Ended::Interrupted(code) => {
                eprintln!("group {name}: FAILED in {took:.0?} (exit code {code})");
            }
        }
    }
    if played.iter().all(|(_, ended, _)| *ended == Ended::Exited(0)) { ExitCode::SUCCESS } else { ExitCode::from(101) }
}

fn failed(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}
