//! What all Pods of the Node share, and the loop that gives each Pod a task of its own.
//!
//! The loop only tells the tasks which version of their Pod is the newest and whether it is gone. It lists again
//! whenever the watch ends, so a watch may break at any time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use kube::{Client, ResourceExt};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::node::{Life, OurImage, Process};
use super::watch::Watch;
use super::{played, pod};

/// The Node's side of all its Pods.
pub(super) struct Kubelet {
    pub(super) client: Client,
    /// The name of the Node.
    pub(super) node: String,
    image: OurImage,
    /// Programs of ours beside it, by image.
    others: Mutex<BTreeMap<String, PathBuf>>,
    /// Bounds the requests at one time: HTTP/1.1 needs a connection for each.
    pub(super) requests: Semaphore,
    directory: PathBuf,
    notes: Mutex<File>,
    addresses: AtomicU32,
    processes: Mutex<BTreeMap<(String, String), u32>>,
    held: watch::Sender<BTreeSet<String>>,
    silent: watch::Sender<bool>,
    lives: watch::Sender<Option<UnboundedSender<Life>>>,
}

impl Kubelet {
    pub(super) fn new(client: Client, node: &str, image: OurImage, directory: PathBuf) -> Result<Self> {
        let notes = OpenOptions::new().create(true).append(true).open(directory.join("node.log"))?;
        Ok(Self {
            client,
            node: node.to_owned(),
            image,
            others: Mutex::default(),
            requests: Semaphore::new(32),
            directory,
            notes: Mutex::new(notes),
            addresses: AtomicU32::new(FIRST_ADDRESS),
            processes: Mutex::default(),
            held: watch::Sender::default(),
            silent: watch::Sender::default(),
            lives: watch::Sender::default(),
        })
    }

    /// The program of an image, if it is one of ours.
    pub(super) fn program(&self, image: Option<&str>) -> Option<PathBuf> {
        let ours = image.filter(|image| *image == self.image.name).map(|_| self.image.binary.clone());
        ours.or_else(|| locked(&self.others).get(image?).cloned())
    }

    /// Containers of this image run this program from now on.
    pub(super) fn also_runs(&self, image: &str, program: PathBuf) {
        locked(&self.others).insert(image.to_owned(), program);
    }

    /// Runs for ever: every Pod bound to this Node has a task, from when it is first seen until it is gone.
    pub(super) async fn follow_pods(self: Arc<Self>) {
        let mut pods = Pods { kubelet: Arc::clone(&self), newest: HashMap::new(), tasks: JoinSet::new() };
        loop {
            if let Err(error) = self.follow_once(&mut pods).await {
                self.note(&format!("watching Pods: {error:#}"));
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }

    async fn follow_once(&self, pods: &mut Pods) -> Result<()> {
        self.awake().await;
        let here = format!("spec.nodeName={}", self.node);
        let all: Api<Pod> = Api::all(self.client.clone());
        let list = all.list(&ListParams::default().fields(&here)).await?;
        let listed: BTreeSet<String> = list.items.iter().filter_map(ResourceExt::uid).collect();
        pods.newest.retain(|uid, _| listed.contains(uid));
        let revision = list.metadata.resource_version.unwrap_or_default();
        list.items.into_iter().for_each(|pod| pods.seen(pod));

        let params = WatchParams::default().fields(&here);
        let mut events = Watch::<Pod>::open(&self.client, "/api/v1/pods", &params, &revision).await?;
        while let Some(event) = events.next().await? {
            self.awake().await;
            match event {
                WatchEvent::Added(pod) | WatchEvent::Modified(pod) => pods.seen(pod),
                WatchEvent::Deleted(pod) => drop(pods.newest.remove(&pod.uid().unwrap_or_default())),
                WatchEvent::Bookmark(_) => {}
                WatchEvent::Error(status) => bail!("{status:?}"),
            }
        }
        Ok(())
    }

    /// A Pod IP that no other Pod of this lab has had, from the usual Pod network.
    pub(super) fn address(&self) -> String {
        let number = self.addresses.fetch_add(1, Ordering::Relaxed);
        format!("10.244.{}.{}", (number / 254) % 256, number % 254 + 1)
    }

    /// Where a Pod keeps its volumes.
    pub(super) fn pod_directory(&self, uid: &str) -> PathBuf {
        self.directory.join(uid)
    }

    /// Where a container's output goes.
    pub(super) fn output_file(&self, pod: &str, container: &str) -> PathBuf {
        self.directory.join(format!("{}_{container}.log", pod.replace('/', "_")))
    }

    /// Pods whose containers are not to be started again.
    pub(super) fn held(&self) -> &watch::Sender<BTreeSet<String>> {
        &self.held
    }

    /// Whether it neither hears nor says anything.
    pub(super) fn silent(&self) -> &watch::Sender<bool> {
        &self.silent
    }

    /// Waits while it is silent.
    pub(super) async fn awake(&self) {
        // It fails when the sender is gone, which is held here.
        let _ = self.silent.subscribe().wait_for(|silent| !silent).await;
    }

    /// Who is told of the processes of played Pods.
    pub(super) fn lives(&self) -> &watch::Sender<Option<UnboundedSender<Life>>> {
        &self.lives
    }

    pub(super) fn processes(&self) -> Vec<Process> {
        let process = |((pod, container), pid): (&(String, String), &u32)| Process {
            pod: pod.clone(),
            container: container.clone(),
            pid: *pid,
        };
        locked(&self.processes).iter().map(process).collect()
    }

    /// Lists a process for as long as the answer lives.
    pub(super) fn running(self: &Arc<Self>, pod: &str, container: &str, pid: u32) -> Running {
        let key = (pod.to_owned(), container.to_owned());
        locked(&self.processes).insert(key.clone(), pid);
        Running { kubelet: Arc::clone(self), key }
    }

    /// Writes a line to the Node's log.
    pub(super) fn note(&self, what: &str) {
        let now = Timestamp::now();
        // A full disk shows elsewhere.
        let _ = writeln!(locked(&self.notes), "{now} {what}");
    }
}

/// An entry in [`Kubelet::processes`].
pub(super) struct Running {
    kubelet: Arc<Kubelet>,
    key: (String, String),
}

impl Drop for Running {
    fn drop(&mut self) {
        locked(&self.kubelet.processes).remove(&self.key);
    }
}

/// The tasks, and how each learns of its Pod's newest version. A dropped sender tells the task that the Pod is gone.
struct Pods {
    kubelet: Arc<Kubelet>,
    newest: HashMap<String, watch::Sender<Arc<Pod>>>,
    tasks: JoinSet<()>,
}

impl Pods {
    fn seen(&mut self, pod: Pod) {
        let pod = Arc::new(pod);
        match self.newest.get(&pod.uid().unwrap_or_default()) {
            Some(newest) => drop(newest.send_replace(pod)),
            None => self.start(pod),
        }
        // Tasks that have ended leave their results behind; nobody needs them.
        while self.tasks.try_join_next().is_some() {}
    }

    fn start(&mut self, pod: Arc<Pod>) {
        let (newest, versions) = watch::channel(Arc::clone(&pod));
        self.newest.insert(pod.uid().unwrap_or_default(), newest);
        let kubelet = Arc::clone(&self.kubelet);
        if pod::is_ours(&pod, &kubelet) {
            self.tasks.spawn(pod::run(kubelet, pod, versions));
        } else {
            self.tasks.spawn(played::run(kubelet, pod, versions));
        }
    }
}

/// Locks, also after a panic elsewhere: what is inside is valid at every moment.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// 10.244.0.2: the first address of a Pod network is the bridge's.
const FIRST_ADDRESS: u32 = 1;
