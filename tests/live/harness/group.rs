//! A group of live tests, which share one cluster. They are known by name before there is one, so that a list has all of
//! them, and a filter that leaves any of them boots it.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use libtest_mimic::{Arguments, Conclusion, Trial};

use super::left_out;
use crate::lab::progress::Progress;
use crate::lab::stage::Entered;

/// What the tests of a group need, from the first to the last.
pub trait Cluster: Sized + Send + Sync + 'static {
    fn boot(entered: Entered, progress: &Progress) -> Result<Self>;

    /// Looked at before each test: where the lab has died, those that are left fail at once.
    fn check(&self) -> Result<()>;

    fn shutdown(self) -> Result<()>;
}

/// One test, by its name within the group.
pub struct Test<C> {
    pub name: String,
    /// It is run by itself, after those that are run side by side.
    pub is_alone: bool,
    /// It is only run where `--ignored` asks for it.
    pub is_ignored: bool,
    /// Builds what it needs, where there is a network. What goes wrong is said by the test.
    pub prepare: Option<fn(&Progress)>,
    pub run: Body<C>,
}

type Body<C> = Box<dyn FnOnce(&C) -> Result<()> + Send>;

impl<C> Test<C> {
    pub fn new(name: impl Into<String>, run: impl FnOnce(&C) -> Result<()> + Send + 'static) -> Self {
        Self { name: name.into(), is_alone: false, is_ignored: false, prepare: None, run: Box::new(run) }
    }
}

/// Tests in the order in which they are run.
pub struct Group<C> {
    pub name: &'static str,
    /// How many are run side by side, unless `--test-threads` says it.
    pub side_by_side: usize,
    pub tests: Vec<Test<C>>,
}

/// A group, whatever its cluster is.
pub trait Playable {
    fn name(&self) -> &'static str;

    /// Its tests as they are known without a cluster. They fail if they are run.
    fn stubs(&self) -> Vec<Trial>;

    /// Builds what the wanted ones need.
    fn prepare(&self, arguments: &Arguments, progress: &Progress);

    /// Boots the cluster, runs the tests, and ends it.
    fn play(self: Box<Self>, arguments: Arguments, entered: Entered, progress: &Progress) -> ExitCode;
}

impl<C: Cluster> Group<C> {
    fn stub(&self, test: &Test<C>) -> Trial {
        left_out::stub(format!("{}::{}", self.name, test.name)).with_ignored_flag(test.is_ignored)
    }

    fn run(self, mut arguments: Arguments, cluster: &Arc<C>) -> Conclusion {
        let any_alone =
            self.tests.iter().any(|test| test.is_alone && left_out::any_wanted(&arguments, &[self.stub(test)]));
        let (alone, beside): (Vec<_>, Vec<_>) = self.tests.into_iter().partition(|test| test.is_alone);
        let trials = |tests: Vec<Test<C>>| -> Vec<Trial> {
            tests.into_iter().map(|test| trial(self.name, test, cluster)).collect()
        };
        arguments.test_threads.get_or_insert(self.side_by_side);
        let conclusion = libtest_mimic::run(&arguments, trials(beside));
        if !any_alone {
            return conclusion;
        }
        if conclusion.has_failed() {
            eprintln!("those that need the cluster for themselves are not run, because others have failed");
            return conclusion;
        }
        arguments.test_threads = Some(1);
        libtest_mimic::run(&arguments, trials(alone))
    }
}

fn trial<C: Cluster>(group: &str, test: Test<C>, cluster: &Arc<C>) -> Trial {
    let (cluster, run) = (Arc::clone(cluster), test.run);
    Trial::ignorable_test(format!("{group}::{}", test.name), move || {
        left_out::concluded(cluster.check().and_then(|()| run(&cluster)))
    })
    .with_ignored_flag(test.is_ignored)
}

impl<C: Cluster> Playable for Group<C> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn stubs(&self) -> Vec<Trial> {
        self.tests.iter().map(|test| self.stub(test)).collect()
    }

    fn prepare(&self, arguments: &Arguments, progress: &Progress) {
        for test in &self.tests {
            if let Some(prepare) = test.prepare.filter(|_| left_out::any_wanted(arguments, &[self.stub(test)])) {
                prepare(progress);
            }
        }
    }

    fn play(self: Box<Self>, arguments: Arguments, entered: Entered, progress: &Progress) -> ExitCode {
        let cluster = match C::boot(entered, progress) {
            Ok(cluster) => Arc::new(cluster),
            Err(error) => {
                let boots = format!("{}: its cluster boots", self.name);
                let said = Err(format!("{error:#}").into());
                return left_out::conclude(arguments, &boots, said).exit_code();
            }
        };
        let conclusion = self.run(arguments, &cluster);
        match Arc::into_inner(cluster).map(C::shutdown) {
            Some(Err(error)) => {
                eprintln!("the lab did not end well: {error:#}");
                ExitCode::FAILURE
            }
            _ => conclusion.exit_code(),
        }
    }
}
