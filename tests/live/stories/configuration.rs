//! The configuration of running Pods: the ConfigMap is changed, the node brings it into the Pods as a kubelet does, and
//! nothing is restarted. These tests need the guard for themselves, so they run alone.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::cases::play;
use crate::common::installed::{Guard, NAMESPACE, RELEASE, chart};
use crate::common::place::{MORE_THAN_ALL, Place, budget_name};
use crate::common::{api, eventually};
use crate::harness::stories;
use crate::lab::Lab;
use crate::lab::node::Process;
use crate::spec::case::{Case, MARK};

stories!(Alone: a_running_pod_follows_its_configuration);

/// Runs a case that asks for a configuration, with that in force; afterwards it is as it was.
pub async fn run(lab: &Lab, case: &Case) -> Result<()> {
    let original = original(lab).await?;
    let node_users = case.configuration.as_ref().and_then(|fields| fields.pointer("/strict/nodeUsers"));
    match node_users {
        Some(entries) => set_node_users(lab, entries).await?,
        None => bring(lab, &case.file()).await?,
    }
    if let Some(namespace) = &case.namespace {
        let _there_already = lab.kubectl(&["create", "namespace", namespace]).await?;
    }
    let outcome = play::run(lab, Guard::Webhook, case).await;
    if node_users.is_some() {
        set_node_users(lab, &json!([])).await?;
    }
    bring(lab, &original).await?;
    outcome
}

/// Sets `strict.nodeUsers` by helm: a policy and the file hold it. Waits for the file; the policy follows in a moment. By
/// force, because a case before may have written the file by another hand.
pub async fn set_node_users(lab: &Lab, entries: &Value) -> Result<()> {
    let (chart, value) = (chart().display().to_string(), format!("strict.nodeUsers={entries}"));
    let upgrade = ["upgrade", RELEASE, &chart, "-n", NAMESPACE, "--reuse-values", "--set-json", &value];
    let upgrade = [&upgrade[..], &["--no-hooks", "--force-conflicts"]].concat();
    in_force(lab, async || lab.helm(&upgrade).await?.success().map(drop)).await
}

/// A changed file comes into force everywhere without a restart; a wrong one changes nothing, is counted, and is told of.
async fn a_running_pod_follows_its_configuration(lab: &Lab) -> Result<()> {
    let original = original(lab).await?;
    bring(lab, &original).await?;
    let before = processes(lab);
    ensure!(before.len() == 2, "expected two replicas: {before:?}");
    let place = Place::new(lab).await?;
    place.create("StatefulSet", "ledger", json!({})).await?;
    let name = budget_name("ledger", "StatefulSet");
    ensure!(place.budget(&name).await?["spec"]["minAvailable"] == 0, "the default is not allow");

    bring(lab, &with(&original, "  disruption: \"allow\"", "  disruption: block")).await?;
    place
        .until("the budget to follow the changed default", async || {
            let budget = place.get("PodDisruptionBudget", &name).await?.unwrap_or_default();
            Ok(budget["spec"]["minAvailable"] == MORE_THAN_ALL)
        })
        .await?;

    // Another mark takes other watches. (The webhooks' selectors stay: only the file is changed here.)
    let key = "example.com/only-one";
    bring(lab, &with(&original, MARK, key)).await?;
    place.create("StatefulSet", "other", json!({"metadata": {"labels": {MARK: null, key: "true"}}})).await?;
    place.budget(&budget_name("other", "StatefulSet")).await?;
    // What the old one made is another guard's by now.
    let kept = place.budget(&name).await?;

    // Without companions nothing is watched for them.
    bring(lab, &with(&original, "companions:\n  enabled: true", "companions:\n  enabled: false")).await?;
    place
        .until("the watches to end", async || {
            let texts = metrics(lab).await?;
            Ok(texts.values().all(|text| !text.contains("singleton_guard_cache_synced{resource=\"services\"}")))
        })
        .await?;

    bring(lab, &original).await?;
    let now = place.budget(&name).await?;
    ensure!(now["metadata"]["uid"] == kept["metadata"]["uid"], "a guard has taken the budget of another mark: {now}");
    wrong(lab, &with(&original, "exemptNamespaces: [", "exemptNamespaces: [Team_A, ")).await?;
    let refused = place.patch("StatefulSet", "ledger", json!({"spec": {"replicas": 3}})).await;
    ensure!(
        refused.is_err_and(|error| format!("{error:#}").contains("SG001")),
        "a wrong file has switched the guard off"
    );
    bring(lab, &original).await?;
    ensure!(processes(lab) == before, "a Pod was restarted: {before:?} and now {:?}", processes(lab));
    Ok(())
}

/// Puts a wrong file in place, and waits until both Pods have refused it: by metric and by Event.
async fn wrong(lab: &Lab, file: &str) -> Result<()> {
    store(lab, file).await?;
    eventually("both replicas to refuse the file", || async {
        let texts = metrics(lab).await?;
        let refused = |text: &String| {
            text.contains("singleton_guard_config_last_reload_successful 0\n")
                && text.contains("singleton_guard_config_reloads_total{result=\"failure\"} 1\n")
                && text.contains("singleton_guard_ready 1\n")
        };
        Ok((texts.len() == 2 && texts.values().all(refused)).then_some(()))
    })
    .await?;
    let path = format!("/apis/events.k8s.io/v1/namespaces/{NAMESPACE}/events");
    eventually("an Event on each Pod", || async {
        let list = api::read(&lab.client(), &path).await?.success()?;
        let told = list["items"].as_array().into_iter().flatten().filter(|event| {
            let note = event["note"].as_str().unwrap_or_default();
            event["reason"] == "ConfigurationRejected"
                && event["regarding"]["kind"] == "Pod"
                && event["regarding"]["uid"].as_str().is_some_and(|uid| !uid.is_empty())
                && note.contains("line 5: exemptNamespaces[0]: \"Team_A\" is not the name of a namespace")
        });
        Ok((told.count() == 2).then_some(()))
    })
    .await
}

/// Puts a file in place, and waits until both Pods work by it.
pub async fn bring(lab: &Lab, file: &str) -> Result<()> {
    if stored(lab).await? == file {
        return Ok(());
    }
    in_force(lab, async || store(lab, file).await).await
}

/// Changes the file, and waits until both Pods work by it.
async fn in_force(lab: &Lab, change: impl AsyncFnOnce() -> Result<()>) -> Result<()> {
    let before = reloads(lab).await?;
    change().await?;
    eventually("both replicas to work by the file", || async {
        let now = reloads(lab).await?;
        let follows = |(pod, count): (&String, &u64)| before.get(pod).is_none_or(|before| count > before);
        Ok((now.len() == 2 && now.iter().all(follows)).then_some(()))
    })
    .await
}

/// The file as helm has made it.
pub async fn original(lab: &Lab) -> Result<String> {
    static ORIGINAL: OnceCell<String> = OnceCell::const_new();
    ORIGINAL.get_or_try_init(|| stored(lab)).await.cloned()
}

async fn stored(lab: &Lab) -> Result<String> {
    let map = api::read(&lab.client(), &map()).await?.success()?;
    map["data"]["config.yaml"].as_str().map(ToOwned::to_owned).context("the ConfigMap has no config.yaml")
}

async fn store(lab: &Lab, file: &str) -> Result<()> {
    api::merge(&lab.client(), &map(), &json!({"data": {"config.yaml": file}}), None).await?.success().map(drop)
}

fn map() -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/configmaps/{RELEASE}")
}

/// How many changed files each Pod has put in force.
async fn reloads(lab: &Lab) -> Result<BTreeMap<String, u64>> {
    const COUNTER: &str = "singleton_guard_config_reloads_total{result=\"success\"} ";
    let count = |text: &str| {
        let count = text.lines().find_map(|line| line.strip_prefix(COUNTER));
        count.and_then(|count| count.parse().ok()).unwrap_or_default()
    };
    Ok(metrics(lab).await?.into_iter().map(|(pod, text)| (pod, count(&text))).collect())
}

/// What each of our Pods exports.
pub async fn metrics(lab: &Lab) -> Result<BTreeMap<String, String>> {
    let mut texts = BTreeMap::new();
    for process in lab.node().processes() {
        let name = process.pod.rsplit('/').next().unwrap_or_default();
        let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{name}:8080/proxy/metrics");
        let text = lab.client().request_text(http::Request::get(path).body(Vec::new())?).await?;
        texts.insert(process.pod, text);
    }
    Ok(texts)
}

/// Our own Pods with their processes.
fn processes(lab: &Lab) -> Vec<Process> {
    let mut processes = lab.node().processes();
    processes.sort();
    processes
}

/// The file with one of its texts exchanged.
pub fn with(file: &str, old: &str, new: &str) -> String {
    assert!(file.contains(old), "{old:?} is not in\n{file}");
    file.replace(old, new)
}
