//! A Pod with our image: its volumes, its containers' processes, its status, its end.
//!
//! Two tasks: one does the work (volumes, then init containers one after the other, then all others), one listens to it
//! and to the API server and reports. What a container does between start and end is in `container`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod};
use kube::ResourceExt as _;
use tokio::process::Command;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::container::{Restart, Slot, Supervisor};
use super::kubelet::Kubelet;
use super::played;
use super::stage::NODE_ADDRESS;
use super::status::{Existence, Phase, Report, status, waiting};
use super::volumes::Volumes;

/// Whether a container of this Pod runs our program.
pub(super) fn is_ours(pod: &Pod, kubelet: &Kubelet) -> bool {
    let spec = pod.spec.as_ref();
    let init = spec.and_then(|spec| spec.init_containers.as_ref()).into_iter().flatten();
    let main = spec.into_iter().flat_map(|spec| &spec.containers);
    init.chain(main).any(|container| kubelet.program(container.image.as_deref()).is_some())
}

/// Looks after one Pod from when it is bound to the Node until it is gone.
pub(super) async fn run(kubelet: Arc<Kubelet>, pod: Arc<Pod>, mut versions: watch::Receiver<Arc<Pod>>) {
    let address = played::address(&kubelet, &pod);
    // A Pod on the host's network shares the Node's address.
    let own_address = address != NODE_ADDRESS;
    if own_address && let Err(error) = loopback("add", &address).await {
        kubelet.note(&format!("{error:#}"));
    }
    let mut report = Report::new(Arc::clone(&kubelet), &pod, versions.clone(), address.clone());
    let (stop, stopping) = watch::channel(None);
    let (statuses, mut news) = mpsc::unbounded_channel();
    let work =
        Work { kubelet: Arc::clone(&kubelet), pod: Arc::clone(&pod), address: address.clone(), statuses, stopping };
    // In a set, so that it ends with this task.
    let mut working = JoinSet::new();
    working.spawn(work.run());

    let mut finished = false;
    loop {
        let deleted = played::end_of_grace(&versions.borrow_and_update());
        if let Some(end) = deleted {
            if finished {
                report.delete().await;
                break;
            }
            stop.send_if_modified(|stop| earlier(stop, end));
        }
        let existence = tokio::select! {
            fresh = news.recv(), if !finished => {
                if let Some((slot, status)) = fresh {
                    set(&mut report, slot, status);
                    // One report for all that happened meanwhile.
                    while let Ok((slot, status)) = news.try_recv() {
                        set(&mut report, slot, status);
                    }
                } else {
                    finished = true;
                    report.phase = working.join_next().await.and_then(Result::ok).unwrap_or(Phase::Failed);
                }
                report.publish().await
            }
            changed = versions.changed() => if changed.is_ok() { Existence::There } else { Existence::Gone },
        };
        if existence == Existence::Gone {
            break;
        }
    }
    // Gone by force, perhaps, while its processes run.
    stop.send_replace(Some(Instant::now()));
    while working.join_next().await.is_some() {}
    if own_address && let Err(error) = loopback("delete", &address).await {
        kubelet.note(&format!("{error:#}"));
    }
}

/// What has to be done for the Pod, in order.
struct Work {
    kubelet: Arc<Kubelet>,
    pod: Arc<Pod>,
    address: String,
    statuses: mpsc::UnboundedSender<(Slot, ContainerStatus)>,
    stopping: watch::Receiver<Option<Instant>>,
}

impl Work {
    /// Does it, and returns the phase in which the Pod ends.
    async fn run(mut self) -> Phase {
        let spec = self.pod.spec.clone().unwrap_or_default();
        let Some(volumes) = self.volumes().await else { return Phase::Failed };
        let directory = volumes.directory().to_owned();
        let mut background = JoinSet::new();
        background.spawn(volumes.keep_fresh());
        let policy = Restart::from_pod(&spec);

        for (index, container) in spec.init_containers.iter().flatten().enumerate() {
            let slot = Slot::Init(index);
            if self.kubelet.program(container.image.as_deref()).is_none() {
                let _ = self.statuses.send((slot, played::initialized(container)));
                continue;
            }
            // An init container is repeated until it succeeds, unless the Pod says never.
            let policy = if policy == Restart::Never { Restart::Never } else { Restart::OnFailure };
            let supervisor = self.supervisor(slot, container.clone(), policy, directory.clone());
            if supervisor.run().await != 0 {
                return Phase::Failed;
            }
        }
        let mut running: JoinSet<i32> = JoinSet::new();
        let mut played_on = false;
        for (index, container) in spec.containers.iter().enumerate() {
            let slot = Slot::Main(index);
            if self.kubelet.program(container.image.as_deref()).is_some() {
                running.spawn(self.supervisor(slot, container.clone(), policy, directory.clone()).run());
            } else {
                played_on = true;
                let _ = self.statuses.send((slot, played::running(container)));
            }
        }
        let codes = running.join_all().await;
        if played_on {
            // What has no process ends only with the Pod.
            let _ = self.stopping.wait_for(Option::is_some).await;
        }
        if codes.iter().all(|&code| code == 0) { Phase::Succeeded } else { Phase::Failed }
    }

    /// Fills the volumes. What they are made of may come later than the Pod, so it is tried until the Pod is deleted.
    async fn volumes(&mut self) -> Option<Volumes> {
        let mut said = String::new();
        loop {
            match Volumes::fill(&self.kubelet, &self.pod, &self.address).await {
                Ok(volumes) => return Some(volumes),
                Err(error) => {
                    let message = format!("{error:#}");
                    if message != said {
                        self.kubelet.note(&format!("volumes of {}: {message}", self.pod.name_any()));
                        self.tell(&message);
                        said = message;
                    }
                }
            }
            tokio::select! {
                _ = self.stopping.wait_for(Option::is_some) => return None,
                () = tokio::time::sleep(Duration::from_millis(100)) => {}
            }
        }
    }

    /// Says in the status of all containers why they do not start.
    fn tell(&self, message: &str) {
        for (index, container) in self.pod.spec.iter().flat_map(|spec| &spec.containers).enumerate() {
            let state = waiting("ContainerCreating", Some(message.to_owned()));
            let _ = self.statuses.send((Slot::Main(index), status(container, state)));
        }
    }

    fn supervisor(&self, slot: Slot, container: Container, restart: Restart, volumes: PathBuf) -> Supervisor {
        Supervisor {
            kubelet: Arc::clone(&self.kubelet),
            pod: Arc::clone(&self.pod),
            container,
            address: self.address.clone(),
            volumes,
            restart,
            slot,
            statuses: self.statuses.clone(),
            stopping: self.stopping.clone(),
        }
    }
}

/// Puts a container's news into the report; a Pod whose main containers have news is past its beginning.
fn set(report: &mut Report, slot: Slot, status: ContainerStatus) {
    let (statuses, index) = match slot {
        Slot::Init(index) => (&mut report.init, index),
        Slot::Main(index) => (&mut report.main, index),
    };
    if let Some(place) = statuses.get_mut(index) {
        *place = status;
    }
    let started = |status: &ContainerStatus| {
        status.state.as_ref().is_some_and(|state| state.waiting.is_none()) || status.restart_count > 0
    };
    if report.phase == Phase::Pending && report.main.iter().any(started) {
        report.phase = Phase::Running;
    }
}

/// Moves the end of the grace period, but never to a later time.
fn earlier(stop: &mut Option<Instant>, end: Instant) -> bool {
    let moved = stop.is_none_or(|stop| end < stop);
    if moved {
        *stop = Some(end);
    }
    moved
}

/// Adds a Pod's address to the loopback device of the lab, or deletes it.
async fn loopback(what: &str, address: &str) -> Result<()> {
    let address = format!("{address}/32");
    let output = Command::new("ip").args(["address", what, &address, "dev", "lo"]).output().await;
    let output = output.context("starting `ip`")?;
    if !output.status.success() {
        bail!("`ip address {what} {address}`: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
