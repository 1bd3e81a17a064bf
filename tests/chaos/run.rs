//! The cluster of the chaos, and its forms: two minutes, or as long as it takes to believe it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use kube::Client;
use tokio::runtime::Runtime;

use super::contrast::{overlaps_without_strict, overlaps_without_the_guard_on_forced_deletions};
use super::living::Living;
use super::rival::Rival;
use super::seed::{Figures, Stage};
use super::watching::Watching;
use crate::lab::component::Component;
use crate::lab::progress::Progress;
use crate::lab::stage::Entered;
use crate::lab::{Lab, Options};
use crate::spec::installed::{NAMESPACE, RELEASE, chart, values};

/// A lab with the guard, nodes for the singletons, and a second API server that nobody harms: the checker looks through
/// it, because one that was killed has forgotten what came before.
pub struct Run {
    runtime: Runtime,
    lab: Lab,
    second: (Component, Client),
    watching: Watching,
    rival: Rival,
    seed: u64,
}

/// What there is to play.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    Chaos,
    WithoutStrict,
    WithoutTheGuard,
}

/// In order: the last one changes what is installed.
pub const LIVE: [(&str, Part); 3] = [
    ("live: in all chaos one Pod and one process, and afterwards each is there", Part::Chaos),
    ("live: with the mark true the checker finds two Pods", Part::WithoutStrict),
    ("live: without the guard on forced deletions the checker finds two processes", Part::WithoutTheGuard),
];

impl Run {
    /// Boots it all, and begins to watch.
    pub fn boot(entered: Entered, progress: &Progress) -> Result<Self> {
        let seed = match std::env::var("SEED") {
            Ok(seed) => seed.parse().context("SEED is not a number")?,
            Err(_) => fastrand::u64(..100_000),
        };
        eprintln!("SEED={seed} chooses the same steps again");
        let runtime = Runtime::new().context("starting a runtime")?;
        let options = Options {
            guard_binary: env!("CARGO_BIN_EXE_singleton-guard").into(),
            image: IMAGE.to_owned(),
            progress: progress.clone(),
            nodes: &["node-a", "node-b", "node-c"],
            flags,
        };
        let (lab, second, watching, rival) = runtime.block_on(async {
            let lab = Lab::boot(entered, options).await?;
            let second = lab.another_api_server().await?;
            progress.step("a second API server is ready");
            lab.install_chart(&chart(), RELEASE, NAMESPACE, &values()).await?;
            progress.step("the chart is installed");
            let watching = Watching::start(second.1.clone(), "chaos-").await?;
            let rival = Rival::install(&lab, seed).await?;
            anyhow::Ok((lab, second, watching, rival))
        })?;
        Ok(Self { runtime, lab, second, watching, rival, seed })
    }

    /// Plays a part.
    pub fn play(&self, part: Part) -> Result<()> {
        let play = async {
            let living = Living::start(&self.lab);
            let stage = Stage {
                lab: &self.lab,
                // The one that is harmed, and the one that is not.
                clients: [self.second.1.clone(), self.lab.client()],
                watching: &self.watching,
                living: &living,
                rival: &self.rival,
            };
            match part {
                Part::Chaos => self.seeds(&stage).await,
                Part::WithoutStrict => overlaps_without_strict(&stage, self.seed).await,
                Part::WithoutTheGuard => overlaps_without_the_guard_on_forced_deletions(&stage, self.seed).await,
            }
        };
        self.runtime.block_on(play).with_context(|| format!("SEED={}", self.seed))
    }

    async fn seeds(&self, stage: &Stage<'_>) -> Result<()> {
        let started = Instant::now();
        let (mut seeds, mut creations, mut faults) = (0, 0, 0);
        let form = Form::wanted()?;
        while form.goes_on(seeds, started.elapsed()) {
            let seed = self.seed + seeds;
            let began = Instant::now();
            let figures =
                stage.play(seed, form.span(), form.nodes_die()).await.with_context(|| format!("seed {seed}"))?;
            tell(seed, began.elapsed(), &figures);
            (seeds, creations, faults) = (seeds + 1, creations + figures.creations, faults + figures.faults());
        }
        eprintln!(
            "{seeds} seeds in {:.0?}: {creations} Pods created, {faults} faults, 0 violations",
            started.elapsed()
        );
        // Or it was no chaos; little on a busy machine.
        ensure!(creations >= 50 && faults >= 12, "too little has happened");
        Ok(())
    }

    pub fn shutdown(self) -> Result<()> {
        let Self { runtime, lab, mut second, watching, rival, .. } = self;
        runtime.block_on(async {
            drop((watching, rival));
            second.0.stop(Duration::from_secs(2)).await?;
            lab.shutdown().await
        })
    }
}

fn tell(seed: u64, took: Duration, figures: &Figures) {
    let Figures { creations, processes, steps, faults, settled } = figures;
    let kinds: Vec<_> = faults.iter().map(|(what, times)| format!("{times} {what}")).collect();
    eprintln!(
        "seed {seed}: {creations} Pods created, {processes} processes, {steps} steps, {} faults, 0 violations in \
         {took:.0?}; all there {settled:.1?} after the repair ({})",
        figures.faults(),
        kinds.join(", "),
    );
}

/// For how long.
enum Form {
    Short,
    Seeds(u64),
    Minutes(u64),
}

impl Form {
    fn wanted() -> Result<Self> {
        Ok(match std::env::var("LONG").as_deref() {
            Err(_) => Self::Short,
            Ok("1") => Self::Seeds(SEEDS),
            Ok(minutes) => Self::Minutes(minutes.parse().context("LONG is neither 1 nor a number of minutes")?),
        })
    }

    fn goes_on(&self, seeds: u64, elapsed: Duration) -> bool {
        match self {
            Self::Short => seeds == 0,
            Self::Seeds(wanted) => seeds < *wanted,
            Self::Minutes(minutes) => elapsed < Duration::from_secs(60 * minutes),
        }
    }

    /// A node that is declared dead comes back after more than a minute.
    fn nodes_die(&self) -> bool {
        !matches!(self, Self::Short)
    }

    fn span(&self) -> Duration {
        Duration::from_secs(if matches!(self, Self::Short) { 45 } else { 150 })
    }
}

/// What an hour of it needs: nobody reads the audit log here, an hour of Events is more than etcd holds, and with the
/// default number of workers most of the time would be spent waiting for a controller.
fn flags(program: &str) -> &'static [&'static str] {
    match program {
        "etcd" => &["--quota-backend-bytes=8589934592"],
        "kube-apiserver" => &["--audit-log-path=", "--audit-policy-file=", "--event-ttl=5m"],
        "kube-controller-manager" => &[
            "--concurrent-deployment-syncs=20",
            "--concurrent-rc-syncs=20",
            "--concurrent-replicaset-syncs=20",
            "--concurrent-statefulset-syncs=20",
        ],
        _ => &[],
    }
}

const SEEDS: u64 = 20;
const IMAGE: &str = "registry.example/singleton-guard:test";
