//! The live tests of the specification, known by name before there is a lab: a list has all of them, and a filter that
//! leaves any of them boots one.

use std::sync::Arc;

use anyhow::{Result, bail};
use libtest_mimic::Trial;

use super::case::{Case, Verdict};
use super::installed::Installed;
use super::live::Guard;
use super::{
    becoming, companions_stories, configuration_live, floor_cost, floor_live, late, left_out, live, remedies,
    scale_cost, strict_becoming, strict_figures, strict_held_up, strict_live, strict_nodes, workloads,
};
use crate::{ALONE, LiveTest, STORIES};

/// One of them.
pub struct LiveTrial {
    name: String,
    /// It needs the guard for itself.
    pub is_alone: bool,
    /// It measures, and fails by no bound: only run where `--ignored` asks for it.
    is_measurement: bool,
    run: Run,
}

type Run = Box<dyn FnOnce(&Installed) -> Result<()> + Send>;

impl LiveTrial {
    /// As it is known without a lab.
    pub fn stub(&self) -> Trial {
        left_out::stub(&self.name).with_ignored_flag(self.is_measurement)
    }

    /// As it is run.
    pub fn trial(self, installed: &Arc<Installed>) -> Trial {
        let (installed, run) = (Arc::clone(installed), self.run);
        Trial::ignorable_test(self.name, move || left_out::concluded(run(&installed)))
            .with_ignored_flag(self.is_measurement)
    }

    fn of_case(case: Case) -> Self {
        Self::new(&case.name.clone(), move |installed| {
            let guard = installed.guard();
            let must_fail = match guard {
                Guard::Webhook => None,
                Guard::Floor => floor_live::why_it_is_not_held(&case.name),
                Guard::None => {
                    let refuses = case.steps.iter().any(|step| step.decision == Some(Verdict::Deny));
                    refuses.then_some("there is no guard: it cannot fail")
                }
            };
            let lab = installed.lab();
            match (installed.block_on(late::run(lab, async || live::run(lab, guard, &case).await)), must_fail) {
                (Ok(()), None) | (Err(_), Some(_)) => Ok(()),
                (Ok(()), Some(why)) => bail!("it passes, although {why}"),
                (Err(error), None) => Err(error),
            }
        })
    }

    /// A case that asks for a configuration of its own; those that ask for the same follow each other.
    fn of_configured(case: Case) -> Self {
        let trial = Self::new(&case.name.clone(), move |installed| {
            let lab = installed.lab();
            installed.block_on(async {
                workloads::both_ready(lab).await?;
                configuration_live::run(lab, &case).await
            })
        });
        Self { is_alone: true, ..trial }
    }

    fn of_story(name: &str, test: LiveTest) -> Self {
        Self::new(name, move |installed| {
            let lab = installed.lab();
            installed.block_on(late::run(lab, async || test(lab).await))
        })
    }

    /// It finds both replicas at rest, whatever the one before has done to them.
    fn alone(name: &str, test: LiveTest) -> Self {
        let trial = Self::new(name, move |installed| {
            let lab = installed.lab();
            installed.block_on(async {
                workloads::both_ready(lab).await?;
                test(lab).await
            })
        });
        Self { is_alone: true, ..trial }
    }

    fn measurement(name: &str, test: LiveTest) -> Self {
        Self { is_measurement: true, ..Self::alone(name, test) }
    }

    fn new(name: &str, run: impl FnOnce(&Installed) -> Result<()> + Send + 'static) -> Self {
        Self { name: format!("live::{name}"), is_alone: false, is_measurement: false, run: Box::new(run) }
    }
}

/// All of them where this guards the lab, in the order in which they are run.
pub fn all(cases: &[Case], guard: Guard) -> Vec<LiveTrial> {
    let (configured, cases): (Vec<_>, Vec<_>) = cases.iter().cloned().partition(|case| case.configuration.is_some());
    let mut trials: Vec<_> = cases.into_iter().map(LiveTrial::of_case).collect();
    match guard {
        Guard::None => {}
        Guard::Floor => {
            let figures = LiveTrial::measurement("floor::figures", |lab| Box::pin(floor_cost::a_call_of_scale(lab)));
            trials.push(figures);
            trials.extend(floor_live::ALONE.into_iter().map(|(name, test)| LiveTrial::alone(name, test)));
        }
        Guard::Webhook => {
            let of_companions = |(name, test)| LiveTrial::of_story(&format!("companions/{name}"), test);
            trials.extend(companions_stories::COMPANIONS.into_iter().map(of_companions));
            let strict = [
                &strict_nodes::STORIES[..],
                &strict_held_up::STORIES,
                &strict_becoming::STORIES,
                &strict_live::STORIES,
            ];
            let more = becoming::STORIES.into_iter().chain(remedies::STORIES);
            let stories = strict.concat().into_iter().chain(more).chain(STORIES);
            trials.extend(stories.map(|(name, test)| LiveTrial::of_story(name, test)));
            trials.push(LiveTrial::measurement("strict::figures", |lab| Box::pin(strict_figures::measure(lab))));
            trials.push(LiveTrial::measurement("scale::figures", |lab| Box::pin(scale_cost::what_is_added(lab))));
            trials.extend(configured.into_iter().map(LiveTrial::of_configured));
            let more = ALONE.into_iter().chain(strict_nodes::ALONE);
            trials.extend(more.map(|(name, test)| LiveTrial::alone(name, test)));
        }
    }
    trials
}
