//! Startup, readiness and liveness probes of one process, against its Pod's address.
//!
//! They differ from a kubelet's in one thing: until a probe has passed for the first time it is tried ten times a
//! second, so that a test does not wait for a period. Failures are still counted once per period.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Container, HTTPGetAction, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

/// Which probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ProbeKind {
    Startup,
    Readiness,
    Liveness,
}

/// A threshold was reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict {
    pub(super) kind: ProbeKind,
    pub(super) passed: bool,
}

/// The probes of one process. They end when this is dropped.
pub(super) struct Probes {
    planned: Vec<(ProbeKind, Plan)>,
    verdicts: mpsc::UnboundedReceiver<Verdict>,
    sender: mpsc::UnboundedSender<Verdict>,
    running: JoinSet<()>,
}

impl Probes {
    /// Reads the probes of a container; none runs yet.
    ///
    /// # Errors
    /// If one cannot be played, or names a port that the container does not have.
    pub(super) fn new(container: &Container, address: &str) -> Result<Self, String> {
        let mut planned = Vec::new();
        for (kind, probe) in [
            (ProbeKind::Startup, &container.startup_probe),
            (ProbeKind::Readiness, &container.readiness_probe),
            (ProbeKind::Liveness, &container.liveness_probe),
        ] {
            if let Some(probe) = probe {
                let plan = Plan::new(probe, container, address).map_err(|error| format!("{kind:?} probe: {error}"))?;
                planned.push((kind, plan));
            }
        }
        let (sender, verdicts) = mpsc::unbounded_channel();
        Ok(Self { planned, verdicts, sender, running: JoinSet::new() })
    }

    /// Starts one probe, if the container has it.
    pub(super) fn start(&mut self, kind: ProbeKind) {
        if let Some((_, plan)) = self.planned.iter().find(|(planned, _)| *planned == kind) {
            self.running.spawn(plan.clone().run(kind, self.sender.clone()));
        }
    }

    /// Starts what runs after a successful start: readiness and liveness.
    pub(super) fn start_others(&mut self) {
        self.start(ProbeKind::Readiness);
        self.start(ProbeKind::Liveness);
    }

    /// The next verdict; never, if there is none.
    pub(super) async fn next(&mut self) -> Verdict {
        match self.verdicts.recv().await {
            Some(verdict) => verdict,
            None => std::future::pending().await,
        }
    }
}

/// What one probe does, with the defaults of the API server.
#[derive(Debug, Clone)]
struct Plan {
    target: String,
    /// The HTTP request, or nothing for a plain connection.
    request: Option<String>,
    initial_delay: Duration,
    period: Duration,
    timeout: Duration,
    successes: i32,
    failures: i32,
}

impl Plan {
    fn new(probe: &Probe, container: &Container, address: &str) -> Result<Self, String> {
        let (port, request) = if let Some(get) = &probe.http_get {
            if get.scheme.as_deref() == Some("HTTPS") || get.host.is_some() {
                return Err("the node of the lab plays httpGet only with HTTP to the Pod's own address".to_owned());
            }
            (&get.port, Some(http_request(get, address)))
        } else if let Some(tcp) = &probe.tcp_socket {
            (&tcp.port, None)
        } else {
            return Err("the node of the lab plays only httpGet and tcpSocket".to_owned());
        };
        let number = match port {
            IntOrString::Int(number) => *number,
            IntOrString::String(name) => {
                let mut ports = container.ports.iter().flatten();
                let found = ports.find(|port| port.name.as_ref() == Some(name));
                found.ok_or_else(|| format!("the container has no port named {name}"))?.container_port
            }
        };
        let seconds = |value: Option<i32>, default: u64| {
            Duration::from_secs(value.and_then(|value| u64::try_from(value).ok()).unwrap_or(default))
        };
        Ok(Self {
            target: format!("{address}:{number}"),
            request,
            initial_delay: seconds(probe.initial_delay_seconds, 0),
            period: seconds(probe.period_seconds, 10),
            timeout: seconds(probe.timeout_seconds, 1),
            successes: probe.success_threshold.unwrap_or(1),
            failures: probe.failure_threshold.unwrap_or(3),
        })
    }

    async fn run(self, kind: ProbeKind, verdicts: mpsc::UnboundedSender<Verdict>) {
        sleep(self.initial_delay).await;
        let (mut successes, mut failures) = (0, 0);
        let mut ever_passed = false;
        let mut count_failure_from = Instant::now() + self.period;
        loop {
            let passed = timeout(self.timeout, self.try_once()).await.unwrap_or(false);
            let now = Instant::now();
            if passed {
                ever_passed = true;
                failures = 0;
                successes += 1;
            } else {
                successes = 0;
                if ever_passed || now >= count_failure_from {
                    failures += 1;
                    count_failure_from = now + self.period;
                }
            }
            // Said once, when the threshold is reached: the state it leads to stays until the other one is.
            if (passed && successes == self.successes) || (!passed && failures == self.failures) {
                let verdict = Verdict { kind, passed };
                if verdicts.send(verdict).is_err() || kind == ProbeKind::Startup {
                    return;
                }
            }
            sleep(if ever_passed { self.period } else { self.period.min(EAGER) }).await;
        }
    }

    async fn try_once(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(&self.target).await else { return false };
        let Some(request) = &self.request else { return true };
        if stream.write_all(request.as_bytes()).await.is_err() {
            return false;
        }
        let mut answer = Vec::new();
        // The status line is enough; the rest is read so that the server sees an orderly end.
        if stream.take(64 * 1024).read_to_end(&mut answer).await.is_err() {
            return false;
        }
        let code = answer.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.first());
        // 200 to 399 is a success.
        matches!(code, Some(b'2' | b'3'))
    }
}

fn http_request(get: &HTTPGetAction, address: &str) -> String {
    let path = get.path.as_deref().unwrap_or("/");
    let headers = get.http_headers.iter().flatten();
    let headers: String =
        headers.flat_map(|header| [header.name.as_str(), ": ", header.value.as_str(), "\r\n"]).collect();
    format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: kube-probe/lab\r\n{headers}Connection: close\r\n\r\n"
    )
}

/// How often a probe is tried that has not passed yet.
const EAGER: Duration = Duration::from_millis(100);
