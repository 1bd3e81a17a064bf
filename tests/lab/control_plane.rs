//! etcd, the API server, the controllers and the scheduler: started in order, waited for, stopped in order.
//!
//! The flags are those of a kubeadm cluster where they decide who may do what (authorizers, admission, one identity per
//! controller), and those of a fast test where they only decide how long it takes.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use tokio::process::Command;
use tokio::sync::Mutex;

use super::binaries::Binaries;
use super::component::{Component, Signal};
use super::pki::{ADMIN, Pki};
use super::progress::Progress;
use super::stage::{API_ADDRESS, API_PORT, SECOND_API_ADDRESS};

/// The running programs. Whatever of them is left is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct ControlPlane {
    files: Files,
    etcd: Mutex<Component>,
    /// By [`Part`].
    parts: [Mutex<Component>; 3],
    /// With what another API server is started, and who asks it.
    spare: (Vec<String>, PathBuf),
}

/// What a test may kill and stop. etcd is not among it: there is only one, and it is only taken back as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    ApiServer,
    ControllerManager,
    Scheduler,
}

/// Where the parts of the control plane find what they need.
#[derive(Debug)]
struct Files {
    more_flags: MoreFlags,
    binaries: Binaries,
    work: PathBuf,
    logs: PathBuf,
}

/// Flags of a program beside the lab's own; the last of a name counts.
pub(crate) type MoreFlags = fn(program: &str) -> &'static [&'static str];

impl ControlPlane {
    /// Boots all of it; when this returns, the API server is ready and the controllers have been started.
    ///
    /// # Errors
    /// If a part ends, or is not ready within a minute: with the end of its log.
    pub(crate) async fn boot(
        binaries: &Binaries,
        work: &Path,
        pki: &Pki,
        more_flags: MoreFlags,
        progress: &Progress,
    ) -> Result<Self> {
        let files = Files { more_flags, binaries: binaries.clone(), work: work.to_owned(), logs: work.join("logs") };
        std::fs::create_dir(&files.logs).with_context(|| format!("making {}", files.logs.display()))?;
        std::fs::write(files.audit_policy(), AUDIT_POLICY)?;

        let mut etcd = files.start("etcd", "etcd", &files.etcd_flags())?;
        // It waits for etcd by itself.
        let flags = files.api_server_flags(pki, API_ADDRESS);
        let mut api_server = files.start("kube-apiserver", "kube-apiserver", &flags)?;
        let client = client(&pki.kubeconfig(ADMIN)).await?;
        until_ready(&client, &mut [&mut etcd, &mut api_server]).await?;
        progress.step("etcd and the API server are ready");

        let controllers =
            files.start("kube-controller-manager", "kube-controller-manager", &controller_manager_flags(pki))?;
        let scheduler = files.start("kube-scheduler", "kube-scheduler", &scheduler_flags(pki))?;
        let parts = [api_server, controllers, scheduler].map(Mutex::new);
        let another = files.api_server_flags(pki, SECOND_API_ADDRESS);
        // One file has one writer.
        let flags = another.into_iter().filter(|flag| !flag.starts_with("--audit-")).collect();
        let spare = (flags, pki.kubeconfig(ADMIN));
        Ok(Self { files, etcd: Mutex::new(etcd), parts, spare })
    }

    /// Starts another API server on the same etcd. It ends with its component.
    ///
    /// # Errors
    /// As at the boot.
    pub(crate) async fn another_api_server(&self) -> Result<(Component, Client)> {
        let (flags, kubeconfig) = &self.spare;
        let mut component = self.files.start("kube-apiserver-2", "kube-apiserver", flags)?;
        let mut config = config(kubeconfig).await?;
        config.cluster_url = format!("https://{SECOND_API_ADDRESS}:{API_PORT}").parse()?;
        let client = Client::try_from(config)?;
        until_ready(&client, &mut [&mut component]).await?;
        Ok((component, client))
    }

    /// Kills a part without a word and starts it again; who needs it waits for it.
    pub(crate) async fn restart(&self, part: Part) -> Result<()> {
        self.part(part).lock().await.restart().await
    }

    /// The last lines of a part's log.
    pub(crate) async fn end_of_log(&self, part: Part) -> String {
        self.part(part).lock().await.end_of_log()
    }

    /// Sends a part a signal.
    pub(crate) async fn signal(&self, part: Part, signal: Signal) -> Result<()> {
        self.part(part).lock().await.signal(signal).await
    }

    /// Starts again what has ended by itself, as the kubelet does with static Pods. Says how many that were.
    pub(crate) async fn revive(&self) -> Result<usize> {
        let mut revived = 0;
        for part in &self.parts {
            let mut component = part.lock().await;
            if component.has_ended()? {
                component.restart().await?;
                revived += 1;
            }
        }
        Ok(revived)
    }

    /// Keeps what etcd holds now, for [`ControlPlane::restore`]: a copy such as a disk has when a process is killed.
    pub(crate) async fn back_up(&self) -> Result<()> {
        let etcd = self.etcd.lock().await;
        etcd.signal(Signal::Stop).await?;
        let copied = copy(&self.files.etcd_data(), &self.files.backup()).await;
        etcd.signal(Signal::Continue).await?;
        copied
    }

    /// Puts that back as one restores a cluster: everything that has seen what came later is ended and starts again. Who
    /// is not of the control plane is told nothing.
    ///
    /// # Errors
    /// If nothing was kept, or the API server is not ready in time.
    pub(crate) async fn restore(&self, client: &Client) -> Result<()> {
        let mut etcd = self.etcd.lock().await;
        for part in self.parts.iter().rev() {
            part.lock().await.stop(Duration::from_secs(2)).await?;
        }
        etcd.stop(Duration::from_secs(2)).await?;
        std::fs::remove_dir_all(self.files.etcd_data())?;
        copy(&self.files.backup(), &self.files.etcd_data()).await?;
        etcd.restart().await?;
        let [api_server, others @ ..] = &self.parts;
        let mut api_server = api_server.lock().await;
        api_server.restart().await?;
        until_ready(client, &mut [&mut etcd, &mut api_server]).await?;
        for part in others {
            part.lock().await.restart().await?;
        }
        Ok(())
    }

    fn part(&self, part: Part) -> &Mutex<Component> {
        let [api_server, controllers, scheduler] = &self.parts;
        match part {
            Part::ApiServer => api_server,
            Part::ControllerManager => controllers,
            Part::Scheduler => scheduler,
        }
    }

    /// Where the components' logs and the API server's audit log (`audit.log`) are.
    pub(crate) fn logs(&self) -> &Path {
        &self.files.logs
    }

    /// # Errors
    /// If one of the programs has ended on its own: with the end of its log.
    pub(crate) async fn check(&self) -> Result<()> {
        for component in [&self.etcd].into_iter().chain(&self.parts) {
            component.lock().await.check()?;
        }
        Ok(())
    }

    /// Ends everything: the clients first, then the API server, then etcd, without which an API server hangs.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        for component in self.parts.iter_mut().rev() {
            component.get_mut().stop(Duration::from_secs(2)).await?;
        }
        self.etcd.get_mut().stop(Duration::from_secs(2)).await
    }
}

impl Files {
    fn start(&self, name: &str, program: &str, flags: &[String]) -> Result<Component> {
        // One etcd serves every release.
        let directory = if program == "etcd" { &self.binaries.tools } else { &self.binaries.control_plane };
        let more = (self.more_flags)(program).iter().map(|&flag| flag.to_owned());
        let flags: Vec<_> = flags.iter().cloned().chain(more).collect();
        Component::start(name, &directory.join(program), &flags, &self.logs)
    }

    fn audit_policy(&self) -> PathBuf {
        self.work.join("audit-policy.yaml")
    }

    fn etcd_data(&self) -> PathBuf {
        self.work.join("etcd")
    }

    fn backup(&self) -> PathBuf {
        self.work.join("etcd-backup")
    }

    fn etcd_flags(&self) -> Vec<String> {
        vec![
            flag("data-dir", self.etcd_data().display()),
            flag("listen-client-urls", ETCD_CLIENTS),
            flag("advertise-client-urls", ETCD_CLIENTS),
            flag("listen-peer-urls", ETCD_PEERS),
            // Nothing has to survive the machine.
            flag("unsafe-no-fsync", true),
            flag("log-level", "warn"),
        ]
    }

    /// The flags of an API server that listens on `address` only: Pods are free to use its port on their own addresses.
    fn api_server_flags(&self, pki: &Pki, address: &str) -> Vec<String> {
        vec![
            flag("etcd-servers", ETCD_CLIENTS),
            flag("bind-address", address),
            flag("advertise-address", address),
            flag("secure-port", API_PORT),
            flag("tls-cert-file", pki.file("apiserver.crt").display()),
            flag("tls-private-key-file", pki.file("apiserver.key").display()),
            flag("client-ca-file", pki.authority_file().display()),
            flag("service-account-key-file", pki.file("service-accounts.pub").display()),
            flag("service-account-signing-key-file", pki.file("service-accounts.key").display()),
            flag("service-account-issuer", "https://kubernetes.default.svc"),
            flag("service-cluster-ip-range", "10.0.0.0/24"),
            flag("authorization-mode", "Node,RBAC"),
            flag("enable-admission-plugins", "NodeRestriction"),
            flag("allow-privileged", true),
            // A webhook's Service is resolved to its Endpoints, so there need be no kube-proxy.
            flag("enable-aggregator-routing", true),
            flag("profiling", false),
            flag("audit-policy-file", self.audit_policy().display()),
            flag("audit-log-path", self.logs.join("audit.log").display()),
        ]
    }
}

/// Copies a directory to where nothing is.
async fn copy(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("cp").arg("-r").arg(from).arg(to).kill_on_drop(true).status().await?;
    ensure!(status.success(), "copying {} to {}: {status}", from.display(), to.display());
    Ok(())
}

fn controller_manager_flags(pki: &Pki) -> Vec<String> {
    let kubeconfig = pki.kubeconfig("controller-manager");
    vec![
        flag("kubeconfig", kubeconfig.display()),
        flag("service-account-private-key-file", pki.file("service-accounts.key").display()),
        flag("root-ca-file", pki.authority_file().display()),
        // Every controller acts as its own ServiceAccount, as on kubeadm clusters.
        flag("use-service-account-credentials", true),
        flag("leader-elect", false),
        flag("secure-port", 0),
        flag("kube-api-qps", 1000),
        flag("kube-api-burst", 2000),
        // A refused autoscaler shows within seconds (the default is 15 s).
        flag("horizontal-pod-autoscaler-sync-period", "3s"),
    ]
}

fn scheduler_flags(pki: &Pki) -> Vec<String> {
    let kubeconfig = pki.kubeconfig("scheduler");
    vec![
        flag("kubeconfig", kubeconfig.display()),
        flag("leader-elect", false),
        flag("secure-port", 0),
        flag("kube-api-qps", 1000),
        flag("kube-api-burst", 2000),
    ]
}

/// A client for the user of a kubeconfig. It repeats nothing by itself: a test must see the server's first answer.
pub(crate) async fn client(kubeconfig: &Path) -> Result<Client> {
    Ok(Client::try_from(config(kubeconfig).await?)?)
}

async fn config(kubeconfig: &Path) -> Result<Config> {
    let read = Kubeconfig::read_from(kubeconfig).with_context(|| format!("reading {}", kubeconfig.display()))?;
    let mut config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
    config.default_retry = false;
    Ok(config)
}

/// Waits until `/readyz` says ok.
async fn until_ready(client: &Client, components: &mut [&mut Component]) -> Result<()> {
    let started = Instant::now();
    loop {
        let answer = client.request_text(http::Request::get("/readyz").body(Vec::new())?).await;
        let Err(said) = answer else { return Ok(()) };
        for component in &mut *components {
            component.check()?;
        }
        if started.elapsed() > READY_WITHIN {
            let logs: Vec<String> = components.iter().map(|component| component.end_of_log()).collect();
            bail!("the API server is not ready after {} s ({said})\n{}", READY_WITHIN.as_secs(), logs.join("\n"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn flag(name: &str, value: impl Display) -> String {
    format!("--{name}={value}")
}

/// The API server starts in 3 to 5 s on two idle cores; on busy ones it was seen to take more than a minute.
const READY_WITHIN: Duration = Duration::from_secs(180);
/// Where etcd is asked.
pub(crate) const ETCD_CLIENTS: &str = "http://127.0.0.1:2379";
const ETCD_PEERS: &str = "http://127.0.0.1:2380";
/// Who wrote what, with the annotations that webhooks add; not the reads.
const AUDIT_POLICY: &str = r#"apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  verbs: [get, list, watch]
- level: None
  resources: [{group: coordination.k8s.io, resources: [leases]}, {group: "", resources: [events]}]
- level: Metadata
"#;
