//! The companions' controller alone in a cluster: where something is wrong, killed at random points, and measured. No
//! webhook is installed here, so that no other replica helps or hinders; the controllers are processes of the test.

mod crowd;
mod disagree;
mod faults;
mod process;
mod storm;
mod together;

use anyhow::{Context as _, Result};
use tokio::runtime::Runtime;

use crate::common::binary::guard_binary;
use crate::harness::{Cluster, Group, Run};
use crate::lab::progress::Progress;
use crate::lab::stage::Entered;
use crate::lab::{Lab, Options};

/// One at a time: each disturbs the other, and all are long. The crowd comes last, because nobody clears it away.
pub fn group() -> Group<WithoutGuard> {
    let stories = [disagree::STORIES, faults::STORIES, together::STORIES, storm::STORIES, crowd::STORIES].concat();
    let test = |cluster: &WithoutGuard, run: Run| cluster.runtime.block_on(run(&cluster.lab));
    Group { name: "companions", side_by_side: 1, tests: stories.into_iter().map(|story| story.test(test)).collect() }
}

/// A lab without the guard, and the runtime that its parts run on.
pub struct WithoutGuard {
    runtime: Runtime,
    lab: Lab,
}

impl Cluster for WithoutGuard {
    fn boot(entered: Entered, progress: &Progress) -> Result<Self> {
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

    fn check(&self) -> Result<()> {
        self.runtime.block_on(self.lab.check())
    }

    fn shutdown(self) -> Result<()> {
        self.runtime.block_on(self.lab.shutdown())
    }
}
