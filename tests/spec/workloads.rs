//! Workloads as outages and drills make and change them, and the guard's own Pods.

use anyhow::Result;
use http::Method;
use kube::Client;
use serde_json::{Value, json};

use super::api::{self, Answer};
use super::case::{self, User};
use super::installed::NAMESPACE;
use super::live::{eventually, unguarded};
use crate::lab::Lab;

/// Creates a workload, a marked one with the glass broken, and waits until it runs.
pub async fn create(
    client: &Client,
    namespace: &str,
    kind: &str,
    name: &str,
    marked: bool,
    replicas: u32,
) -> Result<()> {
    let user = marked.then(unguarded);
    post(client, namespace, kind, name, marked, replicas, user.as_ref()).await?.success()?;
    eventually(&format!("{kind} {name} to run"), || async {
        let object = api::get(client, kind, namespace, name).await?.unwrap_or_default();
        Ok((object["status"]["replicas"] == replicas).then_some(()))
    })
    .await
}

/// Asks for a workload.
pub async fn post(
    client: &Client,
    namespace: &str,
    kind: &str,
    name: &str,
    marked: bool,
    replicas: u32,
    user: Option<&User>,
) -> Result<Answer> {
    let labels = if marked { json!({case::MARK: "true"}) } else { json!({}) };
    let strategy = if kind == "Deployment" && marked { json!({"type": "Recreate"}) } else { Value::Null };
    let object = json!({"kind": kind, "metadata": {"name": name, "labels": labels}, "spec": {"replicas": replicas, "strategy": strategy}});
    let object = case::complete(&object, namespace);
    let content = ("application/json", object.to_string());
    api::call(client, Method::POST, &api::path(kind, namespace, None), Some(content), user).await
}

/// Merges `replicas` into the Scale.
pub async fn scale(
    client: &Client,
    namespace: &str,
    kind: &str,
    name: &str,
    replicas: u32,
    user: Option<&User>,
) -> Result<Answer> {
    let path = format!("{}/scale", api::path(kind, namespace, Some(name)));
    let body = json!({"spec": {"replicas": replicas}}).to_string();
    api::call(client, Method::PATCH, &path, Some((MERGE, body)), user).await
}

/// Merges into the workload itself.
pub async fn patch(
    client: &Client,
    namespace: &str,
    kind: &str,
    name: &str,
    body: &Value,
    user: Option<&User>,
) -> Result<Answer> {
    let path = api::path(kind, namespace, Some(name));
    api::call(client, Method::PATCH, &path, Some((MERGE, body.to_string())), user).await
}

/// Our own Pods, as the node names them.
pub fn guards(lab: &Lab) -> Vec<String> {
    lab.node().processes().into_iter().map(|process| process.pod).collect()
}

/// Waits until the Service has two addresses again.
pub async fn both_ready(lab: &Lab) -> Result<()> {
    let client = lab.client();
    let path = format!("/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices");
    eventually("two ready replicas", || async {
        let slices = api::call(&client, Method::GET, &path, None, None).await?.success()?;
        let endpoints = slices["items"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
        let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] == true).count();
        Ok((ready == 2).then_some(()))
    })
    .await
}

/// `application/merge-patch+json`.
pub const MERGE: &str = "application/merge-patch+json";
