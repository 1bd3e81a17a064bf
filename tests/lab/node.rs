//! A Node of the lab, and what a test may do to it: [`NODE_NAME`], where our Pods run, and others where a test wants them.
//!
//! It is a client of the API server like any kubelet: user `system:node:NAME` in group `system:nodes`, held to what
//! the Node authorizer and the `NodeRestriction` admission plugin allow. It registers the Node and renews its Lease, so
//! that the real node controller finds it alive; [`Kubelet`] does the rest.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node as NodeObject, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt as _};
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;

use super::component::Signal;
use super::kubelet::Kubelet;
use super::stage::NODE_ADDRESS;

/// The name of the Node where our Pods run.
pub(crate) const NODE_NAME: &str = "lab-node";
/// The label, and the taint (`NoSchedule`), of all others: only Pods that ask for it come there.
pub(crate) const OTHERS: &str = "lab.example.com/other";

/// The running Node. It falls silent when this is dropped, and the processes of its Pods are killed.
pub(crate) struct Node {
    client: Client,
    kubelet: Arc<Kubelet>,
    _tasks: JoinSet<()>,
}

/// An annotation of a played Pod: after how many milliseconds it ends when it is asked to, if its grace lasts longer.
pub(crate) const ENDS_AFTER: &str = "lab.example.com/ends-after";

/// A process of a Pod that is only played: what its node believes, whatever the API server knows.
#[derive(Debug)]
pub(crate) struct Life {
    /// The Node.
    pub(crate) node: String,
    /// The Pod, as it was when it came to the Node.
    pub(crate) pod: Arc<Pod>,
    /// Or it has ended.
    pub(crate) begins: bool,
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
    pub(crate) async fn register(client: Client, name: &str, image: OurImage, directory: PathBuf) -> Result<Self> {
        std::fs::create_dir(&directory).with_context(|| format!("making {}", directory.display()))?;
        let nodes: Api<NodeObject> = Api::all(client.clone());
        create(&nodes, name).await.context("registering the Node")?;
        beat(&client, &nodes, name).await?;

        let kubelet = Arc::new(Kubelet::new(client.clone(), name, image, directory)?);
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&kubelet).follow_pods());
        let (heart, of_heart) = (Arc::clone(&kubelet), client.clone());
        tasks.spawn(async move {
            loop {
                tokio::time::sleep(BEAT).await;
                heart.awake().await;
                if let Err(error) = beat(&of_heart, &nodes, &heart.node).await {
                    heart.note(&format!("renewing the Lease: {error:#}"));
                }
            }
        });
        Ok(Self { client, kubelet, _tasks: tasks })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.kubelet.node
    }

    /// From now on the kubelet neither hears nor says anything, like one that is stopped; what it has started runs on.
    pub(crate) fn silence(&self) {
        self.kubelet.silent().send_replace(true);
    }

    /// Ends [`Node::silence`].
    pub(crate) fn wake(&self) {
        self.kubelet.silent().send_replace(false);
    }

    /// Registers the Node again where somebody has deleted it, as a kubelet does when it starts.
    pub(crate) async fn register_again(&self) -> Result<()> {
        let nodes: Api<NodeObject> = Api::all(self.client.clone());
        create(&nodes, self.name()).await.context("registering the Node again")?;
        beat(&self.client, &nodes, self.name()).await
    }

    /// Tells of every process of a played Pod, from now on.
    pub(crate) fn tell(&self, lives: UnboundedSender<Life>) {
        self.kubelet.lives().send_replace(Some(lives));
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

    /// From now on containers of this image run this program: another version of ours.
    pub(crate) fn also_runs(&self, image: &str, program: PathBuf) {
        self.kubelet.also_runs(image, program);
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
async fn create(nodes: &Api<NodeObject>, name: &str) -> Result<()> {
    let room = json!({ "cpu": "1000", "memory": "4Ti", "ephemeral-storage": "4Ti", "pods": "100000" });
    let mut labels = BTreeMap::from([
        ("kubernetes.io/hostname", name),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", "amd64"),
    ]);
    let mut taints = Vec::new();
    if name != NODE_NAME {
        labels.insert(OTHERS, "true");
        taints.push(json!({ "key": OTHERS, "effect": "NoSchedule" }));
    }
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": name, "labels": labels },
        "spec": { "taints": taints },
        "status": {
            "capacity": room,
            "allocatable": room,
            "addresses": [
                { "type": "InternalIP", "address": NODE_ADDRESS },
                { "type": "Hostname", "address": name },
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
async fn beat(client: &Client, nodes: &Api<NodeObject>, name: &str) -> Result<()> {
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
    let node = nodes.patch_status(name, &PatchParams::default(), &Patch::Strategic(status)).await?;

    let leases: Api<Lease> = Api::namespaced(client.clone(), "kube-node-lease");
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": { "name": name, "namespace": "kube-node-lease", "ownerReferences": [{
            "apiVersion": "v1", "kind": "Node", "name": name, "uid": node.uid().unwrap_or_default(),
        }] },
        "spec": { "holderIdentity": name, "leaseDurationSeconds": 40, "renewTime": MicroTime(now) },
    });
    match leases.patch(name, &PatchParams::default(), &Patch::Merge(&lease)).await {
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
