//! The replicas' processes while something happens: the most memory that each has had, and whether one has ended.
//!
//! Each gets the limit of the chart's Pod, as an rlimit: an allocation beyond it fails, and that ends the process. It
//! needs no rights, which a cgroup does, and holds back a little earlier: also what was freed and is kept counts.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use crate::lab::Lab;

/// What was seen of the processes.
#[derive(Debug, Default)]
pub struct Seen {
    /// By Pod and process id: the most that was resident.
    peaks: BTreeMap<(String, u32), u64>,
}

impl Seen {
    /// Looks on while `work` is done.
    pub async fn during<T>(&mut self, lab: &Lab, work: impl Future<Output = T>) -> Result<T> {
        let looks = async {
            loop {
                self.look(lab).await?;
                tokio::time::sleep(EVERY).await;
            }
        };
        tokio::select! {
            done = work => Ok(done),
            failed = looks => failed,
        }
    }

    /// # Errors
    /// If there were more processes than replicas, so that one has ended: with what that said last.
    pub fn alive(&self, lab: &Lab) -> Result<()> {
        let last = |(pod, _): &(String, u32)| {
            let output = lab.node().output(pod, "guard");
            let no_log = output.lines().rfind(|line| !line.starts_with('{')).map(str::to_owned);
            no_log.unwrap_or_default()
        };
        let words: Vec<_> = self.peaks.keys().map(last).collect();
        ensure!(self.peaks.len() == REPLICAS, "processes and their peaks in MiB: {:?}; {words:?}", self.peaks);
        Ok(())
    }

    /// The most that any of them had.
    pub fn peak(&self) -> u64 {
        self.peaks.values().copied().max().unwrap_or_default()
    }

    async fn look(&mut self, lab: &Lab) -> Result<()> {
        for process in lab.node().processes() {
            let status = format!("/proc/{}/status", process.pid);
            let key = (process.pod, process.pid);
            if !self.peaks.contains_key(&key) {
                limit(process.pid).await?;
                // From now on (proc(5)).
                let _gone_already = std::fs::write(format!("/proc/{}/clear_refs", process.pid), "5");
            }
            let Ok(status) = std::fs::read_to_string(status) else { continue };
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            // A process that has just ended has no memory.
            let Some(line) = line else { continue };
            let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().context("VmHWM is no number")?;
            let peak = self.peaks.entry(key).or_default();
            *peak = kibibytes.div_ceil(1024).max(*peak);
        }
        Ok(())
    }
}

async fn limit(pid: u32) -> Result<()> {
    let mut prlimit = Command::new("prlimit");
    prlimit.args(["--pid", &pid.to_string(), &format!("--data={LIMIT}")]).kill_on_drop(true);
    // One that ends at this moment has no limit either.
    let _ = prlimit.output().await.context("starting prlimit")?;
    Ok(())
}

/// `resources.limits.memory` of the chart.
const LIMIT: u64 = 256 << 20;
/// `replicaCount` of the chart.
const REPLICAS: usize = 2;
const EVERY: Duration = Duration::from_millis(20);
