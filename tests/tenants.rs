//! What a tenant writes costs nobody else anything: a user with the ClusterRole `edit` in one namespace of a real cluster
//! attacks the guard, and what the documentation promises to the others is measured meanwhile.
//!
//! ```text
//! cargo test --test tenants                                    all attacks at once, at a start and during a run
//! LONG=1 cargo test --test tenants -- "poison in a Service"    also each form and each kind alone, and thousands of singletons
//! ```
//!
//! Each trial is one promise at one moment of an attack; an attack is played once, for the first of its trials.

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
mod spec {
    pub mod api;
    pub mod binary;
    pub mod case;
    pub mod companions_place;
    pub mod configuration_live;
    pub mod in_lab;
    pub mod installed;
    pub mod left_out;
    pub mod live;
    pub mod workloads;
}
#[path = "live/drills"]
mod drill {
    pub mod listed;
}
#[path = "live/tenants"]
mod tenant {
    pub mod amplified;
    pub mod attacks;
    pub mod eve;
    pub mod memory;
    pub mod poison;
    pub mod promises;
    pub mod restored;
    pub mod stages;
}

use std::process::ExitCode;
use std::sync::Arc;

use lab::progress::Progress;
use libtest_mimic::{Arguments, Trial};
use spec::installed::Installed;
use spec::{in_lab, left_out};
use tenant::attacks::Attack;
use tenant::poison::{CARRIERS, FORMS};
use tenant::promises::PROMISES;
use tenant::stages::{Moment, Stage, Stages};
use tenant::{amplified, restored};

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each needs the guard for itself.
    arguments.test_threads = Some(1);
    let stubs = trials(None);
    if arguments.list || !left_out::any_wanted(&arguments, &stubs) {
        return libtest_mimic::run(&arguments, stubs).exit_code();
    }
    let progress = Progress::to_stderr();
    in_lab::run(arguments, ("the attack from a namespace", Vec::new()), &progress, |arguments, _, installed| {
        libtest_mimic::run(&arguments, trials(Some(installed)))
    })
}

/// In the order in which they are played. Without a lab they can only be listed and matched.
fn trials(installed: Option<&Arc<Installed>>) -> Vec<Trial> {
    let stages = Arc::new(Stages::default());
    let mut trials = Vec::new();
    for (stage, is_wanted) in stages_of_all() {
        for (promise, sentence) in PROMISES {
            let stages = Arc::clone(&stages);
            let kept = move |installed: &Installed| installed.block_on(stages.kept(installed.lab(), stage, promise));
            let name = format!("{}: {sentence}", stage.name());
            trials.push(trial(name, installed, kept).with_ignored_flag(!is_wanted));
        }
    }
    trials.push(trial("one budget for everything costs a write or two for each singleton", installed, |installed| {
        installed.block_on(amplified::a_budget_for_everything(installed.lab()))
    }));
    // The last: it takes everything back.
    trials.push(trial("after a restore of etcd every watch hears of what is made", installed, |installed| {
        installed.block_on(Box::pin(restored::what_comes_later_is_heard_of(installed.lab())))
    }));
    trials
}

fn trial(
    name: impl Into<String>,
    installed: Option<&Arc<Installed>>,
    kept: impl FnOnce(&Installed) -> anyhow::Result<()> + Send + 'static,
) -> Trial {
    let Some(installed) = installed.cloned() else { return left_out::stub(name) };
    Trial::test(name, move || kept(&installed).map_err(|error| format!("{error:#}").into()))
}

/// Each with whether it is wanted without being asked for.
fn stages_of_all() -> Vec<(Stage, bool)> {
    let both = |attack| [Moment::Run, Moment::Start].map(|moment| Stage { attack, moment });
    let short = [Attack::All, Attack::Weight, Attack::Crowd].into_iter().flat_map(both);
    let alone = FORMS.into_iter().map(Attack::OfForm).chain(CARRIERS.into_iter().map(Attack::In));
    let long = alone.chain([Attack::Singletons]).flat_map(both);
    short.map(|stage| (stage, true)).chain(long.map(|stage| (stage, is_long()))).collect()
}

/// Whether the long forms are asked for.
#[must_use]
pub fn is_long() -> bool {
    std::env::var_os("LONG").is_some_and(|value| value == "1")
}
