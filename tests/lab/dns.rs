//! CoreDNS at the cluster's DNS address: the names of Services and Pods, from what the controllers write.
//!
//! It is started by the first question, because most labs ask none. It reads what its role lets it read, and it keeps
//! no cache, so an answer is never older than what it has seen of the API server.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;
use tokio::sync::OnceCell;

use super::component::Component;
use super::pki::DNS_USER;
use super::resolver;
use super::stage::{API_ADDRESS, DNS_ADDRESS};

/// The name server of the lab. Whatever runs of it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Dns {
    program: PathBuf,
    corefile: PathBuf,
    kubeconfig: PathBuf,
    logs: PathBuf,
    running: OnceCell<Component>,
}

impl Dns {
    /// What is needed to start it: the directory with CoreDNS, one to write into, one for the log, and who it is.
    pub(crate) fn new(binaries: &Path, work: &Path, logs: &Path, kubeconfig: PathBuf) -> Self {
        Self {
            program: binaries.join("coredns"),
            corefile: work.join("Corefile"),
            kubeconfig,
            logs: logs.to_owned(),
            running: OnceCell::new(),
        }
    }

    /// Starts it if it has not been started, and waits until it has seen the whole cluster.
    ///
    /// # Errors
    /// If it ends, or is not ready within half a minute: with the end of its log.
    pub(crate) async fn start(&self, admin: &Client) -> Result<()> {
        let start = async {
            grant(admin).await.context("giving CoreDNS its role")?;
            let corefile = corefile(&self.kubeconfig);
            std::fs::write(&self.corefile, corefile).with_context(|| format!("writing {}", self.corefile.display()))?;
            let arguments = ["-conf".to_owned(), self.corefile.display().to_string()];
            let mut component = Component::start("coredns", &self.program, &arguments, &self.logs)?;
            until_ready(&mut component).await?;
            anyhow::Ok(component)
        };
        self.running.get_or_try_init(|| start).await.map(drop)
    }

    /// The A records of a name, sorted; empty if there is no such name, or no address for it.
    pub(crate) async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>> {
        resolver::addresses(server()?, name).await
    }

    /// # Errors
    /// If it was started and has ended on its own: with the end of its log.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.running.get_mut().map_or(Ok(()), Component::check)
    }

    /// Ends it, if it was started.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        match self.running.get_mut() {
            Some(component) => component.stop(Duration::from_secs(2)).await,
            None => Ok(()),
        }
    }
}

/// Lets CoreDNS read what its plugin `kubernetes` watches when it does not serve the names of single Pods' addresses.
async fn grant(admin: &Client) -> Result<()> {
    let read = ["list", "watch"];
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": { "name": DNS_USER },
        "rules": [
            { "apiGroups": [""], "resources": ["services", "namespaces"], "verbs": read },
            { "apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": read },
        ],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": { "name": DNS_USER },
        "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": DNS_USER },
        "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": DNS_USER }],
    });
    let lab = PatchParams::apply("singleton-guard-lab");
    Api::<ClusterRole>::all(admin.clone()).patch(DNS_USER, &lab, &Patch::Apply(role)).await?;
    Api::<ClusterRoleBinding>::all(admin.clone()).patch(DNS_USER, &lab, &Patch::Apply(binding)).await?;
    Ok(())
}

/// One zone and nothing else: no cache, and nobody to ask about other names.
fn corefile(kubeconfig: &Path) -> String {
    let kubeconfig = kubeconfig.display();
    format!(
        r#"{ZONE}:{PORT} {{
    bind {DNS_ADDRESS}
    errors
    kubernetes {{
        kubeconfig "{kubeconfig}"
    }}
}}
"#
    )
}

/// Waits until it knows the Service `default/kubernetes` and is sure that another one does not exist.
///
/// It answers before it has listed everything; but "no such name" (instead of a server failure) it says only then.
async fn until_ready(component: &mut Component) -> Result<()> {
    let server = server()?;
    let api = [API_ADDRESS.parse::<IpAddr>()?];
    let started = Instant::now();
    loop {
        let known = resolver::addresses(server, &format!("kubernetes.default.svc.{ZONE}")).await;
        let unknown = resolver::addresses(server, &format!("no-such-service.default.svc.{ZONE}")).await;
        let said = match (known, unknown) {
            (Ok(known), Ok(unknown)) if known == api && unknown.is_empty() => return Ok(()),
            (Err(error), _) | (_, Err(error)) => format!("{error:#}"),
            (Ok(known), Ok(unknown)) => format!("it answered {known:?} and {unknown:?}"),
        };
        component.check()?;
        if started.elapsed() > READY_WITHIN {
            bail!("CoreDNS is not ready after {} s ({said}); {}", READY_WITHIN.as_secs(), component.end_of_log());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn server() -> Result<SocketAddr> {
    Ok(SocketAddr::new(DNS_ADDRESS.parse()?, PORT))
}

/// The zone of the cluster's names, as everywhere.
const ZONE: &str = "cluster.local";
/// Free for us, because nothing else lives on this loopback device.
const PORT: u16 = 53;
/// It starts in 0.2 to 0.7 s on two cores.
const READY_WITHIN: Duration = Duration::from_secs(30);
