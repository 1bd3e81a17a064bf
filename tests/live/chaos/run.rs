//! The cluster of the chaos, and what is played on it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use kube::Client;
use serde_json::json;
use tokio::runtime::Runtime;

use super::contrast::{overlaps_without_strict, overlaps_without_the_guard_on_forced_deletions};
use super::form::{Form, Sum};
use super::living::Living;
use super::rival::Rival;
use super::seed::{Figures, Stage};
use super::watching::Watching;
use crate::common::binary::guard_binary;
use crate::common::installed::{NAMESPACE, RELEASE, chart, values};
use crate::harness::Cluster;
use crate::lab::component::Component;
use crate::lab::progress::Progress;
use crate::lab::stage::Entered;
use crate::lab::{Lab, Options};

/// A lab with the guard, nodes for the singletons, and a second API server that nobody harms: the checker looks through
/// it, because one that was killed has forgotten what came before.
pub struct Run {
    runtime: Runtime,
    lab: Lab,
    second: (Component, Client),
    watching: Watching,
    rival: Rival,
    seed: u64,
    form: Form,
}

/// What there is to play.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    Chaos,
    WithoutStrict,
    WithoutTheGuard,
}

/// In order: the last one changes what is installed.
pub const PARTS: [(&str, Part); 3] = [
    ("in all chaos one Pod and one process, and afterwards each is there", Part::Chaos),
    ("with the mark true the checker finds two Pods", Part::WithoutStrict),
    ("without the guard on forced deletions the checker finds two processes", Part::WithoutTheGuard),
];

impl Cluster for Run {
    /// Boots it all, and begins to watch.
    fn boot(entered: Entered, progress: &Progress) -> Result<Self> {
        let seed = match std::env::var("SEED") {
            Ok(seed) => seed.parse().context("SEED is not a number")?,
            Err(_) => fastrand::u64(..100_000),
        };
        eprintln!("SEED={seed} chooses the same steps again");
        let form = Form::wanted()?;
        let runtime = Runtime::new().context("starting a runtime")?;
        let options = Options {
            guard_binary: guard_binary(),
            image: IMAGE.to_owned(),
            progress: progress.clone(),
            nodes: &NODES,
            flags,
        };
        let (lab, second, watching, rival) = runtime.block_on(async {
            let lab = Lab::boot(entered, options).await?;
            let second = lab.another_api_server().await?;
            progress.step("a second API server is ready");
            let mut values = values();
            values["companions"] = json!({"enabled": form.companions});
            lab.install_chart(&chart(), RELEASE, NAMESPACE, &values).await?;
            progress.step("the chart is installed");
            let watching = Watching::start(second.1.clone(), "chaos-").await?;
            let rival = Rival::install(&lab, seed).await?;
            anyhow::Ok((lab, second, watching, rival))
        })?;
        Ok(Self { runtime, lab, second, watching, rival, seed, form })
    }

    /// It kills parts of its own.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    fn shutdown(self) -> Result<()> {
        let Self { runtime, lab, mut second, watching, rival, .. } = self;
        runtime.block_on(async {
            drop((watching, rival));
            second.0.stop(Duration::from_secs(2)).await?;
            lab.shutdown().await
        })
    }
}

impl Run {
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
        let (form, started, mut sum) = (&self.form, Instant::now(), Sum::default());
        while form.goes_on(&sum) {
            let (seed, began) = (self.seed + sum.seeds, Instant::now());
            let figures = stage.play(seed, form).await.with_context(|| format!("seed {seed}"))?;
            tell(seed, began.elapsed(), &figures);
            sum = Sum {
                seeds: sum.seeds + 1,
                creations: sum.creations + figures.creations,
                faults: sum.faults + figures.faults(),
                elapsed: started.elapsed(),
            };
        }
        let Sum { seeds, creations, faults, elapsed } = &sum;
        eprintln!("{seeds} seeds in {elapsed:.0?}: {creations} Pods created, {faults} faults, 0 violations");
        form.judge(&sum)
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

/// What an hour of it needs: nobody reads the audit log here, an hour of Events is more than etcd holds, and with the
/// default number of workers most of the time would be spent waiting for a controller.
fn flags(program: &str) -> &'static [&'static str] {
    match program {
        "etcd" => &["--quota-backend-bytes=8589934592"],
        "kube-apiserver" => &[
            "--audit-log-path=",
            "--audit-policy-file=",
            "--event-ttl=5m",
            "--enable-admission-plugins=EventRateLimit",
            ADMISSION,
            // It refuses Events of the core group only, and those are what is written where this group is not served.
            "--runtime-config=events.k8s.io/v1=false",
        ],
        "kube-controller-manager" => &[
            "--concurrent-deployment-syncs=20",
            "--concurrent-rc-syncs=20",
            "--concurrent-replicaset-syncs=20",
            "--concurrent-statefulset-syncs=20",
        ],
        _ => &[],
    }
}

/// Enough of them that the Pods of a silent one are few: a Pod that is asked to end there keeps its name until it wakes.
const NODES: [&str; 9] = ["node-a", "node-b", "node-c", "node-d", "node-e", "node-f", "node-g", "node-h", "node-i"];
/// Nearly no Events: nobody reads them here, and they were a sixth of all writes.
const ADMISSION: &str =
    concat!("--admission-control-config-file=", env!("CARGO_MANIFEST_DIR"), "/tests/live/chaos/admission.yaml");
const IMAGE: &str = "registry.example/singleton-guard:test";
