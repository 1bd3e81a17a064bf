//! What others do to the release: another tool takes it over by server-side apply, and the only node is drained.

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::common::installed::{NAMESPACE, RELEASE, roll_back, upgrade};
use crate::common::{api, eventually, monitors};
use crate::harness::stories;
use crate::lab::Lab;

stories!(
    Alone:
    another_manager_finds_no_conflict,
    the_only_node_can_be_drained;
);

/// Every object of the release, applied as it was rendered by another manager, meets no conflict: nothing differs.
async fn another_manager_finds_no_conflict(lab: &Lab) -> Result<()> {
    monitors::install(lab).await?;
    let more = [
        "flowSchema.enabled=true",
        "networkPolicy.enabled=true",
        "metrics.serviceMonitor.enabled=true",
        "metrics.prometheusRule.enabled=true",
        "metrics.grafanaDashboard.enabled=true",
        "companions.requireServiceRight=true",
    ];
    set(lab, &more).await?;
    let manifest = lab.helm(&["get", "manifest", RELEASE, "-n", NAMESPACE]).await?.success()?;
    let apply = ["apply", "--server-side", "--dry-run=server", "--field-manager=another", "-f", "-"];
    let applied = lab.kubectl_with_input(&apply, &manifest).await;
    roll_back(lab, None).await?;
    let applied = applied?.success()?;
    ensure!(applied.lines().count() > 30, "it applied only {applied}");
    Ok(())
}

/// On the only node a drain waits for the second replica for ever, and takes a single one.
async fn the_only_node_can_be_drained(lab: &Lab) -> Result<()> {
    let drain = async |timeout: &str| {
        let selector = format!("--pod-selector=app.kubernetes.io/instance={RELEASE}");
        let done = lab.kubectl(&["drain", "lab-node", &selector, timeout]).await;
        lab.kubectl(&["uncordon", "lab-node"]).await?.success()?;
        done
    };
    let waited = drain("--timeout=15s").await?;
    ensure!(!waited.succeeded() && waited.stderr.contains("Cannot evict pod"), "with two replicas: {waited:?}");

    set(lab, &["replicaCount=1"]).await?;
    eventually("the budget to let the one replica go", || async {
        let path = format!("/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets/{RELEASE}");
        let budget = api::read(&lab.client(), &path).await?.success()?;
        let status: &Value = &budget["status"];
        Ok((status["expectedPods"] == 1 && status["disruptionsAllowed"] == 1).then_some(()))
    })
    .await?;
    let drained = drain("--timeout=60s").await;
    roll_back(lab, None).await?;
    drained?.success().map(drop)
}

async fn set(lab: &Lab, values: &[&str]) -> Result<()> {
    let how: Vec<_> =
        std::iter::once("--reuse-values").chain(values.iter().flat_map(|value| ["--set", value])).collect();
    upgrade(lab, &how).await
}
