//! A budget of the user's that lets no eviction of a singleton through, though the workload says `allow`: that a drain waits
//! is said, as a warning, and what is said to do about it helps. Of one that lets the Pod go nothing of the kind is said.

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use crate::common::place::Place;
use crate::harness::stories;
use crate::lab::Lab;

stories!(a_budget_that_blocks_is_a_warning);

/// By every form of the two bounds, for one Pod and for two that share a budget; `block` is what somebody wants.
async fn a_budget_that_blocks_is_a_warning(lab: &Lab) -> Result<()> {
    let one = [
        (json!({"minAvailable": 1}), true),
        (json!({"minAvailable": "100%"}), true),
        (json!({"minAvailable": "1%"}), true),
        (json!({"maxUnavailable": 0}), true),
        (json!({"maxUnavailable": "0%"}), true),
        (json!({}), true),
        (json!({"minAvailable": 0}), false),
        (json!({"minAvailable": "0%"}), false),
        (json!({"maxUnavailable": 1}), false),
        (json!({"maxUnavailable": "1%"}), false),
    ];
    let two = [(json!({"minAvailable": 1}), false), (json!({"minAvailable": 2}), true)];
    let cases = one.map(|(bounds, blocks)| (&["ledger"][..], "allow", bounds, blocks, blocks)).into_iter();
    let cases = cases.chain(two.map(|(bounds, blocks)| (&["ledger", "books"][..], "allow", bounds, blocks, blocks)));
    let cases = cases.chain([(&["ledger"][..], "block", json!({"minAvailable": 1}), true, false)]);
    try_join_all(cases.map(|(names, disruption, bounds, blocks, warns)| async move {
        let tried = case(lab, names, disruption, &bounds, blocks, warns);
        tried.await.with_context(|| format!("{names:?}, {disruption}, {bounds}"))
    }))
    .await
    .map(drop)
}

async fn case(lab: &Lab, names: &[&str], disruption: &str, bounds: &Value, blocks: bool, warns: bool) -> Result<()> {
    let place = Place::new(lab).await?;
    for name in names {
        let annotations = json!({"singleton-guard.io/disruption": disruption});
        place.create("Deployment", name, json!({"metadata": {"annotations": annotations}})).await?;
    }
    let mut spec = json!({"selector": {}});
    for (field, value) in bounds.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    let theirs =
        json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "theirs"}, "spec": spec});
    place.make(theirs).await?;
    let budget = async || anyhow::Ok(place.get("PodDisruptionBudget", "theirs").await?.unwrap_or_default());
    let pods = || place.list("Pod");
    place
        .until("all run, and are counted", async || {
            let (status, pods) = (budget().await?["status"].clone(), pods().await?);
            Ok(pods.len() == names.len() && status["currentHealthy"] == pods.len())
        })
        .await?;
    // What the cluster makes of it.
    let status = budget().await?["status"].clone();
    ensure!((status["disruptionsAllowed"] == 0) == blocks, "{status}");

    let warnings = async || {
        let events = place.list("Event").await?;
        let skipped = events.iter().filter(|event| event["reason"] == "SingletonCompanionSkipped");
        let warnings = skipped.filter(|event| event["type"] == "Warning").map(|event| event["note"].to_string());
        anyhow::Ok(warnings.collect::<Vec<_>>())
    };
    place
        .until("it is said that there is none of ours", async || {
            let said = place.events("SingletonCompanionSkipped").await?;
            Ok(said.iter().any(|note| note.contains("theirs selects"))
                && (!warns || warnings().await?.len() == names.len()))
        })
        .await?;
    if !warns {
        // Longer than a workload is given to settle, so that a warning would have come.
        tokio::time::sleep(std::time::Duration::from_secs(12)).await;
    }
    let said = warnings().await?;
    ensure!(said.is_empty() != warns, "{said:?}");
    ensure!(said.iter().all(|note| note.contains("theirs") && note.contains("a drain waits")), "{said:?}");
    if warns && names.len() == 1 {
        let pod = pods().await?[0]["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let refused = place.evict(&pod, &json!({}), None).await?;
        ensure!(refused.code == 429, "{refused:?}");
        let helps = json!({"spec": {"minAvailable": null, "maxUnavailable": 1}});
        place.patch("PodDisruptionBudget", "theirs", helps).await?;
        place
            .until("the eviction to pass", async || Ok(place.evict(&pod, &json!({}), None).await?.succeeded()))
            .await?;
    }
    Ok(())
}
