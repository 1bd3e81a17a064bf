//! An upgrade from the version that called a Service of ours as its workload is called, and back: no Service is written to,
//! no name stops resolving while clients ask for it, and what helm does ends.

use std::path::PathBuf;

use anyhow::{Error, Result, ensure};
use serde_json::json;

use super::crowd::{Crowd, QUIET};
use crate::common::before::{self, Profile};
use crate::common::eventually;
use crate::common::installed::{NAMESPACE, RELEASE, roll_back, upgrade, values};
use crate::common::workloads::both_ready;
use crate::harness::stories;
use crate::lab::Lab;
use crate::lab::progress::Progress;

stories!(an_upgrade_and_a_rollback_lose_no_name after before::prepare);

/// Up, back and up again.
async fn an_upgrade_and_a_rollback_lose_no_name(lab: &Lab) -> Result<()> {
    let older = Older::unpack(lab)?;
    lab.helm(&["uninstall", RELEASE, "-n", NAMESPACE, "--wait", "--timeout", "2m"]).await?.success()?;
    let mut wanted = values();
    wanted["image"]["tag"] = json!(OLDER);
    lab.install_chart(&older.chart, RELEASE, NAMESPACE, &wanted).await?;
    both_ready(lab).await?;
    let crowd = Crowd::settle(lab).await?;
    let (stand, names) = (crowd.stand().await?, crowd.names().await?);
    let stays = async |what: &str| {
        both_ready(lab).await?;
        tokio::time::sleep(QUIET).await;
        let now = crowd.stand().await?;
        let changed: Vec<_> = stand.iter().filter(|(name, service)| now.get(name) != Some(service)).collect();
        ensure!(changed.is_empty(), "{what} has changed {changed:#?}");
        let late = |name: &str| name.starts_with("late");
        let more: Vec<_> = now.keys().filter(|key| !stand.contains_key(key) && !late(&key.1)).collect();
        ensure!(more.is_empty(), "{what} has brought {more:?}");
        anyhow::Ok(())
    };
    let (governed, alone) = (crowd.place("StatefulSet")?, crowd.place("Deployment")?);
    let there = async |namespace: &str, name: &str| {
        let probe = || crowd.get("Service", namespace, name);
        eventually(&format!("Service {name} in {namespace}"), probe).await
    };
    let work = async {
        upgrade(lab, &NEWER).await?;
        stays("the upgrade").await?;
        // What is new has new names.
        for (kind, namespace) in [("StatefulSet", governed), ("Deployment", alone)] {
            crowd.singleton(kind, namespace, "late", json!({})).await?;
            there(namespace, "late-singleton").await?;
        }
        let kept = there(governed, "late-singleton").await?;
        roll_back(lab, Some("1")).await?;
        stays("the rollback").await?;
        let now = there(governed, "late-singleton").await?;
        ensure!(now["metadata"]["uid"] == kept["metadata"]["uid"], "the name of a StatefulSet's Pod was lost: {now}");
        // The older one knows no other name; the newer one leaves it.
        let former = there(alone, "late").await?;
        upgrade(lab, &NEWER).await?;
        stays("the second upgrade").await?;
        let now = there(alone, "late").await?;
        ensure!(now["metadata"]["uid"] == former["metadata"]["uid"], "{now}");
        ensure!(crowd.get("Service", alone, "late-singleton").await?.is_none(), "there are two for one singleton");
        Ok(())
    };
    let asked = crowd.resolving(&names, work).await?;
    eprintln!("{} names of {} Services, resolved {asked} times, never in vain", names.len(), stand.len());
    Ok(())
}

/// From the version of before to this one.
const NEWER: [&str; 3] = ["--reset-then-reuse-values", "--set", "image.tag=test"];

/// The chart of before, in a directory that goes with it; the lab's node runs its program.
struct Older {
    directory: PathBuf,
    chart: PathBuf,
}

impl Older {
    fn unpack(lab: &Lab) -> Result<Self> {
        let program = before::program(&Progress::to_stderr(), Profile::Dev).map_err(Error::msg)?;
        let repository = values()["image"]["repository"].as_str().unwrap_or_default().to_owned();
        lab.node().also_runs(&format!("{repository}:{OLDER}"), program);
        let directory = std::env::temp_dir().join(format!("singleton-guard-before-{}", std::process::id()));
        let chart = before::chart(&directory).map_err(Error::msg)?;
        Ok(Self { directory, chart })
    }
}

impl Drop for Older {
    fn drop(&mut self) {
        let _gone_or_not = std::fs::remove_dir_all(&self.directory);
    }
}

const OLDER: &str = "before";
