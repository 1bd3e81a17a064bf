//! Controllers and real tools at work around singletons, with the guard installed from the chart: what takes more than a
//! request and its answer. Most run side by side with others; those that change what is installed run alone, afterwards.

mod alerts;
mod autoscalers;
mod bad_values;
mod becoming;
mod chart;
#[cfg(feature = "cli")]
mod check;
mod checkov;
mod companions;
pub mod configuration;
mod custom_kinds;
mod cut_off;
mod denials;
pub mod floor;
mod floor_cost;
mod freshness;
mod hatches;
mod modes;
mod operations;
mod outage;
mod queries;
mod quickstart;
mod recorded;
mod remedies;
mod scale_cost;
mod strict;
mod takeover;
mod tools;
mod warnings;
mod watched;

use crate::common::installed::{Guard, Installed, many_at_a_time};
use crate::harness::{Group, Story, late};

/// All of them are about the webhooks, but for those of the native floor.
pub fn group(guard: Guard) -> Group<Installed> {
    let stories = match guard {
        Guard::Webhook => of_the_webhooks(),
        Guard::Floor => [floor::STORIES, floor_cost::STORIES].concat(),
        Guard::None => Vec::new(),
    };
    let tests = stories.into_iter().map(|story| {
        if story.is_alone() {
            story.test(Installed::run_alone)
        } else {
            story.test(|installed: &Installed, run| {
                let lab = installed.lab();
                installed.block_on(late::run(lab, async || run(lab).await))
            })
        }
    });
    Group { name: "stories", side_by_side: many_at_a_time(), tests: tests.collect() }
}

fn of_the_webhooks() -> Vec<Story> {
    let rooms = [
        // Its story is the first of those that run alone: what restarted processes have counted is gone.
        watched::STORIES,
        tools::STORIES,
        autoscalers::STORIES,
        quickstart::STORIES,
        becoming::STORIES,
        remedies::STORIES,
        warnings::STORIES,
        recorded::STORIES,
        alerts::STORIES,
        #[cfg(feature = "cli")]
        check::STORIES,
        checkov::STORIES,
        hatches::STORIES,
        bad_values::STORIES,
        configuration::STORIES,
        denials::STORIES,
        operations::STORIES,
        outage::STORIES,
        cut_off::STORIES,
        custom_kinds::STORIES,
        freshness::STORIES,
        modes::STORIES,
        chart::STORIES,
        takeover::STORIES,
        scale_cost::STORIES,
    ];
    [companions::stories(), strict::stories(), rooms.concat()].concat()
}
