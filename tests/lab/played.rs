//! Everybody else's Pods: there is no image and no process, but the API server sees a Pod that runs.
//!
//! At once Running and Ready with an address of its own; when deleted, Terminating until the end of its grace period,
//! like a program that uses all the time it is given, unless [`ENDS_AFTER`] says otherwise. One whose Pod is gone by force
//! ends as a real one does: when the kubelet hears of it, and within its grace period.

use std::sync::Arc;

use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod};
use k8s_openapi::jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _};
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep, sleep_until};

use super::kubelet::Kubelet;
use super::node::{ENDS_AFTER, Life};
use super::stage::NODE_ADDRESS;
use super::status::{self, Existence, Phase, Report};

/// Plays one Pod from when it is bound to the Node until it is gone.
pub(super) async fn run(kubelet: Arc<Kubelet>, pod: Arc<Pod>, mut versions: watch::Receiver<Arc<Pod>>) {
    let mut report = Report::new(Arc::clone(&kubelet), &pod, versions.clone(), address(&kubelet, &pod));
    let spec = pod.spec.clone().unwrap_or_default();
    report.init = spec.init_containers.iter().flatten().map(initialized).collect();
    report.main = spec.containers.iter().map(running).collect();
    report.phase = Phase::Running;
    let process = Process::start(&kubelet, &pod);
    if report.publish().await == Existence::There
        && until_end_of_grace(&mut report, &mut versions).await == Existence::There
    {
        // The one that would end it may be silent.
        kubelet.awake().await;
        drop(process);
        report.delete().await;
    } else {
        let grace = spec.termination_grace_period_seconds.unwrap_or(0);
        sleep(Duration::from_secs(u64::try_from(grace).unwrap_or(0).max(LEAST_GRACE))).await;
        kubelet.awake().await;
    }
}

/// What the Pod asked for, until this is dropped.
struct Process {
    kubelet: Arc<Kubelet>,
    pod: Arc<Pod>,
}

impl Process {
    fn start(kubelet: &Arc<Kubelet>, pod: &Arc<Pod>) -> Self {
        let process = Self { kubelet: Arc::clone(kubelet), pod: Arc::clone(pod) };
        process.tell(true);
        process
    }

    fn tell(&self, begins: bool) {
        if let Some(lives) = &*self.kubelet.lives().borrow() {
            // Who does not want to know any more has gone.
            let _ = lives.send(Life { node: self.kubelet.node.clone(), pod: Arc::clone(&self.pod), begins });
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.tell(false);
    }
}

/// In seconds: the kubelet gives a Pod that is gone no less.
const LEAST_GRACE: u64 = 1;

/// A container that runs and is ready, though there is nothing behind it.
pub(super) fn running(container: &Container) -> ContainerStatus {
    let mut status = status::status(container, status::running(Timestamp::now()));
    status.ready = true;
    status.started = Some(true);
    status
}

/// An init container that has done its work; one that restarts always is a sidecar and runs on.
pub(super) fn initialized(container: &Container) -> ContainerStatus {
    if container.restart_policy.as_deref() == Some("Always") {
        return running(container);
    }
    let mut status = status::status(container, status::terminated(Timestamp::now(), 0));
    status.ready = true;
    status
}

/// The Pod IP: the Node's own address for a Pod on the host's network.
pub(super) fn address(kubelet: &Kubelet, pod: &Pod) -> String {
    let on_host = pod.spec.as_ref().and_then(|spec| spec.host_network).unwrap_or(false);
    if on_host { NODE_ADDRESS.to_owned() } else { kubelet.address() }
}

/// When a Pod that is being deleted must have ended: its grace period from now on. `None` while it is not deleted.
pub(super) fn end_of_grace(pod: &Pod) -> Option<Instant> {
    pod.meta().deletion_timestamp.as_ref()?;
    let seconds = pod.meta().deletion_grace_period_seconds.unwrap_or(0);
    let grace = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let ends_after = pod.annotations().get(ENDS_AFTER).and_then(|it| it.parse().ok()).map(Duration::from_millis);
    Some(Instant::now() + ends_after.map_or(grace, |needed| needed.min(grace)))
}

/// Waits until the Pod has been deleted and its grace period has passed. A second deletion may shorten the period. While
/// the node was silent its Pods were said not to be ready (the node lifecycle controller does); then it says again what is.
async fn until_end_of_grace(report: &mut Report, versions: &mut watch::Receiver<Arc<Pod>>) -> Existence {
    let mut end: Option<Instant> = None;
    loop {
        let newest = Arc::clone(&versions.borrow_and_update());
        if let Some(fresh) = end_of_grace(&newest) {
            end = Some(end.map_or(fresh, |end| end.min(fresh)));
        } else if is_said_not_ready(&newest) && report.publish().await == Existence::Gone {
            return Existence::Gone;
        }
        tokio::select! {
            changed = versions.changed() => if changed.is_err() { return Existence::Gone },
            () = async { sleep_until(end.unwrap_or_else(Instant::now)).await }, if end.is_some() => {
                return Existence::There;
            }
        }
    }
}

/// Not ready although its containers are: that is not what its kubelet has said.
fn is_said_not_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let is = |type_: &str, status: &str| conditions.iter().any(|it| it.type_ == type_ && it.status == status);
    is("Ready", "False") && is("ContainersReady", "True")
}
