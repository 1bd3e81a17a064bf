//! Somebody else's webhook, which refuses many Pods for reasons of its own.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::common::https::{self, Https};
use crate::lab::Lab;

/// The webhook, until it is dropped.
pub struct Rival {
    state: Arc<State>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    chance: Mutex<Rng>,
    is_on: AtomicBool,
    refused: AtomicU64,
}

impl Rival {
    /// It is asked about the Pods of namespaces with the label [`ASKED`], and refuses none yet.
    pub async fn install(lab: &Lab, seed: u64) -> Result<Self> {
        let chance = Mutex::new(Rng::with_seed(seed));
        let state = Arc::new(State { chance, is_on: AtomicBool::new(false), refused: AtomicU64::new(0) });
        let answering = Arc::clone(&state);
        let answer = move |body: Bytes| {
            let answer = answering.answer(&body).to_string();
            async move { ([("content-type", "application/json")], answer) }
        };
        let says = json!({
            "failurePolicy": "Fail", "timeoutSeconds": 5, "namespaceSelector": {"matchLabels": {ASKED: "true"}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        });
        let router = Router::new().route("/", post(answer));
        let Https { task, .. } = https::webhook(&lab.client(), "rival", router, says).await?;
        Ok(Self { state, task })
    }

    /// Refuses three of ten from now on, or none.
    pub fn set(&self, is_on: bool) {
        self.state.is_on.store(is_on, Ordering::Relaxed);
    }

    /// How many it has refused.
    pub fn refused(&self) -> u64 {
        self.state.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn answer(&self, body: &[u8]) -> Value {
        let review: Value = serde_json::from_slice(body).unwrap_or_default();
        let is_on = self.is_on.load(Ordering::Relaxed);
        let refuses = is_on && self.chance.lock().unwrap_or_else(PoisonError::into_inner).u8(..10) < OF_TEN;
        self.refused.fetch_add(u64::from(refuses), Ordering::Relaxed);
        let response =
            json!({"uid": review["request"]["uid"], "allowed": !refuses, "status": {"message": "not in this weather"}});
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
    }
}

/// The label of namespaces that it is asked about.
pub const ASKED: &str = "rival.example.com/asked";
const OF_TEN: u8 = 3;
