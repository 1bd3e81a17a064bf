//! What a tenant writes costs nobody else anything: a user with the ClusterRole `edit` in one namespace of a real cluster
//! attacks the guard, and what the documentation promises to the others is measured meanwhile.
//!
//! Each test is one promise at one moment of an attack; an attack is played once, for the first of its tests. By default
//! all attacks are played at once. `LONG=1` plays also each form and each kind alone, and thousands of singletons:
//! `LONG=1 cargo test --test live -- "poison in a Service"`.

mod amplified;
mod attacks;
mod eve;
mod memory;
mod poison;
mod promises;
mod restored;
mod stages;

use std::sync::Arc;

use attacks::Attack;
use poison::{CARRIERS, FORMS};
use promises::PROMISES;
use stages::{Moment, Stage, Stages};

use crate::common::installed::Installed;
use crate::harness::{Group, Run, Test, is_long};

/// One at a time, in the order in which they are played: each needs the guard for itself.
pub fn group() -> Group<Installed> {
    let stages = Arc::new(Stages::default());
    let mut tests = Vec::new();
    for (stage, is_wanted) in stages_of_all() {
        for (promise, sentence) in PROMISES {
            let stages = Arc::clone(&stages);
            let kept = move |installed: &Installed| installed.block_on(stages.kept(installed.lab(), stage, promise));
            let test = Test::new(format!("{}: {sentence}", stage.name()), kept);
            tests.push(Test { is_ignored: !is_wanted, ..test });
        }
    }
    // The last takes everything back.
    let stories = [amplified::STORIES, restored::STORIES].concat();
    let play = |installed: &Installed, run: Run| installed.block_on(run(installed.lab()));
    tests.extend(stories.into_iter().map(|story| story.test(play)));
    Group { name: "tenants", side_by_side: 1, tests }
}

/// Each with whether it is wanted without being asked for.
fn stages_of_all() -> Vec<(Stage, bool)> {
    let both = |attack| [Moment::Run, Moment::Start].map(|moment| Stage { attack, moment });
    let short = [Attack::All, Attack::Weight, Attack::Crowd].into_iter().flat_map(both);
    let alone = FORMS.into_iter().map(Attack::OfForm).chain(CARRIERS.into_iter().map(Attack::In));
    let long = alone.chain([Attack::Singletons]).flat_map(both);
    short.map(|stage| (stage, true)).chain(long.map(|stage| (stage, is_long()))).collect()
}
