//! The status of one Pod as the kubelet reports it, and the last word of a Pod's life: its deletion.
//!
//! It holds what was last reported, so that a condition keeps its transition time. It decides nothing about processes.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting, ContainerStatus,
    Pod,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use super::kubelet::Kubelet;
use super::node::whole_seconds;
use super::stage::NODE_ADDRESS;

/// What the API server is told about one Pod.
pub(super) struct Report {
    kubelet: Arc<Kubelet>,
    pods: Api<Pod>,
    versions: watch::Receiver<Arc<Pod>>,
    name: String,
    uid: String,
    address: String,
    started: Timestamp,
    conditions: Vec<(&'static str, bool, Timestamp)>,
    pub(super) phase: Phase,
    pub(super) init: Vec<ContainerStatus>,
    pub(super) main: Vec<ContainerStatus>,
}

/// `status.phase`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
}

/// Whether the Pod still exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existence {
    There,
    Gone,
}

impl Report {
    /// A Pod none of whose containers has started.
    pub(super) fn new(kubelet: Arc<Kubelet>, pod: &Pod, versions: watch::Receiver<Arc<Pod>>, address: String) -> Self {
        let spec = pod.spec.as_ref();
        let waiting = |container: &Container| status(container, waiting("ContainerCreating", None));
        Self {
            pods: Api::namespaced(kubelet.client.clone(), &pod.namespace().unwrap_or_default()),
            kubelet,
            versions,
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
            address,
            started: Timestamp::now(),
            conditions: Vec::new(),
            phase: Phase::Pending,
            init: spec.and_then(|spec| spec.init_containers.as_ref()).into_iter().flatten().map(waiting).collect(),
            main: spec.into_iter().flat_map(|spec| &spec.containers).map(waiting).collect(),
        }
    }

    /// Tells the API server, as often as it takes.
    pub(super) async fn publish(&mut self) -> Existence {
        let patch = Patch::Strategic(self.patch());
        let mut pause = Duration::from_millis(20);
        loop {
            self.kubelet.awake().await;
            let answer = {
                let _one_of_few = self.kubelet.requests.acquire().await;
                self.pods.patch_status(&self.name, &PatchParams::default(), &patch).await
            };
            match answer {
                Ok(_) => return Existence::There,
                Err(kube::Error::Api(status)) if is_denial(status.code) && self.is_gone().await => {
                    return Existence::Gone;
                }
                Err(error) => self.kubelet.note(&format!("status of {}: {error}", self.name)),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// Deletes the Pod object: nothing of the Pod runs any more.
    pub(super) async fn delete(&mut self) {
        let last = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(Preconditions { uid: Some(self.uid.clone()), resource_version: None }),
            ..DeleteParams::default()
        };
        let mut pause = Duration::from_millis(20);
        loop {
            self.kubelet.awake().await;
            let answer = {
                let _one_of_few = self.kubelet.requests.acquire().await;
                self.pods.delete(&self.name, &last).await
            };
            match answer {
                Ok(_) => return,
                Err(kube::Error::Api(status)) if is_denial(status.code) && self.is_gone().await => return,
                Err(error) => self.kubelet.note(&format!("deleting {}: {error}", self.name)),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// Whether the kubelet hears the same from its watch: an API server that has just started may say that there is no such
    /// Pod only because its own caches are still empty.
    async fn is_gone(&mut self) -> bool {
        timeout(A_MOMENT, async { while self.versions.changed().await.is_ok() {} }).await.is_ok()
    }

    /// The strategic merge patch: lists of conditions are merged by type, so other controllers' conditions stay.
    fn patch(&mut self) -> Value {
        let all = |statuses: &[ContainerStatus]| statuses.iter().all(|status| status.ready);
        let initialized = self.init.iter().all(|init| init.ready || init.started == Some(true));
        let ready = self.phase == Phase::Running && all(&self.main);
        self.condition("PodReadyToStartContainers", !matches!(self.phase, Phase::Succeeded | Phase::Failed));
        self.condition("Initialized", initialized);
        self.condition("ContainersReady", ready);
        self.condition("Ready", ready);
        let conditions: Vec<Value> = self
            .conditions
            .iter()
            .map(|(kind, holds, since)| {
                json!({ "type": kind, "status": if *holds { "True" } else { "False" },
                "lastTransitionTime": whole_seconds(*since) })
            })
            .collect();
        json!({
            "metadata": { "uid": self.uid },
            "status": {
                "phase": format!("{:?}", self.phase),
                "conditions": conditions,
                "hostIP": NODE_ADDRESS,
                "hostIPs": [{ "ip": NODE_ADDRESS }],
                "podIP": self.address,
                "podIPs": [{ "ip": self.address }],
                "startTime": whole_seconds(self.started),
                "initContainerStatuses": self.init,
                "containerStatuses": self.main,
            },
        })
    }

    fn condition(&mut self, kind: &'static str, holds: bool) {
        match self.conditions.iter_mut().find(|condition| condition.0 == kind) {
            Some(condition) if condition.1 == holds => {}
            Some(condition) => *condition = (kind, holds, Timestamp::now()),
            None => self.conditions.push((kind, holds, Timestamp::now())),
        }
    }
}

/// Whether an answer says that the Pod is not there: 404, or 409 where another one has the name now.
fn is_denial(code: u16) -> bool {
    code == 404 || code == 409
}

/// For the watch to say so too.
const A_MOMENT: Duration = Duration::from_secs(1);

/// The status of a container that is neither ready nor was ever restarted.
pub(super) fn status(container: &Container, state: ContainerState) -> ContainerStatus {
    let image = container.image.clone().unwrap_or_default();
    ContainerStatus {
        name: container.name.clone(),
        image_id: format!("lab://{image}"),
        image,
        started: Some(false),
        state: Some(state),
        ..ContainerStatus::default()
    }
}

/// `state.waiting`.
pub(super) fn waiting(reason: &str, message: Option<String>) -> ContainerState {
    let waiting = ContainerStateWaiting { reason: Some(reason.to_owned()), message };
    ContainerState { waiting: Some(waiting), ..ContainerState::default() }
}

/// `state.running`.
pub(super) fn running(since: Timestamp) -> ContainerState {
    let running = ContainerStateRunning { started_at: Some(Time(since)) };
    ContainerState { running: Some(running), ..ContainerState::default() }
}

/// `state.terminated`.
pub(super) fn terminated(since: Timestamp, exit_code: i32) -> ContainerState {
    let terminated = ContainerStateTerminated {
        exit_code,
        reason: Some(if exit_code == 0 { "Completed" } else { "Error" }.to_owned()),
        started_at: Some(Time(since)),
        finished_at: Some(Time(Timestamp::now())),
        ..ContainerStateTerminated::default()
    };
    ContainerState { terminated: Some(terminated), ..ContainerState::default() }
}
