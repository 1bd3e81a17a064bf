//! One container with our image: a process that is started, probed, restarted and ended as its Pod says.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, ContainerState, ContainerStatus, Pod, PodSpec};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use tokio::process::Child;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::component::Signal;
use super::kubelet::Kubelet;
use super::probes::{ProbeKind, Probes};
use super::{launch, status};

/// Which of the Pod's containers it is: an index into `spec.initContainers` or `spec.containers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Init(usize),
    Main(usize),
}

/// `spec.restartPolicy` of the Pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restart {
    Always,
    OnFailure,
    Never,
}

impl Restart {
    /// The policy of a Pod; `Always` is the API server's default.
    pub(super) fn from_pod(spec: &PodSpec) -> Self {
        match spec.restart_policy.as_deref() {
            Some("Never") => Self::Never,
            Some("OnFailure") => Self::OnFailure,
            _ => Self::Always,
        }
    }

    fn again_after(self, code: i32) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => code != 0,
            Self::Never => false,
        }
    }
}

/// Everything that one container needs to live.
pub(super) struct Supervisor {
    pub(super) kubelet: Arc<Kubelet>,
    pub(super) pod: Arc<Pod>,
    pub(super) container: Container,
    /// The Pod IP.
    pub(super) address: String,
    /// Where the Pod's volumes are, each under its name.
    pub(super) volumes: PathBuf,
    pub(super) restart: Restart,
    pub(super) slot: Slot,
    /// Where news goes.
    pub(super) statuses: mpsc::UnboundedSender<(Slot, ContainerStatus)>,
    /// When the Pod is to end: the end of its grace period.
    pub(super) stopping: watch::Receiver<Option<Instant>>,
}

impl Supervisor {
    /// Keeps the container running until its Pod ends or its restart policy says it is done. Returns its last exit code.
    pub(super) async fn run(mut self) -> i32 {
        let mut news = status::status(&self.container, status::waiting("ContainerCreating", None));
        let mut pause = FIRST_PAUSE;
        let mut code = NEVER_RAN;
        loop {
            if !self.may_start().await {
                return code;
            }
            let started = Instant::now();
            match self.live(&mut news).await {
                Ok(exit_code) => code = exit_code,
                Err(message) => {
                    let state = status::waiting("CreateContainerConfigError", Some(message.clone()));
                    self.kubelet.note(&format!("{} {}: {message}", self.key(), self.container.name));
                    self.tell(&mut news, state);
                    if self.pause(pause).await {
                        return code;
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    continue;
                }
            }
            if self.stopping.borrow().is_some() || !self.restart.again_after(code) {
                if self.slot_is_init() && code == 0 {
                    news.ready = true;
                    let state = news.state.clone().unwrap_or_default();
                    self.tell(&mut news, state);
                }
                return code;
            }
            news.last_state = news.state.take();
            self.tell(&mut news, status::waiting("CrashLoopBackOff", None));
            if started.elapsed() > FORGIVEN_AFTER {
                pause = FIRST_PAUSE;
            }
            if self.pause(pause).await {
                return code;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            news.restart_count += 1;
        }
    }

    /// One life of the process, from start to exit.
    ///
    /// # Errors
    /// If it cannot be started: with the sentence for `state.waiting.message`.
    async fn live(&mut self, news: &mut ContainerStatus) -> Result<i32, String> {
        let has_startup = self.container.startup_probe.is_some();
        let has_readiness = self.container.readiness_probe.is_some();
        let mut probes = Probes::new(&self.container, &self.address)?;
        let mut command =
            launch::command(&self.kubelet, &self.pod, &self.container, &self.address, &self.volumes).await?;
        let mut child = command.spawn().map_err(|error| format!("starting the process: {error}"))?;
        let pid = child.id().unwrap_or_default();
        let _listed = self.kubelet.running(&self.key(), &self.container.name, pid);
        let since = Timestamp::now();

        news.started = Some(!has_startup);
        news.ready = !has_startup && !has_readiness;
        self.tell(news, status::running(since));
        if has_startup {
            probes.start(ProbeKind::Startup);
        } else {
            probes.start_others();
        }

        // When SIGTERM, and when SIGKILL is due.
        let (mut term_at, mut kill_at) = (None, None);
        let code = loop {
            let stop = *self.stopping.borrow_and_update();
            if let Some(end) = stop {
                if kill_at.is_none() {
                    term_at = Some(Instant::now() + self.pre_stop());
                }
                kill_at = Some(kill_at.map_or(end, |kill_at: Instant| kill_at.min(end)));
            }
            tokio::select! {
                exit = child.wait() => break exit_code(exit),
                verdict = probes.next() => match (verdict.kind, verdict.passed) {
                    (ProbeKind::Startup, true) => {
                        news.started = Some(true);
                        news.ready = !has_readiness;
                        self.tell(news, status::running(since));
                        probes.start_others();
                    }
                    (ProbeKind::Readiness, ready) => {
                        news.ready = ready;
                        self.tell(news, status::running(since));
                    }
                    (ProbeKind::Liveness, true) => {}
                    (ProbeKind::Startup | ProbeKind::Liveness, false) => {
                        self.kubelet.note(&format!("{} {}: {:?} probe failed", self.key(), self.container.name, verdict.kind));
                        if kill_at.is_none() {
                            term_at = Some(Instant::now() + self.pre_stop());
                            kill_at = Some(Instant::now() + self.grace());
                        }
                    }
                },
                () = at(term_at) => {
                    term_at = None;
                    self.send(Signal::Terminate, pid).await;
                }
                () = at(kill_at) => break end(&mut child).await,
                _ = self.stopping.changed(), if stop.is_none() => {}
            }
        };
        news.ready = false;
        news.started = Some(false);
        self.tell(news, status::terminated(since, code));
        Ok(code)
    }

    /// Waits while a test holds the Pod. False if the Pod is to end.
    async fn may_start(&mut self) -> bool {
        let key = self.key();
        let mut held = self.kubelet.held().subscribe();
        tokio::select! {
            biased;
            _ = self.stopping.wait_for(Option::is_some) => false,
            _ = held.wait_for(|held| !held.contains(&key)) => true,
        }
    }

    /// True if the Pod is to end before the pause is over.
    async fn pause(&mut self, pause: Duration) -> bool {
        timeout_at(Instant::now() + pause, self.stopping.wait_for(Option::is_some)).await.is_ok()
    }

    fn tell(&self, news: &mut ContainerStatus, state: ContainerState) {
        news.state = Some(state);
        // Nobody listens any more when the Pod is gone.
        let _ = self.statuses.send((self.slot, news.clone()));
    }

    async fn send(&self, signal: Signal, pid: u32) {
        if let Err(error) = signal.send(pid).await {
            self.kubelet.note(&format!("{}: {error:#}", self.key()));
        }
    }

    /// `lifecycle.preStop.sleep`: how long the process is left alone before it is asked to end.
    fn pre_stop(&self) -> Duration {
        let lifecycle = self.container.lifecycle.as_ref();
        let sleep = lifecycle.and_then(|lifecycle| lifecycle.pre_stop.as_ref()).and_then(|hook| hook.sleep.as_ref());
        seconds(sleep.map_or(0, |sleep| sleep.seconds))
    }

    /// `terminationGracePeriodSeconds`, for a process that ends because of a probe.
    fn grace(&self) -> Duration {
        seconds(self.pod.spec.as_ref().and_then(|spec| spec.termination_grace_period_seconds).unwrap_or(30))
    }

    fn slot_is_init(&self) -> bool {
        matches!(self.slot, Slot::Init(_))
    }

    /// `namespace/name` of the Pod.
    fn key(&self) -> String {
        format!("{}/{}", self.pod.namespace().unwrap_or_default(), self.pod.name_any())
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

async fn end(child: &mut Child) -> i32 {
    let _ = child.start_kill();
    exit_code(child.wait().await)
}

/// As a container runtime reports it: 128 + signal for a process that a signal has ended.
fn exit_code(exit: std::io::Result<ExitStatus>) -> i32 {
    let by_signal = |exit: ExitStatus| exit.signal().map(|number| 128 + number);
    exit.ok().and_then(|exit| exit.code().or_else(|| by_signal(exit))).unwrap_or(NEVER_RAN)
}

fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// A kubelet waits 10 s, then twice as long each time up to 5 minutes: a test has no time for that.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A process that ran for so long starts with the shortest pause again (10 minutes in a kubelet): a test that kills one
/// replica after the other does not make them slower.
const FORGIVEN_AFTER: Duration = Duration::from_secs(2);
/// The exit code of a container that never had one.
const NEVER_RAN: i32 = 137;
