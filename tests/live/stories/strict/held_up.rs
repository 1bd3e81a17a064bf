//! Requests that are held up while one Pod of a strict singleton goes and another one comes.

use anyhow::{Result, ensure};
use http::Method;
use serde_json::json;
use singleton_guard::api::key::KEY;

use crate::common::place::Place;
use crate::common::{api, eventually};
use crate::harness::stories;
use crate::lab::Lab;
use crate::lab::binaries::is_oldest;
use crate::lab::node::NODE_NAME;
use crate::stories::strict::slow::Slow;
use crate::stories::strict::{body, is_deleted};

stories!(
    a_deletion_of_many_leaves_a_pod_alone_that_is_bound_meanwhile,
    an_eviction_leaves_a_pod_alone_that_has_come_meanwhile,
);

/// Such a deletion decides on the grace when it reads a Pod, and writes later; a slow webhook makes it much later. A Pod
/// that is on no node when it is read, and starts before the write, is neither told to end at once nor taken away by
/// the next update, which is its kubelet's. With all of its namespace it goes.
async fn a_deletion_of_many_leaves_a_pod_alone_that_is_bound_meanwhile(lab: &Lab) -> Result<()> {
    let (place, client) = (Place::new(lab).await?, lab.client());
    let pod = json!({
        "kind": "Pod", "metadata": {"name": POD, "labels": {KEY: POD}}, "spec": {"schedulerName": "nobody"},
    });
    let made = place.make(crate::spec::case::complete(&pod, &place.namespace)).await?;
    let try_out = format!("{}?dryRun=All", place.path("Pod", Some(POD)));
    let slow = Slow::install(&place, "DELETE", "pods", async || {
        api::delete(&client, &try_out, None).await?.success().map(drop)
    })
    .await?;
    slow.wait();
    let (all, path) = (place.path("Pod", None), place.path("Pod", Some(POD)));
    let meanwhile = async {
        slow.until_it_is_asked().await?;
        let target = json!({"apiVersion": "v1", "kind": "Node", "name": NODE_NAME});
        let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": POD}, "target": target});
        let bound = api::post(&client, &format!("{path}/binding"), &binding, None).await;
        slow.answer();
        bound?.success()
    };
    let (deleted, _) = tokio::try_join!(api::delete(&client, &all, None), meanwhile)?;
    slow.uninstall(&place).await?;
    let words = format!("SG011 Pod {}/{POD} may still run on node {NODE_NAME}: ", place.namespace);
    let message = deleted.message();
    ensure!(message.starts_with(&words) && message.contains("a deletion of many"), "{deleted:?}");
    let running = async || Ok(place.get("Pod", POD).await?.filter(|pod| pod["status"]["phase"] == "Running"));
    let pod = eventually("its kubelet to have said that it runs", running).await?;
    ensure!(pod["metadata"]["uid"] == made["metadata"]["uid"] && !is_deleted(&pod), "it was told to end: {pod}");

    let namespace = format!("/api/v1/namespaces/{}", place.namespace);
    api::delete(&client, &namespace, None).await?.success()?;
    place.until("the Pod to be gone", async || Ok(place.get("Pod", POD).await?.is_none())).await
}

/// An eviction knows its Pod by the name, reads it more than once, and asks nobody when it deletes it at last. Which Pod is
/// meant is written into it, where the API server can be told to: before Kubernetes 1.36 there is nothing to be seen.
async fn an_eviction_leaves_a_pod_alone_that_has_come_meanwhile(lab: &Lab) -> Result<()> {
    if is_oldest() {
        return Ok(());
    }
    let (place, client) = (Place::new(lab).await?, lab.client());
    let make = async || {
        let pod = json!({"kind": "Pod", "metadata": {"name": POD, "labels": {KEY: POD}}});
        let made = place.make(crate::spec::case::complete(&pod, &place.namespace)).await?;
        let runs = async || Ok(place.get("Pod", POD).await?.filter(|pod| pod["status"]["phase"] == "Running"));
        eventually("its kubelet to have said that it runs", runs).await?;
        anyhow::Ok(made["metadata"]["uid"].clone())
    };
    let slow = Slow::install(&place, "CREATE", "pods/eviction", async || {
        // There is no such Pod yet.
        place.evict(POD, &json!({"dryRun": ["All"]}), None).await.map(drop)
    })
    .await?;
    make().await?;
    let path = place.path("Pod", Some(POD));
    for options in [json!(null), json!({"gracePeriodSeconds": 1}), json!({"preconditions": {"resourceVersion": "1"}})] {
        slow.wait();
        let meanwhile = async {
            slow.until_it_is_asked().await?;
            let next = async {
                let soon = json!({"gracePeriodSeconds": 1});
                api::call(&client, Method::DELETE, &path, Some(body(&soon)), None).await?.success()?;
                place.until("the Pod to be gone", async || Ok(place.get("Pod", POD).await?.is_none())).await?;
                make().await
            };
            let next = next.await;
            slow.answer();
            next
        };
        let (evicted, next) = tokio::try_join!(place.evict(POD, &options, None), meanwhile)?;
        ensure!(evicted.code == 409 && evicted.message().contains("UID in the precondition"), "{options}: {evicted:?}");
        let pod = place.get("Pod", POD).await?.unwrap_or_default();
        ensure!(pod["metadata"]["uid"] == next && !is_deleted(&pod), "{options}: it was evicted: {pod}");
    }
    slow.uninstall(&place).await?;
    place.evict(POD, &json!({}), None).await?.success().map(drop)
}

const POD: &str = "ledger";
