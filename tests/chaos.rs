//! Chaos: strict singletons on a live control plane while people, controllers, replicas of ours, components and nodes do
//! whatever they can, and two checkers that nothing escapes.
//!
//! One counts the Pods of each singleton at every revision, the other the processes of each on the nodes. People delete,
//! evict, force, roll out, scale, relabel, release and squat, through two API servers; components and replicas of ours
//! are killed and stopped, quotas flipped, three of ten Pods refused by somebody else's webhook, nodes silent or declared
//! dead. Not among it: forced evictions, whose limit `docs/guarantees.md` names; and etcd, of which there is one.
//!
//! `SEED=n` chooses the same steps again. `LONG=1 cargo test --test chaos -- --nocapture` takes twice as many
//! singletons, declares nodes dead, and goes on until it has had 20 seeds, 100 000 Pods and 10 000 faults: about an
//! hour and a half on two cores. `LONG=30` goes through as many seeds as thirty minutes hold. `BINARY` is the program
//! that our replicas run, such as a release build. What it costs is the API server's time: `GOGC=800`, a `TMPDIR` in
//! memory, `GOMEMLIMIT=5GiB`, and the nodes and checkers of this program built with `--release` give it more.

#![allow(unreachable_pub, missing_docs, dead_code, reason = "one program that shares rooms with the specification")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::too_many_lines,
    reason = "a test that meets the unexpected has failed"
)]

#[path = "lab/mod.rs"]
mod lab;
#[path = "spec"]
mod spec {
    pub mod api;
    pub mod binary;
    pub mod case;
    pub mod https;
    pub mod in_lab;
    pub mod installed;
    pub mod left_out;
    pub mod live;
    pub mod workloads;
}
#[path = "live/chaos"]
mod chaos {
    pub mod contrast;
    pub mod count;
    pub mod faults;
    pub mod form;
    pub mod histories;
    pub mod living;
    pub mod processes;
    pub mod revisions;
    pub mod rival;
    pub mod run;
    pub mod seed;
    pub mod steps;
    pub mod watching;
    pub mod workloads;
}

use std::process::ExitCode;
use std::sync::Arc;

use chaos::histories::HISTORIES;
use chaos::run::{LIVE, Run};
use lab::progress::Progress;
use libtest_mimic::{Arguments, Trial};
use spec::{in_lab, left_out};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One cluster, and one thing at a time in it.
    arguments.test_threads = Some(1);
    let mut trials = histories();
    let stubs = LIVE.map(|(name, _)| left_out::stub(name));
    if arguments.list || !left_out::any_wanted(&arguments, &stubs) {
        trials.extend(stubs);
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let progress = Progress::to_stderr();
    in_lab::run(arguments, ("the chaos", trials), &progress, |arguments, mut trials, run: &Arc<Run>| {
        for (name, part) in LIVE {
            let run = Arc::clone(run);
            trials.push(Trial::test(name, move || {
                run.play(part).map_err(|error| {
                    // Said at once: the summary comes minutes later.
                    eprintln!("{name}: {error:#}");
                    format!("{error:#}").into()
                })
            }));
        }
        libtest_mimic::run(&arguments, trials)
    })
}

fn histories() -> Vec<Trial> {
    let trial = |(name, history): (&str, chaos::histories::History)| {
        Trial::test(name, move || history().map_err(|error| format!("{error:#}").into()))
    };
    HISTORIES.into_iter().map(trial).collect()
}
