//! Strict singletons on nodes that are lost, emptied or fought for. The nodes are objects without a machine: what happens
//! to a Pod there is what the control plane does, and nobody ends it before its time is over but who speaks for the node.

use anyhow::{Result, bail, ensure};
use http::Method;
use kube::Client;
use serde_json::{Value, json};

use crate::common::api::{self, Answer};
use crate::common::eventually;
use crate::common::place::Place;
use crate::common::revisions::Revisions;
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::{User, with};
use crate::stories::configuration::set_node_users;
use crate::stories::strict::{body, is_deleted, strict};

stories!(
    Beside:
    a_node_that_is_gone_gives_the_name_free_when_it_is_deleted,
    a_node_that_is_emptied_gives_the_name_free_when_it_is_declared_out_of_service,
    a_pod_that_has_ended_under_a_node_that_is_silent_gives_its_name_free,
    who_is_preempted_goes_before_the_next_one_comes;
    Alone: who_is_no_kubelet_has_the_last_word_only_where_it_is_said_so;
);

/// A virtual kubelet with all rights ends Pods as a ServiceAccount. Without an entry its last word is refused, and the
/// singleton waits; with one it counts on its own nodes and nowhere else, and for nobody else.
async fn who_is_no_kubelet_has_the_last_word_only_where_it_is_said_so(lab: &Lab) -> Result<()> {
    let (virtual_one, real_one) = (Place::new(lab).await?, Place::new(lab).await?);
    let (mut pods, virtual_node, uid) = bound_to(&virtual_one, "ReplicaSet", "virtual").await?;
    let (mut others, real_node, _) = bound_to(&real_one, "ReplicaSet", "real").await?;
    for (place, pods) in [(&virtual_one, &mut pods), (&real_one, &mut others)] {
        place.delete("Pod", POD).await?;
        pods.until("the Pod to be told", |pods| pods.values().all(is_deleted)).await?;
    }
    // What kubectl prints; nothing where the Pod is gone.
    let last_word = async |place: &Place<'_>, user: &str| {
        let user = format!("--as={user}");
        let forced = ["delete", "pod", POD, "--grace-period=0", "--force", "--wait=false"];
        let whose = ["-n", &place.namespace, &user, "--as-group=system:masters"];
        let done = lab.kubectl(&[&whose[..], &forced].concat()).await?;
        anyhow::Ok(if done.succeeded() { String::new() } else { done.stderr })
    };
    let is_refused = |place: &Place<'_>, node: &Node, said: &str| {
        let line = format!("SG011 Pod {}/{POD} may still run on node {}", place.namespace, node.name);
        ensure!(said.contains(&line) && said.contains("strict.nodeUsers"), "expected {line}, got {said:?}");
        Ok(())
    };
    is_refused(&virtual_one, &virtual_node, &last_word(&virtual_one, VIRTUAL_KUBELET).await?)?;
    is_refused(&real_one, &real_node, &last_word(&real_one, VIRTUAL_KUBELET).await?)?;

    set_node_users(lab, &json!([{"user": VIRTUAL_KUBELET, "nodeNamePrefixes": ["virtual-"]}])).await?;
    let outcome = async {
        is_refused(&virtual_one, &virtual_node, &last_word(&virtual_one, "somebody").await?)?;
        eventually("the last word to count", || async {
            Ok(last_word(&virtual_one, VIRTUAL_KUBELET).await?.is_empty().then_some(()))
        })
        .await?;
        let is_next = |pod: &Value| pod["metadata"]["uid"] != uid && !is_deleted(pod);
        pods.until("the next one", |pods| pods.values().any(is_next)).await?;
        ensure!(pods.most == 1, "{} Pods at one revision", pods.most);
        is_refused(&real_one, &real_node, &last_word(&real_one, VIRTUAL_KUBELET).await?)
    };
    let outcome = outcome.await;
    set_node_users(lab, &json!([])).await?;
    for (place, node) in [(virtual_one, virtual_node), (real_one, real_node)] {
        place.patch("ReplicaSet", "ledger", json!({"spec": {"replicas": 0}})).await?;
        node.delete().await?;
    }
    outcome
}

/// The garbage collector fails the Pod of a Node that does not exist, and takes it away.
async fn a_node_that_is_gone_gives_the_name_free_when_it_is_deleted(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let (mut pods, node, uid) = bound(&place, "ReplicaSet").await?;
    // Or it would be made again, for a node that is not there.
    place.patch("ReplicaSet", "ledger", json!({"spec": {"replicas": 0}})).await?;
    pods.until("the Pod to be told", |pods| pods.values().all(is_deleted)).await?;
    let forced = force(&place, None).await?;
    ensure!(forced.message().starts_with("SG011"), "a forced deletion: {forced:?}");
    node.delete().await?;
    until_it_is_gone(&place, POD, &uid).await
}

/// A taint evicts the Pod, and another one says that its machine is off.
async fn a_node_that_is_emptied_gives_the_name_free_when_it_is_declared_out_of_service(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let (mut pods, node, uid) = bound(&place, "ReplicaSet").await?;
    node.taint(json!({"key": "maintenance", "effect": "NoExecute"})).await?;
    pods.until("the Pod to be told", |pods| pods.values().all(is_deleted)).await?;
    // The next one is wanted, and waits.
    let refused = format!("SG010 Pod {}/{POD} exists already", place.namespace);
    place
        .until("the next one to be refused", async || {
            Ok(place.events("FailedCreate").await?.iter().any(|note| note.contains(&refused)))
        })
        .await?;
    place.patch("ReplicaSet", "ledger", json!({"spec": {"replicas": 0}})).await?;
    let out = json!({"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"});
    node.taint(out).await?;
    until_it_is_gone(&place, POD, &uid).await?;
    ensure!(pods.most == 1, "{} Pods at one revision", pods.most);
    node.delete().await
}

/// Its kubelet has said that it has ended, and nothing more: nobody else would ever take it away.
async fn a_pod_that_has_ended_under_a_node_that_is_silent_gives_its_name_free(lab: &Lab) -> Result<()> {
    let of_kind = async |kind, pod| {
        let place = Place::new(lab).await?;
        let (mut pods, node, uid) = bound(&place, kind).await?;
        place.delete("Pod", pod).await?;
        pods.until("the Pod to be told", |pods| pods.values().all(is_deleted)).await?;
        let path = format!("{}/status", place.path("Pod", Some(pod)));
        api::merge(&lab.client(), &path, &json!({"status": {"phase": "Succeeded"}}), None).await?.success()?;
        until_it_is_gone(&place, pod, &uid).await?;
        pods.until("the next one", |pods| pods.values().any(|pod| !is_deleted(pod))).await?;
        ensure!(pods.most == 1, "{kind}: {} Pods at one revision", pods.most);
        place.patch(kind, "ledger", json!({"spec": {"replicas": 0}})).await?;
        node.delete().await
    };
    tokio::try_join!(of_kind("ReplicaSet", POD), of_kind("StatefulSet", "ledger-0")).map(drop)
}

/// The scheduler takes the Pod away for one of a higher priority; it runs on until its kubelet says otherwise.
async fn who_is_preempted_goes_before_the_next_one_comes(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let mut pods = Revisions::of(&place).await?;
    let room = json!({"cpu": "1", "memory": "1Gi", "pods": "10"});
    let ready = json!([{"type": "Ready", "status": "True", "reason": "KubeletReady"}]);
    let status = json!({"capacity": room, "allocatable": room, "conditions": ready});
    let node = Node::make(&place, "small", &status).await?;
    let class = format!("urgent-{}", place.namespace);
    let object = json!({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": class}, "value": 1000});
    let classes = "/apis/scheduling.k8s.io/v1/priorityclasses";
    let client = lab.client();
    api::post(&client, classes, &object, None).await?.success()?;

    let container =
        json!({"name": "main", "image": "registry.example/app:1", "resources": {"requests": {"cpu": "800m"}}});
    let most_of_it = json!({"nodeSelector": {HOST: node.name}, "containers": [container]});
    let template = json!({"spec": {"template": {"spec": most_of_it}}});
    place.create("ReplicaSet", "ledger", with(&strict("strict"), template)).await?;
    let on_the_node = |pod: &Value| pod["spec"]["nodeName"] == node.name.as_str();
    pods.until("the Pod to be bound", |pods| pods.values().any(on_the_node)).await?;
    let urgent = json!({"kind": "Pod", "metadata": {"name": "urgent"}, "spec": {"priorityClassName": class}});
    let urgent = crate::spec::case::complete(&urgent, &place.namespace);
    place.make(with(&urgent, json!({"spec": most_of_it}))).await?;
    let ledger = |pod: &Value| pod["metadata"]["name"] == POD;
    pods.until("the preemption", |pods| pods.values().any(|pod| ledger(pod) && is_deleted(pod))).await?;
    let kubelet = User { name: format!("system:node:{}", node.name), groups: vec!["system:nodes".to_owned()] };
    force(&place, Some(&kubelet)).await?.success()?;
    pods.until("the next one to wait for room", |pods| {
        let bound = pods.values().any(|pod| !ledger(pod) && on_the_node(pod));
        bound && pods.values().any(|pod| ledger(pod) && !is_deleted(pod) && !on_the_node(pod))
    })
    .await?;
    ensure!(pods.most == 2, "the urgent one and the singleton's: {} Pods at one revision", pods.most);

    place.patch("ReplicaSet", "ledger", json!({"spec": {"replicas": 0}})).await?;
    node.delete().await?;
    api::delete(&client, &format!("{classes}/{class}"), None).await?.success().map(drop)
}

/// A strict workload whose Pod is bound to a Node of its own.
async fn bound(place: &Place<'_>, kind: &str) -> Result<(Revisions, Node, Value)> {
    bound_to(place, kind, "gone").await
}

/// The same; the name of the Node begins with a word.
async fn bound_to(place: &Place<'_>, kind: &str, what: &str) -> Result<(Revisions, Node, Value)> {
    let mut pods = Revisions::of(place).await?;
    let node = Node::make(place, what, &json!({})).await?;
    let there = json!({"spec": {"template": {"spec": {"nodeName": node.name}}}});
    place.create(kind, "ledger", with(&strict("strict"), there)).await?;
    let pod = pods.until("the Pod", |pods| pods.len() == 1).await?.swap_remove(0);
    Ok((pods, node, pod["metadata"]["uid"].clone()))
}

/// Deletes the Pod with a grace of 0.
async fn force(place: &Place<'_>, user: Option<&User>) -> Result<Answer> {
    let now = json!({"gracePeriodSeconds": 0});
    api::call(&place.lab.client(), Method::DELETE, &place.path("Pod", Some(POD)), Some(body(&now)), user).await
}

/// The garbage collector looks each 20 s, and waits for 40 s before it believes that a Node is gone; our controller gives
/// a kubelet a minute.
async fn until_it_is_gone(place: &Place<'_>, pod: &str, uid: &Value) -> Result<()> {
    let is_gone = async || Ok(place.get("Pod", pod).await?.is_none_or(|pod| pod["metadata"]["uid"] != *uid));
    for _ in 0..3 {
        if place.until("the Pod to be gone", is_gone).await.is_ok() {
            return Ok(());
        }
    }
    bail!("the Pod is still there")
}

/// A Node without a machine.
struct Node {
    client: Client,
    name: String,
}

impl Node {
    async fn make(place: &Place<'_>, what: &str, status: &Value) -> Result<Self> {
        let node = Self { client: place.lab.client(), name: format!("{what}-{}", place.namespace) };
        let labels = json!({HOST: node.name});
        let object = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": node.name, "labels": labels}});
        api::post(&node.client, NODES, &object, None).await?.success()?;
        node.patch("/status", &json!({"status": status})).await?;
        Ok(node)
    }

    async fn taint(&self, taint: Value) -> Result<()> {
        self.patch("", &json!({"spec": {"taints": [taint]}})).await
    }

    async fn delete(&self) -> Result<()> {
        let path = format!("{NODES}/{}", self.name);
        api::delete(&self.client, &path, None).await?.success().map(drop)
    }

    async fn patch(&self, subresource: &str, body: &Value) -> Result<()> {
        let path = format!("{NODES}/{}{subresource}", self.name);
        api::merge(&self.client, &path, body, None).await?.success().map(drop)
    }
}

/// As the chart of a virtual kubelet calls its ServiceAccount.
const VIRTUAL_KUBELET: &str = "system:serviceaccount:kube-system:virtual-kubelet";
/// The name of the Pod of the ReplicaSet `ledger`.
const POD: &str = "ledger-rs";
const HOST: &str = "kubernetes.io/hostname";
const NODES: &str = "/api/v1/nodes";
