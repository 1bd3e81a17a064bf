//! Restarts and upgrades under a steady load of scale calls: none fails, none gets a wrong verdict, and the fields that
//! are the process's own stay as they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use super::listed::{generations, until_listed};
use super::load::{Figures, Load, failed_open};
use crate::common::installed::{NAMESPACE, RELEASE, chart, roll_back, upgrade, values};
use crate::common::workloads::both_ready;
use crate::harness::{is_long, stories};
use crate::lab::Lab;

stories!(a_rolling_restart_and_upgrades_lose_no_call, an_upgrade_to_other_rows_loses_no_call);

/// A rolling restart, then upgrades that restart the Pods, by server-side and by client-side apply.
async fn a_rolling_restart_and_upgrades_lose_no_call(lab: &Lab) -> Result<()> {
    let load = Load::prepare(lab).await?;
    both_ready(lab).await?;
    let (before, let_pass) = (generations(&lab.client()).await?, failed_open(&lab.client()).await?);
    let started = Instant::now();
    let upgrades = if is_long() { 10 } else { 1 };
    let work = async {
        lab.kubectl(&["-n", NAMESPACE, "rollout", "restart", "deployment/singleton-guard"]).await?.success()?;
        let arguments = ["-n", NAMESPACE, "rollout", "status", "deployment/singleton-guard", "--timeout=90s"];
        lab.kubectl(&arguments).await?.success()?;
        for number in 0..upgrades {
            let level = if number % 2 == 0 { "log.level=debug" } else { "log.level=info" };
            upgrade(lab, &[&["--reuse-values", "--set", level], APPLY[number % APPLY.len()]].concat()).await?;
        }
        if is_long() {
            roll_back(lab, None).await?;
        }
        Ok(())
    };
    let ((), figures) = load.during(work).await?;
    report(&format!("a rolling restart and {upgrades} upgrades in {:.0?}", started.elapsed()), &figures)?;
    let after = failed_open(&lab.client()).await?;
    ensure!(after == let_pass, "{} calls passed without an answer", after - let_pass);
    ensure!(before == generations(&lab.client()).await?, "an upgrade has changed the webhook configurations");
    Ok(())
}

/// From a chart with other rows: one without the second entries and without `first`, and with one that is gone now.
async fn an_upgrade_to_other_rows_loses_no_call(lab: &Lab) -> Result<()> {
    let load = Load::prepare(lab).await?;
    let older = Copy::make()?;
    for apply in if is_long() { &APPLY[..] } else { &APPLY[1..2] } {
        lab.helm(&["uninstall", RELEASE, "-n", NAMESPACE, "--wait", "--timeout", "2m"]).await?.success()?;
        lab.install_chart(&older.chart, RELEASE, NAMESPACE, &values()).await?;
        both_ready(lab).await?;
        let let_pass = failed_open(&lab.client()).await?;
        let started = Instant::now();
        let work = async {
            upgrade(lab, &[&["--reset-then-reuse-values"], *apply].concat()).await?;
            until_listed(&lab.client(), load.marked()).await
        };
        let ((), figures) = load.during(work).await?;
        report(&format!("an upgrade to other rows ({}) in {:.0?}", apply.join(" "), started.elapsed()), &figures)?;
        let after = failed_open(&lab.client()).await?;
        eprintln!("{} calls of entries that were not trusted yet passed, each judged by its twin", after - let_pass);
    }
    Ok(())
}

fn report(what: &str, figures: &Figures) -> Result<()> {
    eprintln!(
        "{what}: {} refused, {} allowed, {} failed; the longest call took {:.0?}",
        figures.refused,
        figures.allowed,
        figures.failed.len(),
        figures.longest
    );
    ensure!(figures.failed.is_empty(), "calls failed: {:?}", figures.failed);
    Ok(())
}

/// The chart with other rows, in a directory that goes with it.
struct Copy {
    chart: PathBuf,
}

impl Copy {
    fn make() -> Result<Self> {
        let copy = Self { chart: std::env::temp_dir().join(format!("singleton-guard-chart-{}", std::process::id())) };
        copy_directory(&chart(), &copy.chart)?;
        let webhooks = copy.chart.join("templates/webhooks");
        for row in ["scale", "owned"] {
            let file = webhooks.join(format!("{row}.yaml"));
            let text = fs::read_to_string(&file)?;
            let (first, _) = text.split_once("  # in the namespaces that hold none").context("the twin is gone")?;
            fs::write(&file, first)?;
        }
        fs::remove_file(webhooks.join("first.yaml"))?;
        let scale = fs::read_to_string(webhooks.join("scale.yaml"))?;
        let retired =
            scale.replace("\"row\" \"scale\"", "\"row\" \"retired\"").replace("scale.singleton", "retired.singleton");
        fs::write(webhooks.join("retired.yaml"), retired)?;
        let registry = copy.chart.join("templates/_registry.tpl");
        let text = fs::read_to_string(&registry)?;
        ensure!(text.contains(" first,"), "the registry has no row `first`");
        fs::write(&registry, text.replace(" first,", " retired,"))?;
        Ok(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _gone_or_not = fs::remove_dir_all(&self.chart);
    }
}

fn copy_directory(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_directory(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// How helm writes.
const APPLY: [&[&str]; 3] =
    [&["--server-side=false"], &["--server-side=true"], &["--server-side=true", "--force-conflicts"]];
