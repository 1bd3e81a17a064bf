//! The one Node of the lab, and what a test may do to it.
//!
//! It is a client of the API server like any kubelet: user `system:node:lab-node` in group `system:nodes`, held to what
//! the Node authorizer and the `NodeRestriction` admission plugin allow. It registers the Node and renews its Lease, so
//! that the real node controller finds it alive; [`Kubelet`] does the rest.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Node as NodeObject;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt as _};
use serde_json::json;
use tokio::task::JoinSet;

use super::component::Signal;
use super::kubelet::Kubelet;
use super::stage::NODE_ADDRESS;

/// The name of the Node.
pub(crate) const NODE_NAME: &str = "lab-node";

/// The running Node. It falls silent when this is dropped, and the processes of its Pods are killed.
pub(crate) struct Node {
    kubelet: Arc<Kubelet>,
    _tasks: JoinSet<()>,
}

/// A container of a Pod with our image, while it runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process {
    /// `namespace/name` of the Pod.
    pub(crate) pod: String,
    /// The name of the container.
    pub(crate) container: String,
    /// The process id, as the program that holds the lab sees it.
    pub(crate) pid: u32,
}

/// What makes a container one of ours, and what is run for it.
#[derive(Debug, Clone)]
pub(crate) struct OurImage {
    /// The image, as the Pods name it: `repository:tag`.
    pub(crate) name: String,
    /// The program that such a container runs.
    pub(crate) binary: PathBuf,
}

impl Node {
    /// Registers the Node and starts to look after its Pods; `directory` is where they keep their files and output.
    pub(crate) async fn register(client: Client, image: OurImage, directory: PathBuf) -> Result<Self> {
        std::fs::create_dir(&directory).with_context(|| format!("making {}", directory.display()))?;
        let nodes: Api<NodeObject> = Api::all(client.clone());
        create(&nodes).await.context("registering the Node")?;
        beat(&client, &nodes).await?;

        let kubelet = Arc::new(Kubelet::new(client.clone(), image, directory)?);
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&kubelet).follow_pods());
        let heart = Arc::clone(&kubelet);
        tasks.spawn(async move {
            loop {
                tokio::time::sleep(BEAT).await;
                if let Err(error) = beat(&client, &nodes).await {
                    heart.note(&format!("renewing the Lease: {error:#}"));
                }
            }
        });
        Ok(Self { kubelet, _tasks: tasks })
    }

    /// Waits until the node controller lets Pods be scheduled here: it takes its `not-ready` taint off.
    pub(crate) async fn until_schedulable(admin: &Client) -> Result<()> {
        let nodes: Api<NodeObject> = Api::all(admin.clone());
        let started = Instant::now();
        loop {
            let node = nodes.get(NODE_NAME).await?;
            let taints = node.spec.and_then(|spec| spec.taints).unwrap_or_default();
            if taints.is_empty() {
                return Ok(());
            }
            if started.elapsed() > SCHEDULABLE_WITHIN {
                let taints: Vec<String> = taints.into_iter().map(|taint| taint.key).collect();
                bail!(
                    "the Node still has the taints {} after 180 s: see kube-controller-manager.log",
                    taints.join(", ")
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The containers with our image that run now, sorted.
    pub(crate) fn processes(&self) -> Vec<Process> {
        self.kubelet.processes()
    }

    /// Sends a signal to every process of a Pod (`namespace/name`).
    ///
    /// # Errors
    /// If no container with our image runs in it.
    pub(crate) async fn kill(&self, pod: &str, signal: Signal) -> Result<()> {
        let processes = self.processes();
        let mut of_pod = processes.iter().filter(|process| process.pod == pod).peekable();
        of_pod.peek().ok_or_else(|| anyhow!("no process of ours runs in Pod {pod}; running: {processes:?}"))?;
        for process in of_pod {
            signal.send(process.pid).await?;
        }
        Ok(())
    }

    /// From now on a process that ends in this Pod is not started again, until [`Node::release`].
    pub(crate) fn hold(&self, pod: &str) {
        self.kubelet.held().send_modify(|held| _ = held.insert(pod.to_owned()));
    }

    /// Ends [`Node::hold`]: what has ended meanwhile starts at once.
    pub(crate) fn release(&self, pod: &str) {
        self.kubelet.held().send_modify(|held| _ = held.remove(pod));
    }

    /// What a container with our image has printed so far, over all its restarts. Empty if it never ran.
    pub(crate) fn output(&self, pod: &str, container: &str) -> String {
        let bytes = std::fs::read(self.kubelet.output_file(pod, container)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Creates the Node object, with room for more Pods than any test makes.
async fn create(nodes: &Api<NodeObject>) -> Result<()> {
    let room = json!({ "cpu": "1000", "memory": "4Ti", "ephemeral-storage": "4Ti", "pods": "100000" });
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": NODE_NAME, "labels": {
            "kubernetes.io/hostname": NODE_NAME,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
        } },
        "status": {
            "capacity": room,
            "allocatable": room,
            "addresses": [
                { "type": "InternalIP", "address": NODE_ADDRESS },
                { "type": "Hostname", "address": NODE_NAME },
            ],
        },
    });
    let created = nodes.create(&PostParams::default(), &serde_json::from_value(node)?).await;
    match created {
        Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(()),
        other => other.map(drop).map_err(Into::into),
    }
}

/// One sign of life: the `Ready` condition and the Lease, as the kubelet's node status and node lease controllers do.
async fn beat(client: &Client, nodes: &Api<NodeObject>) -> Result<()> {
    let now = Timestamp::now();
    let healthy = |kind: &str, status: &str, reason: &str| {
        json!({ "type": kind, "status": status, "reason": reason, "message": "the lab plays this node",
            "lastHeartbeatTime": whole_seconds(now) })
    };
    let status = json!({ "status": { "conditions": [
        healthy("Ready", "True", "KubeletReady"),
        healthy("MemoryPressure", "False", "KubeletHasSufficientMemory"),
        healthy("DiskPressure", "False", "KubeletHasNoDiskPressure"),
        healthy("PIDPressure", "False", "KubeletHasSufficientPID"),
    ] } });
    let node = nodes.patch_status(NODE_NAME, &PatchParams::default(), &Patch::Strategic(status)).await?;

    let leases: Api<Lease> = Api::namespaced(client.clone(), "kube-node-lease");
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": { "name": NODE_NAME, "namespace": "kube-node-lease", "ownerReferences": [{
            "apiVersion": "v1", "kind": "Node", "name": NODE_NAME, "uid": node.uid().unwrap_or_default(),
        }] },
        "spec": { "holderIdentity": NODE_NAME, "leaseDurationSeconds": 40, "renewTime": MicroTime(now) },
    });
    match leases.patch(NODE_NAME, &PatchParams::default(), &Patch::Merge(&lease)).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => {
            leases.create(&PostParams::default(), &serde_json::from_value(lease)?).await?;
        }
        other => drop(other.context("renewing the Node's Lease")?),
    }
    Ok(())
}

/// A time in the form of `metav1.Time`, which knows no fractions of a second.
pub(super) fn whole_seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// As a kubelet does by default, for a lease of 40 s.
const BEAT: Duration = Duration::from_secs(10);
const SCHEDULABLE_WITHIN: Duration = Duration::from_secs(180);
