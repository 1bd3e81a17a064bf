//! The companions' controller alone in a cluster: where something is wrong, killed at random points, and measured. No
//! webhook is installed here, so that no other replica helps or hinders; the controllers are processes of the test.
//!
//! `-- --ignored` measures instead, with a thousand singletons and in a large cluster; `BINARY=FILE` tries that program, as
//! the static one of a release.

#![allow(
    unreachable_pub,
    missing_docs,
    dead_code,
    reason = "it shares its rooms with the specification, and uses a part"
)]
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
#[path = "live/companions"]
mod companions {
    pub mod crowd;
    pub mod disagree;
    pub mod faults;
    pub mod process;
    pub mod storm;
    pub mod together;
}
mod spec {
    pub mod api;
    pub mod before;
    pub mod binary;
    pub mod case;
    pub mod companions_place;
    pub mod in_lab;
    pub mod left_out;
    pub mod live;
}

use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use companions::{crowd, disagree, faults, storm, together};
use lab::progress::Progress;
use lab::stage::Entered;
use lab::{Lab, Options};
use libtest_mimic::{Arguments, Trial};
use spec::binary::guard_binary;
use spec::in_lab::{self, Booted};
use spec::{before, left_out};
use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each disturbs the other, and both are long.
    arguments.test_threads = Some(1);
    let measured = MEASUREMENTS.map(|(name, _)| left_out::stub(name).with_ignored_flag(true));
    let stubs: Vec<_> = STORIES
        .into_iter()
        .map(|(name, _)| left_out::stub(name))
        .chain([left_out::stub(OF_BEFORE)])
        .chain(measured)
        .collect();
    if arguments.list || !left_out::any_wanted(&arguments, &stubs) {
        return libtest_mimic::run(&arguments, stubs).exit_code();
    }
    let progress = Progress::to_stderr();
    // Its crates may have to be fetched, and the network is out of reach after that.
    let wanted = left_out::any_wanted(&arguments, &[left_out::stub(OF_BEFORE)]);
    let before = wanted.then(|| before::program(&progress, before::Profile::Dev));
    in_lab::run(arguments, ("the companions' live part", Vec::new()), &progress, |arguments, _, alone| {
        let mut trials: Vec<_> = STORIES.into_iter().map(|(name, story)| trial(name, alone, story)).collect();
        trials.splice(0..0, before.map(|before| of_before(before, alone)));
        trials.extend(MEASUREMENTS.map(|(name, story)| trial(name, alone, story).with_ignored_flag(true)));
        libtest_mimic::run(&arguments, trials)
    })
}

type Story = for<'a> fn(&'a Lab) -> Pin<Box<dyn Future<Output = anyhow::Result<()>> + 'a>>;

/// A lab without the guard, and the runtime that its parts run on.
struct Alone {
    runtime: Runtime,
    lab: Lab,
}

impl Booted for Alone {
    const BOOTS: &'static str = "the lab boots";

    fn boot(entered: Entered, progress: &Progress) -> anyhow::Result<Self> {
        let runtime = Runtime::new().context("starting a runtime")?;
        let options = Options {
            guard_binary: guard_binary(),
            image: "registry.example/nobody:none".to_owned(),
            progress: progress.clone(),
            nodes: &[],
            // A million workloads are more than etcd holds otherwise.
            flags: |program| if program == "etcd" { &["--quota-backend-bytes=8589934592"] } else { &[] },
        };
        let lab = runtime.block_on(Lab::boot(entered, options))?;
        Ok(Self { runtime, lab })
    }

    fn shutdown(self) -> anyhow::Result<()> {
        self.runtime.block_on(self.lab.shutdown())
    }
}

fn trial(name: &str, alone: &Arc<Alone>, story: Story) -> Trial {
    let alone = Arc::clone(alone);
    Trial::test(name, move || alone.runtime.block_on(story(&alone.lab)).map_err(|error| format!("{error:#}").into()))
}

/// The one that needs the program of before.
fn of_before(before: Result<PathBuf, String>, alone: &Arc<Alone>) -> Trial {
    let alone = Arc::clone(alone);
    match before {
        Ok(before) => Trial::test(OF_BEFORE, move || {
            let story = disagree::by_configuration_and_version(&alone.lab, &before);
            alone.runtime.block_on(story).map_err(|error| format!("{error:#}").into())
        }),
        Err(reason) => Trial::ignorable_test(OF_BEFORE, move || left_out::left_out(&reason)),
    }
}

const OF_BEFORE: &str = "replicas of two configurations and versions write seldom";

const STORIES: [(&str, Story); 14] = [
    ("a missing right is said once", |lab| Box::pin(faults::a_missing_right_is_said_once(lab))),
    ("without a watch nothing is made", |lab| Box::pin(faults::without_a_watch_nothing_is_made(lab))),
    ("a namespace that goes is left alone", |lab| Box::pin(faults::a_namespace_that_goes_is_left_alone(lab))),
    ("a field that somebody took stays theirs", |lab| Box::pin(faults::a_field_that_somebody_took_stays_theirs(lab))),
    ("a singleton above one is said", |lab| Box::pin(faults::a_singleton_above_one_is_said(lab))),
    ("a refusal is no missing right", |lab| Box::pin(faults::a_refusal_is_no_missing_right(lab))),
    ("in doubt the stamp and the budget stay", |lab| Box::pin(faults::in_doubt_the_stamp_and_the_budget_stay(lab))),
    ("two budgets for one Pod do not last", |lab| Box::pin(together::interleavings(lab))),
    ("two guards leave each other alone", |lab| Box::pin(together::two_guards_leave_each_other_alone(lab))),
    ("windows close whatever the clocks say", |lab| Box::pin(disagree::by_clock(lab))),
    ("a budget for many costs little", |lab| Box::pin(storm::one_budget_for_many(lab))),
    ("an open window of consent is counted", |lab| Box::pin(together::an_open_window_is_counted(lab))),
    ("switched off it does nothing", |lab| Box::pin(faults::switched_off_it_does_nothing(lab))),
    ("a controller that is killed at random points ends where it should", |lab| Box::pin(storm::killed(lab))),
];

/// Only run where `--ignored` asks for them.
const MEASUREMENTS: [(&str, Story); 2] = [
    ("figures", |lab| Box::pin(storm::figures(lab))),
    // The last: nobody clears it away.
    ("in a crowd", |lab| Box::pin(crowd::figures(lab))),
];
