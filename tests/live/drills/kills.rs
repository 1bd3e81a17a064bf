//! One of two replicas is killed every few seconds under load: calls fail within a second of a kill at most, and no
//! singleton is ever scaled above one.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::load::Load;
use crate::common::workloads::{both_ready, guards};
use crate::harness::{is_long, stories};
use crate::lab::Lab;
use crate::lab::component::Signal;

stories!(a_kill_of_one_replica_fails_calls_for_a_second_at_most);

/// Ten minutes in the long form.
async fn a_kill_of_one_replica_fails_calls_for_a_second_at_most(lab: &Lab) -> Result<()> {
    let load = Load::prepare(lab).await?;
    let rounds = if is_long() { 120 } else { 2 };
    both_ready(lab).await?;
    let pods = guards(lab);
    ensure!(pods.len() == 2, "expected two replicas, found {pods:?}");
    let started = Instant::now();
    let kill = async {
        let mut kills: Vec<Instant> = Vec::new();
        for round in 0..rounds {
            // With the other one not ready yet it would be another drill.
            both_ready(lab).await?;
            kills.push(Instant::now());
            lab.node().kill(&pods[round % 2], Signal::Kill).await?;
            tokio::time::sleep(EVERY).await;
        }
        Ok(kills)
    };
    let (kills, figures) = load.during(kill).await?;
    let since = |at: Instant| kills.iter().filter_map(|kill| at.checked_duration_since(*kill)).min();
    let times = figures.failed.iter().map(|(at, _)| since(*at).unwrap_or(Duration::MAX));
    let latest = times.max().unwrap_or_default();
    eprintln!(
        "{rounds} kills in {:.0?}: {} refused, {} allowed, {} failed, the last of them {latest:.0?} after its kill; \
         the longest call took {:.0?}; no singleton was scaled above one",
        started.elapsed(),
        figures.refused,
        figures.allowed,
        figures.failed.len(),
        figures.longest,
    );
    for (at, message) in &figures.failed {
        let since = since(*at);
        ensure!(since.is_some_and(|since| since <= A_MOMENT), "a call failed {since:?} after a kill: {message}");
    }
    Ok(())
}

const EVERY: Duration = Duration::from_secs(5);
const A_MOMENT: Duration = Duration::from_secs(1);
