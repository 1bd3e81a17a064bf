//! A strict singleton among the many Pods that one request deletes.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use http::Method;
use serde_json::{Value, json};
use singleton_guard::policy::key::KEY;
use tokio::sync::watch;

use super::api;
use super::companions_place::Place;
use super::https::{self, CONFIGURATIONS, Https};
use super::live::eventually;
use super::strict_live::{body, is_deleted};
use crate::LiveTest;
use crate::lab::Lab;
use crate::lab::node::NODE_NAME;

/// Those that others may run beside.
pub const STORIES: [(&str, LiveTest); 1] =
    [("strict::a deletion of many leaves a Pod alone that is bound meanwhile", |lab| {
        Box::pin(a_deletion_of_many_leaves_a_pod_alone_that_is_bound_meanwhile(lab))
    })];

/// Such a deletion decides on the grace when it reads a Pod, and writes later; a slow webhook makes it much later. A Pod
/// that is on no node when it is read, and starts before the write, is neither told to end at once nor taken away by
/// the next update, which is its kubelet's. With all of its namespace it goes.
async fn a_deletion_of_many_leaves_a_pod_alone_that_is_bound_meanwhile(lab: &Lab) -> Result<()> {
    let (place, client) = (Place::new(lab).await?, lab.client());
    let pod = json!({
        "kind": "Pod", "metadata": {"name": POD, "labels": {KEY: POD}}, "spec": {"schedulerName": "nobody"},
    });
    let made = place.make(super::case::complete(&pod, &place.namespace)).await?;
    let slow = Slow::install(&place).await?;
    let (all, path) = (place.path("Pod", None), place.path("Pod", Some(POD)));
    let meanwhile = async {
        slow.until_it_is_asked().await?;
        let target = json!({"apiVersion": "v1", "kind": "Node", "name": NODE_NAME});
        let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": POD}, "target": target});
        let bound = api::call(&client, Method::POST, &format!("{path}/binding"), Some(body(&binding)), None).await;
        slow.answer();
        bound?.success()
    };
    let (deleted, _) = tokio::try_join!(api::call(&client, Method::DELETE, &all, None, None), meanwhile)?;
    slow.uninstall(&place).await?;
    let words = format!("SG011 Pod {}/{POD} may still run on node {NODE_NAME}: ", place.namespace);
    let message = deleted.message();
    ensure!(message.starts_with(&words) && message.contains("a deletion of many"), "{deleted:?}");
    let running = async || Ok(place.get("Pod", POD).await?.filter(|pod| pod["status"]["phase"] == "Running"));
    let pod = eventually("its kubelet to have said that it runs", running).await?;
    ensure!(pod["metadata"]["uid"] == made["metadata"]["uid"] && !is_deleted(&pod), "it was told to end: {pod}");

    let namespace = format!("/api/v1/namespaces/{}", place.namespace);
    api::call(&client, Method::DELETE, &namespace, None, None).await?.success()?;
    place.until("the Pod to be gone", async || Ok(place.get("Pod", POD).await?.is_none())).await
}

/// A webhook that is asked about every deletion of a Pod, allows it, and takes its time.
struct Slow {
    server: Https,
    asked: Arc<watch::Sender<usize>>,
    waits: Arc<watch::Sender<bool>>,
}

impl Slow {
    /// From when this has returned it is asked, and does not answer.
    async fn install(place: &Place<'_>) -> Result<Self> {
        let (asked, waits) = (Arc::new(watch::Sender::new(0)), Arc::new(watch::Sender::new(false)));
        let (asking, waiting) = (Arc::clone(&asked), Arc::clone(&waits));
        let answer = async move |body: Bytes| {
            asking.send_modify(|asked| *asked += 1);
            let _ = waiting.subscribe().wait_for(|waits| !waits).await;
            let review: Value = serde_json::from_slice(&body).unwrap_or_default();
            let response = json!({"uid": review["request"]["uid"], "allowed": true});
            let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
            ([("content-type", "application/json")], review.to_string())
        };
        let client = place.lab.client();
        let says = json!({
            "failurePolicy": "Ignore", "timeoutSeconds": 30,
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place.namespace}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["DELETE"], "resources": ["pods"]}],
        });
        let router = Router::new().route("/", post(answer));
        let server = https::webhook(&client, &place.namespace, router, says).await?;
        let try_out = format!("{}?dryRun=All", place.path("Pod", Some(POD)));
        eventually("the webhook to be asked", async || {
            api::call(&client, Method::DELETE, &try_out, None, None).await?.success()?;
            Ok((*asked.borrow() > 0).then_some(()))
        })
        .await?;
        asked.send_replace(0);
        waits.send_replace(true);
        Ok(Self { server, asked, waits })
    }

    async fn until_it_is_asked(&self) -> Result<()> {
        self.asked.subscribe().wait_for(|asked| *asked > 0).await.map(drop).context("it was never asked")
    }

    fn answer(&self) {
        self.waits.send_replace(false);
    }

    async fn uninstall(self, place: &Place<'_>) -> Result<()> {
        let path = format!("{CONFIGURATIONS}/{}", place.namespace);
        api::call(&place.lab.client(), Method::DELETE, &path, None, None).await?.success()?;
        self.server.task.abort();
        Ok(())
    }
}

const POD: &str = "ledger";
