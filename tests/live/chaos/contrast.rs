//! The same without what protects: if the checkers found nothing then, they would prove nothing.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use fastrand::Rng;
use serde_json::json;

use super::living::Living;
use super::seed::Stage;
use super::steps::Step;
use super::watching::Watching;
use super::workloads::populate;
use crate::common::installed::{NAMESPACE, RELEASE, chart, values};

/// Marked `true`: never more than one that is wanted, and two that are there.
pub async fn overlaps_without_strict(stage: &Stage<'_>, seed: u64) -> Result<()> {
    let [client, _] = &stage.clients;
    let watching = Watching::start(client.clone(), "loose-").await?;
    let workloads = populate(stage.lab, "loose", "true", 1, OF_EACH).await?;
    let (started, mut chance) = (Instant::now(), Rng::with_seed(seed));
    while found(&watching) < ENOUGH && started.elapsed() < PATIENCE {
        let on = &workloads[chance.usize(..workloads.len())];
        let step = if chance.bool() { Step::DeleteMany } else { Step::Bounce(chance.u64(..500)) };
        step.take(client, on).await?;
        let before = found(&watching);
        watching.until(A_MOMENT, |seen| seen.count.violations.len() > before).await?;
    }
    watching.agrees().await?;
    let (created, found) = (watching.seen(|seen| seen.count.begun), found(&watching));
    ensure!(found > 0, "{created} Pods were created and no two of them were seen together");
    eprintln!("marked true: {found} times two Pods among {created} creations");
    Ok(())
}

fn found(watching: &Watching) -> usize {
    watching.seen(|seen| seen.count.violations.len())
}

/// Without the guard on forced deletions there is still one Pod, and two processes.
pub async fn overlaps_without_the_guard_on_forced_deletions(stage: &Stage<'_>, seed: u64) -> Result<()> {
    let [client, _] = &stage.clients;
    let mut values = values();
    values["strict"] = json!({"refuseForcedDeletion": false});
    stage.lab.install_chart(&chart(), RELEASE, NAMESPACE, &values).await?;
    let watching = Watching::start(client.clone(), "forced-").await?;
    let workloads = populate(stage.lab, "forced", "strict", 1, OF_EACH).await?;
    let (living, started, mut chance) = (Living::start(stage.lab), Instant::now(), Rng::with_seed(seed));
    while living.found().1.len() < ENOUGH && started.elapsed() < PATIENCE {
        Step::Force.take(client, &workloads[chance.usize(..workloads.len())]).await?;
        let all_ready =
            |seen: &super::revisions::Revisions| seen.pods().filter(|(_, it)| it.is_ready()).count() == workloads.len();
        watching.until(A_MOMENT, all_ready).await?;
    }
    let (processes, overlaps) = living.found();
    let pods = watching.seen(|seen| seen.count.violations.clone());
    ensure!(pods.is_empty(), "{} times two Pods; the first: {}", pods.len(), pods[0]);
    ensure!(!overlaps.is_empty(), "{processes} processes were started and no two of them were seen together");
    eprintln!("without the guard on forced deletions: {} times two processes among {processes}", overlaps.len());
    Ok(())
}

const OF_EACH: usize = 2;
/// Then it is believed.
const ENOUGH: usize = 5;
const A_MOMENT: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);
