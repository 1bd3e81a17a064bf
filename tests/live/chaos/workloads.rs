//! Singletons of every kind, several of each in a namespace, with Pods that end quickly and run on nodes of their own.

use anyhow::Result;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::Method;
use kube::Client;
use serde_json::{Value, json};
use singleton_guard::api::key::KEY;

use super::rival::ASKED;
use super::steps::{call, patch};
use crate::common::api::{self, Answer};
use crate::common::eventually;
use crate::lab::Lab;
use crate::lab::node::{ENDS_AFTER, OTHERS};
use crate::spec::case::{MARK, complete, with};

/// One of them.
#[derive(Debug, Clone)]
pub struct Workload {
    pub namespace: String,
    kind: &'static str,
    name: String,
    /// The name of its Pod.
    pub key: String,
    /// The value of its mark.
    pub mark: &'static str,
    /// How long its Pods take to end, in milliseconds.
    ends_after: &'static str,
}

impl Workload {
    /// Asks for it.
    pub async fn make(&self, client: &Client) -> Result<Answer> {
        let strategy = if self.kind == "Deployment" { json!({"type": "Recreate"}) } else { Value::Null };
        // Given, so that it can be made again while nobody fills it in.
        let labels = if self.mark == "strict" { json!({KEY: self.key}) } else { json!({}) };
        let object = json!({
            "kind": self.kind,
            "metadata": {"name": self.name, "labels": {MARK: self.mark}},
            "spec": {
                "replicas": 1, "strategy": strategy,
                "template": {
                    "metadata": {"labels": labels, "annotations": {ENDS_AFTER: self.ends_after}}, "spec": pod_spec(),
                },
            },
        });
        let object = complete(&object, &self.namespace);
        call(client, Method::POST, &api::path(self.kind, &self.namespace, None), &object).await
    }

    pub fn path(&self) -> String {
        api::path(self.kind, &self.namespace, Some(&self.name))
    }

    /// The path of its Pod.
    pub fn pod(&self) -> String {
        format!("/api/v1/namespaces/{}/pods/{}", self.namespace, self.key)
    }

    /// As it was at first: there, marked, one replica. `None` where that cannot be said yet.
    pub async fn restore(&self, client: &Client) -> Result<Option<()>> {
        let path = self.path();
        let marked = json!({"metadata": {"labels": {MARK: self.mark}}, "spec": {"replicas": 1}});
        // With a mark that has to change, a request of its own: a release does not scale.
        let mark = json!({"metadata": {"labels": {MARK: self.mark}}});
        let keeps_its_pod = matches!(self.kind, "ReplicaSet" | "ReplicationController");
        if patch(client, &path, &mark).await?.code == 403 && keeps_its_pod {
            // It would not replace its Pod, and has to be without one first.
            patch(client, &path, &json!({"spec": {"replicas": 0}})).await?;
            return Ok(None);
        }
        let answer = patch(client, &path, &marked).await?;
        if answer.code == 404 {
            self.make(client).await?;
            return Ok(None);
        }
        let is_going = answer.body["metadata"].get("deletionTimestamp").is_some();
        Ok((answer.succeeded() && !is_going).then_some(()))
    }
}

/// Makes namespaces `PREFIX-0` and so on, with so many workloads of each kind in each.
pub async fn populate(
    lab: &Lab,
    prefix: &str,
    mark: &'static str,
    namespaces: usize,
    of_each: usize,
) -> Result<Vec<Workload>> {
    let client = lab.client();
    let mut workloads = Vec::new();
    for number in 0..namespaces {
        let namespace = format!("{prefix}-{number}");
        lab.namespace(&namespace).await?;
        let labels = json!({"metadata": {"labels": {ASKED: "true"}}});
        patch(&client, &format!("/api/v1/namespaces/{namespace}"), &labels).await?.success()?;
        for (kind, suffix) in KINDS {
            for number in 0..of_each {
                let name = format!("{}{number}", kind.to_lowercase());
                let key = format!("{name}{suffix}");
                let ends_after = ENDS[workloads.len() % ENDS.len()];
                workloads.push(Workload { namespace: namespace.clone(), kind, name, key, mark, ends_after });
            }
        }
    }
    let make = |workload: Workload| async move {
        // Busy replicas of ours may not answer in time, and then it is refused.
        eventually(&format!("{workload:?} to be made"), || async {
            let made = workload.make(&lab.client()).await?;
            Ok((made.succeeded() || made.code == 409).then_some(()))
        })
        .await?;
        Ok(workload)
    };
    stream::iter(workloads).map(make).buffered(AT_ONCE).try_collect().await
}

/// A Pod that nobody owns.
pub fn app_pod(namespace: &str, name: &str, labels: &Value) -> Value {
    let spec = pod_spec();
    complete(&json!({"kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}), namespace)
}

/// As short a life as a strict Pod may have, away from our own Pods.
fn pod_spec() -> Value {
    let tolerations = json!([{"key": OTHERS, "operator": "Exists"}]);
    with(
        &json!({"terminationGracePeriodSeconds": 1}),
        json!({"nodeSelector": {OTHERS: "true"}, "tolerations": tolerations}),
    )
}

/// With what each kind's key is derived by.
const KINDS: [(&str, &str); 4] =
    [("Deployment", "-deploy"), ("ReplicaSet", "-rs"), ("ReplicationController", "-rc"), ("StatefulSet", "-0")];
const AT_ONCE: usize = 4;
/// How long Pods take to end.
const ENDS: [&str; 5] = ["50", "100", "250", "500", "1000"];
