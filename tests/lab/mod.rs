//! The lab: a real Kubernetes control plane on one machine, and the one node that runs the guard's own Pods.
//!
//! ```text
//! stage         walls and a certain end: namespaces, and the program running itself again inside them
//!   namespaces  work  binaries  go  progress  forward
//! Lab::boot
//!   pki            who is who
//!   control_plane  etcd, the API server, the controllers, the scheduler    component  etcd
//!   node           a kubelet's half of the conversation with the API server
//!     kubelet  watch  status
//!     played       everybody else's Pods: Running, with nothing behind it
//!     pod  container  launch  environment  volumes  probes      our Pods: our program, as the chart says
//!   tools          the real kubectl and helm
//!   dns            CoreDNS, from the first question on    resolver
//! go_program    what tests have written in Go    cache
//! ```
//!
//! What is real: every component of the control plane, helm, kubectl, RBAC, the ServiceAccount tokens, the Service and
//! its EndpointSlice, DNS, TLS from the API server to the webhook. What is played: the node, without a container runtime.
//! There is no kube-proxy, so a Service other than `kubernetes` is reached by its Endpoints only; and a Pod has no
//! resolv.conf, so names are for whoever asks [`Lab::resolve`].
//!
//! The lab knows nothing of the guard but the path of its binary and the name of its image.
#![allow(dead_code, reason = "two programs share it, and each uses its own part")]

pub(crate) mod component;
pub(crate) mod control_plane;
pub(crate) mod etcd;
pub(crate) mod go_program;
pub(crate) mod node;
pub(crate) mod progress;
pub(crate) mod stage;
pub(crate) mod tools;
pub(crate) mod watch;

pub(crate) mod binaries;
pub(crate) mod cache;
mod container;
mod dns;
mod environment;
mod forward;
mod go;
mod kubelet;
mod launch;
mod namespaces;
mod pki;
mod played;
mod pod;
mod probes;
mod resolver;
mod status;
mod volumes;
mod work;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Client;
use kube::api::Api;
use serde_json::Value;

use component::{Component, Signal};
use control_plane::{ControlPlane, MoreFlags, Part};
use dns::Dns;
use node::{NODE_NAME, Node, OurImage};
use pki::Pki;
use progress::Progress;
use stage::{API_ADDRESS, API_PORT, Entered};
use tools::{Outcome, Tools};

/// A running lab. Shared by everybody who uses it; only [`Lab::shutdown`] needs it whole.
pub(crate) struct Lab {
    control_plane: ControlPlane,
    node: Node,
    others: Vec<Node>,
    dns: Option<Dns>,
    tools: Tools,
    client: Client,
    outside: Option<PathBuf>,
}

/// What a lab is to be.
#[derive(Debug)]
pub(crate) struct Options {
    /// The program that Pods with the image [`Options::image`] run: an absolute path.
    pub(crate) guard_binary: PathBuf,
    /// The image that the chart is installed with, as its Pods name it: `repository:tag`.
    pub(crate) image: String,
    /// Who is told how far it is.
    pub(crate) progress: Progress,
    /// Nodes beside the one for our Pods: see [`node::OTHERS`].
    pub(crate) nodes: &'static [&'static str],
    /// Flags of the control plane beside its own.
    pub(crate) flags: MoreFlags,
}

impl Lab {
    /// Boots everything. To be called inside, with what [`stage::enter`] returned, in a multi-threaded runtime.
    ///
    /// # Errors
    /// If a part does not start: with the end of its log, because the work directory will be gone.
    pub(crate) async fn boot(entered: Entered, options: Options) -> Result<Self> {
        let Entered { work, binaries, port, .. } = entered;
        let Options { guard_binary, image, progress, nodes, flags } = options;
        if !guard_binary.is_file() {
            bail!("the guard's program {} does not exist: build it first (cargo build)", guard_binary.display());
        }
        let server = format!("https://{API_ADDRESS}:{API_PORT}");
        let pki = Pki::create(work.join("pki"), server).context("making certificates")?;
        let control_plane = ControlPlane::boot(&binaries, &work, &pki, flags, &progress).await?;

        let client = control_plane::client(&pki.kubeconfig(pki::ADMIN)).await?;
        let image = OurImage { name: image, binary: guard_binary };
        let as_node = control_plane::client(&pki.node_kubeconfig(NODE_NAME)?).await?;
        let node = Node::register(as_node, NODE_NAME, image.clone(), work.join("pods")).await?;
        let mut others = Vec::new();
        for name in nodes {
            let as_node = control_plane::client(&pki.node_kubeconfig(name)?).await?;
            others.push(Node::register(as_node, name, image.clone(), work.join(format!("pods-of-{name}"))).await?);
        }
        Node::until_schedulable(&client).await?;
        progress.step("the Node is ready for Pods");

        let dns = |program| Dns::new(program, &work, control_plane.logs(), pki.kubeconfig(pki::DNS));
        let dns = binaries.dns.as_deref().map(dns);
        let tools = Tools::new(&binaries.tools, pki.kubeconfig(pki::ADMIN), work.join("home"))?;
        let outside = match port {
            Some(port) => {
                let server = format!("{API_ADDRESS}:{API_PORT}").parse()?;
                forward::from_socket(&work.join(forward::SOCKET), server).context("opening the lab's socket")?;
                Some(pki.outside_kubeconfig(port)?)
            }
            None => None,
        };
        let lab = Self { control_plane, node, others, dns, tools, client, outside };
        lab.service_account("default").await?;
        progress.step("the controllers are at work");
        Ok(lab)
    }

    /// A client for the administrator (group `system:masters`). It repeats nothing by itself.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Runs the real kubectl as administrator.
    ///
    /// # Errors
    /// If it cannot be started. That it refuses is an [`Outcome`].
    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> Result<Outcome> {
        self.tools.run("kubectl", arguments, "").await
    }

    /// Runs the real kubectl as administrator with `input` on its standard input, for `-f -`.
    pub(crate) async fn kubectl_with_input(&self, arguments: &[&str], input: &str) -> Result<Outcome> {
        self.tools.run("kubectl", arguments, input).await
    }

    /// Runs the real helm as administrator.
    pub(crate) async fn helm(&self, arguments: &[&str]) -> Result<Outcome> {
        self.tools.run("helm", arguments, "").await
    }

    /// Runs the real helm as administrator with `input` on its standard input, for `--values -`.
    pub(crate) async fn helm_with_input(&self, arguments: &[&str], input: &str) -> Result<Outcome> {
        self.tools.run("helm", arguments, input).await
    }

    /// Creates a namespace and waits until Pods can be created in it, which is when it has its ServiceAccount `default`.
    pub(crate) async fn namespace(&self, name: &str) -> Result<()> {
        self.kubectl(&["create", "namespace", name]).await?.success()?;
        self.service_account(name).await
    }

    /// `helm upgrade --install --wait` of a chart directory with `values`, into a namespace that is made if need be.
    ///
    /// # Errors
    /// If helm does not succeed, also when the Pods are not ready after five minutes: with all that helm said.
    pub(crate) async fn install_chart(
        &self,
        chart: &Path,
        release: &str,
        namespace: &str,
        values: &Value,
    ) -> Result<String> {
        let chart = chart.to_str().context("the chart's path is not text")?;
        let arguments = ["upgrade", "--install", release, chart, "--namespace", namespace, "--create-namespace"];
        let until = ["--wait", "--timeout", "5m", "--values", "-"];
        // JSON is YAML.
        self.tools.run("helm", &[&arguments[..], &until].concat(), &values.to_string()).await?.success()
    }

    /// The A records of a name, such as `ledger.default.svc.cluster.local`, sorted, as CoreDNS knows them now.
    ///
    /// Empty if there is no such name, or no address for it. The first call starts CoreDNS, which takes half a second.
    ///
    /// # Errors
    /// If CoreDNS does not start, refuses the question (it answers for `cluster.local` only) or does not answer, and
    /// without [`binaries::Names::Served`].
    pub(crate) async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>> {
        let dns = self.dns.as_ref().context("this lab was entered without names")?;
        dns.start(&self.client).await?;
        dns.resolve(name).await
    }

    /// The Node, and what a test may do to it.
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    /// Those beside it.
    pub(crate) fn others(&self) -> &[Node] {
        &self.others
    }

    /// Kills a part of the control plane and starts it again.
    pub(crate) async fn restart(&self, part: Part) -> Result<()> {
        self.control_plane.restart(part).await
    }

    /// The last lines of the log of a part of the control plane.
    pub(crate) async fn end_of_log(&self, part: Part) -> String {
        self.control_plane.end_of_log(part).await
    }

    /// Sends a part of the control plane a signal.
    pub(crate) async fn signal(&self, part: Part, signal: Signal) -> Result<()> {
        self.control_plane.signal(part, signal).await
    }

    /// Starts again what of the control plane has ended by itself, and says how much.
    pub(crate) async fn revive(&self) -> Result<usize> {
        self.control_plane.revive().await
    }

    /// Keeps what etcd holds now. Once in a lab.
    pub(crate) async fn back_up(&self) -> Result<()> {
        self.control_plane.back_up().await
    }

    /// Puts back what [`Lab::back_up`] has kept.
    pub(crate) async fn restore(&self) -> Result<()> {
        self.control_plane.restore(&self.client).await
    }

    /// The directory with kubectl and helm, for a PATH.
    pub(crate) fn binaries(&self) -> &Path {
        self.tools.binaries()
    }

    /// Starts another API server on the same etcd, for as long as the component is kept.
    pub(crate) async fn another_api_server(&self) -> Result<(Component, Client)> {
        self.control_plane.another_api_server().await
    }

    /// The directory with the logs of all components, and the API server's `audit.log`.
    pub(crate) fn logs(&self) -> &Path {
        self.control_plane.logs()
    }

    /// The administrator's kubeconfig, for programs that run inside.
    pub(crate) fn kubeconfig(&self) -> &Path {
        self.tools.kubeconfig()
    }

    /// The kubeconfig for an ordinary shell, if the stage was entered with [`stage::Reach::Outside`].
    pub(crate) fn outside_kubeconfig(&self) -> Option<&Path> {
        self.outside.as_deref()
    }

    /// # Errors
    /// If a part of the control plane has ended on its own: nothing that is tried after that says anything.
    pub(crate) async fn check(&self) -> Result<()> {
        self.control_plane.check().await
    }

    /// Ends the lab in good order. Without it everything ends as well, but less politely.
    ///
    /// # Errors
    /// If a component had ended before on its own, so that the tests have seen a broken cluster.
    pub(crate) async fn shutdown(mut self) -> Result<()> {
        let healthy = self.check().await.and_then(|()| self.dns.as_mut().map_or(Ok(()), Dns::check));
        drop((self.node, self.others));
        if let Some(dns) = &mut self.dns {
            dns.stop().await?;
        }
        self.control_plane.stop().await?;
        healthy
    }

    /// Waits for the ServiceAccount `default`, which the controllers make within about a second.
    async fn service_account(&self, namespace: &str) -> Result<()> {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let started = Instant::now();
        while accounts.get_opt("default").await?.is_none() {
            if started.elapsed() > Duration::from_secs(120) {
                bail!(
                    "namespace {namespace} has no ServiceAccount `default` after 120 s: see kube-controller-manager.log"
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}
