//! Singletons that are made out of workloads with more Pods, by the tools that people have, until the others are gone; and
//! refusals whose remedies are followed.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::common::place::Place;
use crate::harness::stories;
use crate::lab::Lab;
use crate::lab::tools::Outcome;
use crate::spec::case::{MARK, complete, with};

stories!(
    of_two_pods_one_is_left_whatever_tool_brings_the_mark,
    a_rollout_that_hangs_is_mended_and_the_older_pod_goes,
    a_paused_rollout_is_resumed_and_then_takes_the_mark,
    what_its_controller_has_not_seen_waits,
);

/// One commit that says one replica and brings the mark.
async fn of_two_pods_one_is_left_whatever_tool_brings_the_mark(lab: &Lab) -> Result<()> {
    for tool in [Tool::Apply, Tool::ServerSide, Tool::Helm] {
        let place = Place::new(lab).await?;
        let two = manifest(&place, &json!({"spec": {"replicas": 2}}));
        tool.bring(&place, &two).await?.success().with_context(|| format!("{tool:?} of two"))?;
        let expected = workloads().len();
        running(&place, 2 * expected).await.with_context(|| format!("{tool:?} of two"))?;
        let one = manifest(&place, &json!({"metadata": {"labels": {MARK: "true"}}, "spec": {"replicas": 1}}));
        let done = tool.bring(&place, &one).await?;
        let told = done.stderr.matches("becoming a singleton ends all its Pods but one").count();
        ensure!(done.succeeded() && told == expected, "{tool:?} was told {told} times: {done:?}");
        running(&place, expected).await.with_context(|| format!("{tool:?} of one"))?;
    }
    Ok(())
}

/// The label alone, as somebody puts it on in an emergency.
async fn a_rollout_that_hangs_is_mended_and_the_older_pod_goes(lab: &Lab) -> Result<()> {
    let place = hanging(lab, 1).await?;
    let done = label(&place).await?;
    ensure!(done.succeeded() && done.stderr.contains("the older Pods end first"), "{done:?}");
    place
        .until("the newer Pod to be alone", async || {
            let pods = place.list("Pod").await?;
            Ok(pods.len() == 1 && pods[0]["spec"]["nodeSelector"] == nowhere())
        })
        .await
}

/// It is refused, the remedy is followed, and it is accepted.
async fn a_paused_rollout_is_resumed_and_then_takes_the_mark(lab: &Lab) -> Result<()> {
    let place = hanging(lab, 1).await?;
    let rollout = async |verb| {
        let arguments = ["-n", &place.namespace, "rollout", verb, "deployment", "ledger"];
        lab.kubectl(&arguments).await?.success()
    };
    rollout("pause").await?;
    let refused = label(&place).await?;
    ensure!(
        !refused.succeeded() && refused.stderr.contains("or resume it first (kubectl rollout resume)"),
        "{refused:?}"
    );
    rollout("resume").await?;
    place.until("the mark to be accepted", async || Ok(label(&place).await?.succeeded())).await?;
    place.until("one Pod to be left", async || Ok(place.list("Pod").await?.len() == 1)).await
}

/// A quota keeps the controller from the ReplicaSet of the new template, and so from saying that it has seen it.
async fn what_its_controller_has_not_seen_waits(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let two = complete(
        &json!({"kind": "Deployment", "metadata": {"name": "ledger"}, "spec": {"replicas": 2}}),
        &place.namespace,
    );
    place.make(two).await?;
    running(&place, 2).await?;
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "one"}, "spec": {"hard": {"count/replicasets.apps": "1"}}});
    let apply = ["-n", &place.namespace, "apply", "-f", "-"];
    lab.kubectl_with_input(&apply, &quota.to_string()).await?.success()?;
    place
        .until("the quota to be counted", async || {
            let arguments = ["-n", &place.namespace, "get", "resourcequota", "one", "-o", "jsonpath={.status.used}"];
            Ok(lab.kubectl(&arguments).await?.success()?.contains('1'))
        })
        .await?;
    let next = json!({"spec": {"template": {"metadata": {"labels": {"release": "2"}}}}});
    place.patch("Deployment", "ledger", next).await?;
    let one = || json!({"metadata": {"labels": {MARK: "true"}}, "spec": {"replicas": 1}});
    let Err(refusal) = place.patch("Deployment", "ledger", one()).await else {
        anyhow::bail!("it became a singleton unseen");
    };
    let expected = "cannot become a singleton yet: status.observedGeneration must be 2, is 1";
    ensure!(format!("{refusal:#}").contains(expected), "{refusal:#}");
    lab.kubectl(&["-n", &place.namespace, "delete", "resourcequota", "one"]).await?.success()?;
    place.until("it to be accepted", async || Ok(place.patch("Deployment", "ledger", one()).await.is_ok())).await?;
    running(&place, 1).await
}

/// A Deployment in the middle of a rollout that does not come to its end, because the new Pod finds no node.
async fn hanging(lab: &Lab, replicas: usize) -> Result<Place<'_>> {
    let place = Place::new(lab).await?;
    let spec = json!({"spec": {"replicas": replicas}});
    let before = with(&json!({"kind": "Deployment", "metadata": {"name": "ledger"}}), spec);
    place.make(complete(&before, &place.namespace)).await?;
    running(&place, replicas).await?;
    place.patch("Deployment", "ledger", json!({"spec": {"template": {"spec": {"nodeSelector": nowhere()}}}})).await?;
    place
        .until("the rollout to hang", async || {
            let status = place.get("Deployment", "ledger").await?.unwrap_or_default()["status"].clone();
            Ok(status["replicas"] == replicas + 1 && status["updatedReplicas"] == 1)
        })
        .await?;
    Ok(place)
}

async fn label(place: &Place<'_>) -> Result<Outcome> {
    let key = format!("{MARK}=true");
    place.lab.kubectl(&["-n", &place.namespace, "label", "deployment", "ledger", &key]).await
}

/// Waits for so many Pods, all of them running and none about to end.
async fn running(place: &Place<'_>, count: usize) -> Result<()> {
    place
        .until(&format!("{count} Pods to run"), async || {
            let pods = place.list("Pod").await?;
            let runs =
                |pod: &Value| pod["status"]["phase"] == "Running" && pod["metadata"].get("deletionTimestamp").is_none();
            Ok(pods.len() == count && pods.iter().all(runs))
        })
        .await
}

/// Every kind, and of a kind every way to replace Pods.
fn workloads() -> Vec<Value> {
    let workload =
        |kind: &str, name: &str, spec: Value| json!({"kind": kind, "metadata": {"name": name}, "spec": spec});
    vec![
        workload("Deployment", "unsaid", json!({})),
        workload("Deployment", "recreated", json!({"strategy": {"type": "Recreate"}})),
        workload("Deployment", "rolled", json!({"strategy": {"rollingUpdate": {"maxSurge": 0}}})),
        workload("StatefulSet", "ordered", json!({})),
        workload("StatefulSet", "parallel", json!({"podManagementPolicy": "Parallel"})),
        workload("StatefulSet", "by-hand", json!({"updateStrategy": {"type": "OnDelete"}})),
        workload("StatefulSet", "partitioned", json!({"updateStrategy": {"rollingUpdate": {"partition": 2}}})),
        workload("ReplicaSet", "plain", json!({})),
        workload("ReplicationController", "old", json!({})),
    ]
}

fn manifest(place: &Place<'_>, overlay: &Value) -> String {
    let items: Vec<_> = workloads().iter().map(|it| complete(&with(it, overlay.clone()), &place.namespace)).collect();
    let documents: Vec<_> = items.iter().map(Value::to_string).collect();
    // JSON is YAML.
    documents.join("\n---\n")
}

#[derive(Debug, Clone, Copy)]
enum Tool {
    Apply,
    ServerSide,
    Helm,
}

impl Tool {
    async fn bring(self, place: &Place<'_>, manifest: &str) -> Result<Outcome> {
        let lab = place.lab;
        match self {
            Self::Apply => lab.kubectl_with_input(&["apply", "-f", "-"], manifest).await,
            Self::ServerSide => lab.kubectl_with_input(&["apply", "--server-side", "-f", "-"], manifest).await,
            Self::Helm => {
                let name = format!("chart-{}", place.namespace);
                let chart = lab.logs().join(&name);
                std::fs::create_dir_all(chart.join("templates"))?;
                std::fs::write(chart.join("Chart.yaml"), format!("apiVersion: v2\nname: {name}\nversion: 0.1.0\n"))?;
                std::fs::write(chart.join("templates/all.yaml"), manifest)?;
                let chart = chart.display().to_string();
                lab.helm(&["upgrade", "--install", "two", &chart, "--namespace", &place.namespace]).await
            }
        }
    }
}

/// What no node is labelled with.
fn nowhere() -> Value {
    json!({"nowhere": "here"})
}
