//! An attack at a start of the replicas or during their run, and how each promise to another tenant fared meanwhile.
//!
//! An attack is played when the first trial asks for it; every trial is about one promise at one moment of an attack.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::attacks::Attack;
use super::eve::Eve;
use super::memory::Seen;
use super::promises::{Promise, Tenant, all_follow, is_silent};
use crate::common::workloads::both_ready;
use crate::lab::Lab;
use crate::lab::component::Signal;

/// When the attack meets the replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// They run, and hear of one change after the other.
    Run,
    /// All of it is there when they start.
    Start,
}

/// What is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    pub attack: Attack,
    pub moment: Moment,
}

/// What came of each promise: a figure, or what was seen instead.
type Outcome = BTreeMap<Promise, Result<String, String>>;

/// The moments of an attack.
type Played = [(Stage, Result<Outcome, String>); 2];

/// What has been played so far.
#[derive(Default)]
pub struct Stages(Mutex<Vec<(Attack, Result<Played, String>)>>);

impl Stage {
    /// How the trials call it.
    pub fn name(self) -> String {
        let moment = match self.moment {
            Moment::Run => "during a run",
            Moment::Start => "at a start",
        };
        format!("{}, {moment}", self.attack.name())
    }

    /// How long a promise may take.
    fn limit(self, promise: Promise) -> Duration {
        // At a start nobody is left who has read the half gigabyte before. A debug build reads a tenth as fast, what there is
        // at a start and the half gigabyte also during a run; `cargo test --release --test live -- tenants::` holds the promises as
        // they are written.
        let reads_long = self.attack == Attack::Weight && (self.moment == Moment::Start || cfg!(debug_assertions));
        Duration::from_secs(match (promise, self.moment) {
            (Promise::Companions | Promise::Marked | Promise::Replaced | Promise::Listed | Promise::MakesWay, _)
                if reads_long =>
            {
                60
            }
            (Promise::Replaced, Moment::Start) if cfg!(debug_assertions) => 30,
            (Promise::Companions | Promise::Marked, Moment::Start) if cfg!(debug_assertions) => 20,
            (Promise::Listed | Promise::MakesWay, Moment::Start) if cfg!(debug_assertions) => 10,
            (Promise::Companions | Promise::Marked, Moment::Start) => 10,
            (Promise::Replaced, _) => 15,
            (Promise::Listed | Promise::Scaled, _) => 2,
            (Promise::Proven | Promise::Followed, _) => 30,
            _ => 5,
        })
    }

    /// She writes all of it, and changes what is written while the promises are looked at.
    async fn during_a_run(
        self,
        lab: &Lab,
        tenant: &Tenant<'_>,
        eve: &Eve<'_>,
        is_written: &mut bool,
    ) -> Result<Outcome> {
        let attacked = async {
            let written = self.attack.write(eve).await;
            *is_written = written.is_ok();
            let written = written.context("eve writes")?;
            tokio::select! {
                kept = self.promises(lab, tenant) => Ok(kept),
                failed = self.attack.go_on(eve, &written) => {
                    Err(failed.err().unwrap_or_else(|| anyhow!("eve has ended")).context("eve goes on"))
                }
            }
        };
        let mut seen = Seen::default();
        let kept = seen.during(lab, Box::pin(attacked)).await??;
        Ok(self.outcome(lab, kept, &seen))
    }

    /// Every replica is killed, and finds all of it when it starts again.
    async fn at_a_start(self, lab: &Lab, tenant: &Tenant<'_>) -> Result<Outcome> {
        let before = lab.node().processes();
        for process in &before {
            lab.node().kill(&process.pod, Signal::Kill).await?;
        }
        while lab.node().processes().iter().any(|process| before.contains(process)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let starts = async {
            timeout(READY_WITHIN, both_ready(lab)).await.context("not ready a minute after a start")??;
            anyhow::Ok(self.promises(lab, tenant).await)
        };
        let mut seen = Seen::default();
        let kept = seen.during(lab, Box::pin(starts)).await?;
        let kept = kept.map_err(|error| error.context(format!("{:?}", seen.alive(lab))))?;
        Ok(self.outcome(lab, kept, &seen))
    }

    /// What came of it, with what is known of the processes.
    fn outcome(self, lab: &Lab, kept: Vec<(Promise, Result<Duration>)>, seen: &Seen) -> Outcome {
        let text = |error: anyhow::Error| format!("{error:#}");
        let kept = kept.into_iter().map(|(promise, took)| (promise, self.in_time(promise, took).map_err(text)));
        let mut outcome: Outcome = kept.collect();
        outcome.insert(Promise::Alive, seen.alive(lab).map(|()| String::new()).map_err(text));
        let peak = seen.peak();
        let lean = if peak <= LEAN { Ok(format!("{peak} MiB")) } else { Err(format!("{peak} MiB at the peak")) };
        outcome.insert(Promise::Lean, lean);
        outcome.insert(Promise::Silent, is_silent(lab).map(|()| String::new()).map_err(text));
        outcome
    }

    /// All at the same time.
    async fn promises(self, lab: &Lab, tenant: &Tenant<'_>) -> Vec<(Promise, Result<Duration>)> {
        let ((companions, listed), marked, replaced, drained, makes_way, scaled, proven) = tokio::join!(
            tenant.starts(),
            tenant.marks(),
            tenant.fails(),
            tenant.is_drained(),
            tenant.makes_a_budget(),
            tenant.scales(),
            tenant.is_proven()
        );
        vec![
            (Promise::Companions, companions),
            (Promise::Listed, listed),
            (Promise::Marked, marked),
            (Promise::Replaced, replaced),
            (Promise::Drained, drained),
            (Promise::MakesWay, makes_way),
            (Promise::Scaled, scaled),
            (Promise::Proven, proven),
            (Promise::Followed, all_follow(lab).await),
        ]
    }

    fn in_time(self, promise: Promise, took: Result<Duration>) -> Result<String> {
        let (took, limit) = (took?, self.limit(promise));
        ensure!(took <= limit, "it took {took:.1?}, and {limit:?} are promised");
        Ok(format!("{took:.1?}"))
    }
}

/// Both moments of an attack, one after the other: what is written for the run is there at the start.
async fn play(lab: &Lab, attack: Attack) -> Result<Played> {
    both_ready(lab).await?;
    let tenants = (Tenant::settle(lab).await?, Tenant::settle(lab).await?);
    let eve = Eve::new(lab).await?;
    let run = Stage { attack, moment: Moment::Run };
    let start = Stage { attack, moment: Moment::Start };
    let mut is_written = false;
    let ran = run.during_a_run(lab, &tenants.0, &eve, &mut is_written).await;
    let started = if is_written { start.at_a_start(lab, &tenants.1).await } else { Err(anyhow!("not all is written")) };
    let played = [(run, ran), (start, started)].map(|(stage, it)| (stage, it.map_err(|error| format!("{error:#}"))));
    eve.leave().await?;
    tenants.0.leave().await?;
    tenants.1.leave().await?;
    Ok(played)
}

impl Stages {
    /// What came of a promise in a stage. Its attack is played if it was not yet.
    pub async fn kept(&self, lab: &Lab, stage: Stage, promise: Promise) -> Result<()> {
        let mut played = self.0.lock().await;
        if !played.iter().any(|(attack, _)| *attack == stage.attack) {
            let outcomes = Box::pin(play(lab, stage.attack)).await.map_err(|error| format!("{error:#}"));
            played.push((stage.attack, outcomes));
        }
        let outcomes = played.iter().find(|(attack, _)| *attack == stage.attack).context("it was played")?;
        let outcomes = outcomes.1.as_ref().map_err(|error| anyhow!("the attack could not be played: {error}"))?;
        let (_, outcome) = outcomes.iter().find(|(known, _)| *known == stage).context("both moments are played")?;
        let outcome = outcome.as_ref().map_err(|error| anyhow!("the stage could not be played: {error}"))?;
        match outcome.get(&promise).context("a promise that nobody has looked at")? {
            Ok(figure) if figure.is_empty() => {}
            Ok(figure) => eprintln!("{}: {promise:?}: {figure}", stage.name()),
            Err(error) => bail!("{error}"),
        }
        Ok(())
    }
}

const READY_WITHIN: Duration = Duration::from_secs(60);
/// In MiB, with the chart's limit at 256.
const LEAN: u64 = 96;
