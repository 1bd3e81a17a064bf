//! A webhook of somebody else's that allows everything and takes its time, so that what happens meanwhile can be chosen.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::common::https::{self, CONFIGURATIONS, Https};
use crate::common::place::Place;
use crate::common::{api, eventually};

/// It is asked about every request of one kind in a namespace.
pub struct Slow {
    server: Https,
    asked: Arc<watch::Sender<usize>>,
    waits: Arc<watch::Sender<bool>>,
}

impl Slow {
    /// From when this has returned it is asked. `try_out` is such a request that changes nothing.
    pub async fn install(
        place: &Place<'_>,
        operation: &str,
        resource: &str,
        try_out: impl AsyncFn() -> Result<()>,
    ) -> Result<Self> {
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
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": [operation], "resources": [resource]}],
        });
        let router = Router::new().route("/", post(answer));
        let server = https::webhook(&client, &place.namespace, router, says).await?;
        eventually("the webhook to be asked", async || {
            try_out().await?;
            Ok((*asked.borrow() > 0).then_some(()))
        })
        .await?;
        Ok(Self { server, asked, waits })
    }

    /// From now on it does not answer.
    pub fn wait(&self) {
        self.asked.send_replace(0);
        self.waits.send_replace(true);
    }

    /// Until somebody waits for it.
    pub async fn until_it_is_asked(&self) -> Result<()> {
        self.asked.subscribe().wait_for(|asked| *asked > 0).await.map(drop).context("it was never asked")
    }

    /// From now on it answers.
    pub fn answer(&self) {
        self.waits.send_replace(false);
    }

    /// Nobody asks it any more.
    pub async fn uninstall(self, place: &Place<'_>) -> Result<()> {
        let path = format!("{CONFIGURATIONS}/{}", place.namespace);
        api::delete(&place.lab.client(), &path, None).await?.success()?;
        self.server.task.abort();
        Ok(())
    }
}
