//! Remedies that only a controller comes to need.

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use singleton_guard::api::key::KEY;
use singleton_guard::policy::violation::{Sg010, Violation};

use crate::common::api;
use crate::common::place::Place;
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::MARK;

stories!(a_released_workload_is_told_why_it_gets_no_second_pod);

/// What is released and scaled still has the label in its template, so its controller is refused a second Pod. It reads why,
/// and once the label is gone from the template there are two.
async fn a_released_workload_is_told_why_it_gets_no_second_pod(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let template = json!({"metadata": {"labels": {KEY: "mailer"}}, "spec": {"terminationGracePeriodSeconds": 1}});
    let strict = json!({"metadata": {"labels": {MARK: "strict"}}, "spec": {"template": template}});
    place.create("ReplicaSet", "mailer", strict).await?;
    let count = async || {
        let set = place.get("ReplicaSet", "mailer").await?.unwrap_or_default();
        anyhow::Ok((set["status"]["replicas"].as_u64().unwrap_or_default(), set["status"]["conditions"].clone()))
    };
    place.until("its Pod", async || Ok(count().await?.0 == 1)).await?;
    place.patch("ReplicaSet", "mailer", json!({"metadata": {"labels": {MARK: null}}, "spec": {}})).await?;
    place.patch("ReplicaSet", "mailer", json!({"spec": {"replicas": 2}})).await?;
    let told = Violation::from(Sg010::WantsTwo { node: String::new() });
    place
        .until("the controller to be told of the label", async || {
            let (replicas, conditions) = count().await?;
            ensure!(replicas < 2, "the label keeps nothing away");
            let told = "and its workload wants a second: label singleton-guard.io/key of its Pod template allows one";
            Ok(conditions.to_string().contains(told))
        })
        .await?;
    // The controller does not hear the remedy; a person who tries the same does.
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "mailer", "namespace": place.namespace, "labels": {KEY: "mailer"}, "ownerReferences": owner(&place).await?},
        "spec": {"containers": [{"name": "main", "image": "registry.example/app:1"}]},
    });
    let path = place.path("Pod", None);
    let answer = api::post(&lab.client(), &path, &pod, None).await?;
    let remedy = format!("SG010: {}", told.remedy());
    ensure!(answer.warnings.contains(&remedy), "{answer:?}");
    place.patch("ReplicaSet", "mailer", json!({"spec": {"template": {"metadata": {"labels": {KEY: null}}}}})).await?;
    place.until("two Pods", async || Ok(count().await?.0 == 2)).await
}

async fn owner(place: &Place<'_>) -> Result<Value> {
    let set = place.get("ReplicaSet", "mailer").await?.unwrap_or_default();
    Ok(
        json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "mailer", "uid": set["metadata"]["uid"], "controller": true}]),
    )
}
