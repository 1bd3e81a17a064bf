//! The drills: what a cluster goes through while replicas die, hang, restart and are replaced, with the guard installed
//! from the chart. `LONG=1` runs each for as long as it takes to believe it, and prints its figures.

mod accelerated_life;
mod cert_manager;
mod crowd;
mod drains;
mod handshakes;
mod hang;
mod kills;
pub mod listed;
mod lists;
mod load;
mod names;
mod outage;
mod upgrades;

use crate::common::installed::Installed;
use crate::harness::Group;

/// One at a time: each needs the guard for itself.
pub fn group() -> Group<Installed> {
    let stories = [
        lists::STORIES,
        kills::STORIES,
        outage::STORIES,
        upgrades::STORIES,
        names::STORIES,
        drains::STORIES,
        accelerated_life::STORIES,
        cert_manager::STORIES,
    ];
    let tests = stories.concat().into_iter().map(|story| story.test(Installed::run_alone));
    Group { name: "drills", side_by_side: 1, tests: tests.collect() }
}
