//! What people do to singletons: chosen by chance, so that one seed chooses the same again, and carried out by calls.

use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use futures_util::future::try_join_all;
use http::Method;
use kube::Client;
use serde_json::{Value, json};
use singleton_guard::api::key::KEY;

use super::workloads::{Workload, app_pod};
use crate::common::api::{self, Answer};
use crate::spec::case::MARK;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Delete,
    /// All Pods of its namespace, each by its name, as kubectl does.
    DeleteEach,
    /// All of them by one request.
    DeleteMany,
    /// With a grace of 0.
    Force,
    Evict,
    RollOut,
    /// To 0, and to 1 after so many milliseconds.
    Bounce(u64),
    Zero,
    One,
    Two,
    /// Out of its owner's selector.
    Relabel,
    Release,
    Mark,
    /// The workload is deleted, and made again at once.
    Again,
    /// A second Pod with the key, under another name.
    Second,
    /// A Pod of nobody's, under the very name.
    Squatter,
}

impl Step {
    /// The next one.
    pub fn choose(chance: &mut Rng) -> Self {
        match chance.u8(..100) {
            0..28 => Self::Delete,
            28..44 => Self::DeleteEach,
            44..46 => Self::DeleteMany,
            46..52 => Self::Force,
            52..62 => Self::Evict,
            62..67 => Self::RollOut,
            67..76 => Self::Bounce(chance.u64(..1500)),
            76..78 => Self::Zero,
            78..83 => Self::One,
            83..87 => Self::Two,
            87..89 => Self::Relabel,
            89..91 => Self::Release,
            91..94 => Self::Mark,
            94..96 => Self::Again,
            96..98 => Self::Second,
            _ => Self::Squatter,
        }
    }

    /// Carries it out; what was refused or not there is an answer too.
    pub async fn take(self, client: &Client, on: &Workload) -> Result<Answer> {
        let pod = on.pod();
        let pods = format!("/api/v1/namespaces/{}/pods", on.namespace);
        let labels = |labels: Value| json!({"metadata": {"labels": labels}});
        match self {
            Self::Delete => call(client, Method::DELETE, &pod, &json!({})).await,
            Self::DeleteEach => {
                let list = call(client, Method::GET, &pods, &json!(null)).await?;
                let names = list.body["items"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|pod| pod["metadata"]["name"].as_str());
                let (nothing, paths) = (json!({}), names.map(|name| format!("{pods}/{name}")).collect::<Vec<_>>());
                try_join_all(paths.iter().map(|path| call(client, Method::DELETE, path, &nothing))).await?;
                Ok(list)
            }
            Self::DeleteMany => call(client, Method::DELETE, &pods, &json!({})).await,
            Self::Force => call(client, Method::DELETE, &pod, &json!({"gracePeriodSeconds": 0})).await,
            Self::Evict => {
                let metadata = json!({"name": on.key, "namespace": on.namespace});
                let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata});
                call(client, Method::POST, &format!("{pod}/eviction"), &eviction).await
            }
            Self::RollOut => {
                let annotations = json!({"restarted": format!("{:?}", std::time::SystemTime::now())});
                patch(client, &on.path(), &json!({"spec": {"template": {"metadata": {"annotations": annotations}}}}))
                    .await
            }
            Self::Bounce(pause) => {
                scale(client, on, 0).await?;
                tokio::time::sleep(Duration::from_millis(pause)).await;
                scale(client, on, 1).await
            }
            Self::Zero => scale(client, on, 0).await,
            Self::One => scale(client, on, 1).await,
            Self::Two => scale(client, on, 2).await,
            Self::Relabel => patch(client, &pod, &labels(json!({"app": "stray"}))).await,
            Self::Release => patch(client, &on.path(), &labels(json!({MARK: "true"}))).await,
            Self::Mark => patch(client, &on.path(), &labels(json!({MARK: on.mark}))).await,
            Self::Again => {
                // Said, because for a ReplicationController the API server's own default is to orphan.
                call(client, Method::DELETE, &on.path(), &json!({"propagationPolicy": "Background"})).await?;
                on.make(client).await
            }
            Self::Second => {
                let second = app_pod(&on.namespace, &format!("{}-second", on.key), &json!({KEY: on.key}));
                call(client, Method::POST, &pods, &second).await
            }
            Self::Squatter => {
                call(client, Method::POST, &pods, &app_pod(&on.namespace, &on.key, &json!({KEY: on.key}))).await
            }
        }
    }
}

async fn scale(client: &Client, on: &Workload, replicas: u32) -> Result<Answer> {
    patch(client, &format!("{}/scale", on.path()), &json!({"spec": {"replicas": replicas}})).await
}

pub async fn patch(client: &Client, path: &str, body: &Value) -> Result<Answer> {
    api::merge(client, path, body, None).await
}

pub async fn call(client: &Client, method: Method, path: &str, body: &Value) -> Result<Answer> {
    api::call(client, method, path, Some(("application/json", body.to_string())), None).await
}
