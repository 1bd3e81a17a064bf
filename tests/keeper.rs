//! The processes of `elect` without a lock: a real keeper with real commands and a scripted elector, and what is seen of an
//! elector from outside. What it shows: the command gets what a good init gives it; when its time is over, or one of our
//! processes is gone, nothing of it is alive, whatever it has done to get away; and `Gone` is said only then, which a
//! witness checks that reads /proc itself. What it leaves out: the lock, and commands that fork without end, which would
//! need a limit on their number.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test: a panic is a failure with a line number"
)]

#[path = "keeper/bench.rs"]
mod bench;
#[path = "keeper/deadlines.rs"]
mod deadlines;
#[path = "keeper/deaths.rs"]
mod deaths;
#[path = "keeper/outside.rs"]
mod outside;
#[path = "keeper/passing.rs"]
mod passing;
#[path = "keeper/roles.rs"]
mod roles;
#[path = "keeper/schedule.rs"]
mod schedule;
#[path = "keeper/terminal.rs"]
mod terminal;

use libtest_mimic::{Arguments, Trial};

use bench::As;

fn main() {
    // This program is also each of the processes that it starts.
    if let Some(status) = roles::play() {
        std::process::exit(i32::from(status));
    }
    let mut trials = Vec::new();
    for form in [As::Child, As::Init] {
        for (name, check) in deaths::CHECKS.iter().chain(deadlines::CHECKS).chain(passing::CHECKS) {
            trials.push(Trial::test(format!("{form}: {name}"), move || bench::tried(form, *check)));
        }
    }
    for (name, check) in deaths::OF_CHILDREN.iter().chain(terminal::CHECKS) {
        trials.push(Trial::test(format!("{}: {name}", As::Child), move || bench::tried(As::Child, *check)));
    }
    for (name, check) in outside::CHECKS.iter().chain(schedule::CHECKS) {
        trials.push(Trial::test(*name, move || check().map_err(Into::into)));
    }
    let mut arguments = Arguments::from_args();
    // What is measured here is measured on a machine that is not also busy with another dozen of these.
    arguments.test_threads = arguments.test_threads.or(Some(4));
    libtest_mimic::run(&arguments, trials).exit();
}
