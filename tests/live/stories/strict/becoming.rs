//! On the way to strict, where what counts is not in the request: Pods that end, and what their controllers count.

use anyhow::{Result, ensure};
use http::Method;
use serde_json::json;
use singleton_guard::api::key::KEY;

use crate::common::api;
use crate::common::api::MERGE;
use crate::common::place::Place;
use crate::common::revisions::Revisions;
use crate::harness::stories;
use crate::lab::Lab;
use crate::lab::binaries::is_oldest;
use crate::spec::case::MARK;
use crate::stories::strict::body;

stories!(a_pod_that_still_ends_keeps_its_replicaset_from_becoming_strict);

/// `status.replicas` leaves it out, and from Kubernetes 1.35 on `status.terminatingReplicas` has it.
async fn a_pod_that_still_ends_keeps_its_replicaset_from_becoming_strict(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let mut pods = Revisions::of(&place).await?;
    let slow = json!({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": LONG}}}});
    place.create("ReplicaSet", "ledger", slow).await?;
    let pod = pods.until_another_runs("").await?;
    place.patch("ReplicaSet", "ledger", json!({"spec": {"replicas": 0}})).await?;
    place
        .until("the ReplicaSet to count no Pod", async || {
            let set = place.get("ReplicaSet", "ledger").await?.unwrap_or_default();
            Ok(set["status"]["replicas"] == 0 && set["status"]["observedGeneration"] == set["metadata"]["generation"])
        })
        .await?;
    let path = place.path("ReplicaSet", Some("ledger"));
    let template = json!({"metadata": {"labels": {KEY: "ledger"}}});
    let strict = json!({"metadata": {"labels": {MARK: "strict"}}, "spec": {"template": template}}).to_string();
    let become_strict =
        async || api::call(&lab.client(), Method::PATCH, &path, Some((MERGE, strict.clone())), None).await;
    let answer = become_strict().await?;
    ensure!(is_oldest() || answer.message().starts_with("SG012"), "while its Pod ends: {answer:?}");
    // It has no key yet, so nothing keeps it from being forgotten.
    let pod = place.path("Pod", pod["metadata"]["name"].as_str());
    api::call(&lab.client(), Method::DELETE, &pod, Some(body(&json!({"gracePeriodSeconds": 0}))), None)
        .await?
        .success()?;
    place.until("it to become strict", async || Ok(become_strict().await?.succeeded())).await
}

/// In seconds: Pods of the lab take all the time that they are given.
const LONG: u64 = 600;
