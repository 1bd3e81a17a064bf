//! Workloads as outages and drills make and change them, and the guard's own Pods.

use anyhow::Result;
use kube::Client;
use serde_json::{Value, json};

use crate::common::api::{self, Answer};
use crate::common::installed::{NAMESPACE, RELEASE};
use crate::common::{eventually, unguarded};
use crate::lab::Lab;
use crate::spec::case::{self, User};

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
    api::post(client, &api::path(kind, namespace, None), &object, user).await
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
    api::merge(client, &path, &json!({"spec": {"replicas": replicas}}), user).await
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
    api::merge(client, &path, body, user).await
}

/// Our own Pods, as the node names them.
pub fn guards(lab: &Lab) -> Vec<String> {
    lab.node().processes().into_iter().map(|process| process.pod).collect()
}

/// Waits until the replicas are a pair at rest, and names them: two Pods of the newest ReplicaSet, ready and in the Service,
/// and no other process of ours. What came before has an end: a rollout's old Pods go on for a while.
pub async fn both_ready(lab: &Lab) -> Result<Vec<String>> {
    let client = lab.client();
    eventually("two ready replicas and no third", || async {
        let processes = guards(lab);
        // The processes first: what the API server says of them may be older than they are.
        for pod in &processes {
            let Some((NAMESPACE, name)) = pod.split_once('/') else { return Ok(None) };
            let ready = format!("/api/v1/namespaces/{NAMESPACE}/pods/{name}:8080/proxy/readyz");
            if !api::read(&client, &ready).await?.succeeded() {
                return Ok(None);
            }
        }
        let deployment = api::get(&client, "Deployment", NAMESPACE, RELEASE).await?.unwrap_or_default();
        let status = &deployment["status"];
        let rolled_out = status["observedGeneration"] == deployment["metadata"]["generation"]
            && ["replicas", "updatedReplicas", "readyReplicas"].iter().all(|count| status[count] == 2);
        let pods =
            api::list(&client, &format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector={COMPONENT}")).await?;
        let slices =
            api::list(&client, &format!("/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices")).await?;
        let endpoints = slices.iter().flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
        let (pods, endpoints) = (
            names(pods.iter().map(|pod| &pod["metadata"])),
            names(endpoints.filter(|it| it["conditions"]["ready"] == true).map(|it| &it["targetRef"])),
        );
        let at_rest = rolled_out && processes.len() == 2 && pods == processes && endpoints == processes;
        Ok(at_rest.then_some(processes))
    })
    .await
}

/// `namespace/name`, sorted as the node does.
fn names<'a>(objects: impl Iterator<Item = &'a Value>) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut names: Vec<_> = objects.map(|it| format!("{}/{}", text(&it["namespace"]), text(&it["name"]))).collect();
    names.sort();
    names
}

/// The Pods that answer reviews.
const COMPONENT: &str = "app.kubernetes.io/component=webhook";
