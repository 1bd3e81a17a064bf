//! A lab with the guard installed from the chart: what the live tests share.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use http::Method;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use super::workloads::both_ready;
use crate::common::binary::guard_binary;
use crate::common::{api, eventually};
use crate::harness::{Cluster, Run};
use crate::lab::progress::Progress;
use crate::lab::stage::Entered;
use crate::lab::{Lab, Options};
use crate::spec::case::{MARK, complete};

/// What guards the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// The chart, as it is by default.
    Webhook,
    /// The native floor alone: the chart with it, and then the webhook configurations deleted.
    Floor,
    /// Nothing.
    None,
}

/// The lab, and the runtime that its parts run on.
pub struct Installed {
    runtime: Runtime,
    lab: Lab,
    guard: Guard,
}

/// What the environment wants: `WITHOUT_GUARD=1`, `ONLY_FLOOR=1` or neither.
pub fn wanted() -> Guard {
    let set = |name| std::env::var(name).is_ok_and(|value| value == "1");
    match (set("WITHOUT_GUARD"), set("ONLY_FLOOR")) {
        (true, _) => Guard::None,
        (false, true) => Guard::Floor,
        (false, false) => Guard::Webhook,
    }
}

impl Cluster for Installed {
    /// Boots the lab and installs what is to guard it.
    fn boot(entered: Entered, progress: &Progress) -> Result<Self> {
        let runtime = Runtime::new().context("starting a runtime")?;
        let guard = wanted();
        let options = Options {
            guard_binary: guard_binary(),
            image: format!("{REPOSITORY}:test"),
            progress: progress.clone(),
            nodes: &[],
            flags: |_| &[],
        };
        let lab = runtime.block_on(async {
            let lab = Lab::boot(entered, options).await?;
            if guard != Guard::None {
                let mut values = values();
                values["nativeFloor"] = json!({"enabled": guard == Guard::Floor});
                lab.install_chart(&chart(), RELEASE, NAMESPACE, &values).await?;
                progress.step("the chart is installed");
            }
            if guard == Guard::Floor {
                leave_only_the_floor(&lab).await?;
                progress.step("only the native floor is left of it");
            }
            anyhow::Ok(lab)
        })?;
        Ok(Self { runtime, lab, guard })
    }

    fn check(&self) -> Result<()> {
        self.runtime.block_on(self.lab.check())
    }

    fn shutdown(self) -> Result<()> {
        self.runtime.block_on(self.lab.shutdown())
    }
}

impl Installed {
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// What guards it.
    pub fn guard(&self) -> Guard {
        self.guard
    }

    /// Runs a story that needs the guard for itself. It finds both replicas at rest, whatever the one before has done to
    /// them.
    pub fn run_alone(&self, run: Run) -> Result<()> {
        self.block_on(async {
            both_ready(&self.lab).await?;
            run(&self.lab).await
        })
    }

    /// Runs a future from a test's own thread.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }
}

/// How many tests are run side by side: they wait more than they work, and too many on a small machine only wait for each
/// other.
pub fn many_at_a_time() -> usize {
    (2 * std::thread::available_parallelism().map_or(1, usize::from)).min(8)
}

/// Deletes the webhook configurations, and waits until the API server has noticed, and judges by the policies.
async fn leave_only_the_floor(lab: &Lab) -> Result<()> {
    let client = lab.client();
    for kind in ["validating", "mutating"] {
        let path = format!(
            "/apis/admissionregistration.k8s.io/v1/{kind}webhookconfigurations?labelSelector=app.kubernetes.io/instance={RELEASE}"
        );
        api::delete(&client, &path, None).await?.success()?;
    }
    // Nothing fills in Recreate any more, and the strategy of the server surges.
    let probe = json!({"kind": "Deployment", "metadata": {"name": "probe", "labels": {MARK: "true"}}, "spec": {}});
    let body = complete(&probe, "default").to_string();
    let path = format!("{}?dryRun=All", api::path("Deployment", "default", None));
    eventually("a refusal by the native floor", || async {
        let answer = api::call(&client, Method::POST, &path, Some(("application/json", body.clone())), None).await?;
        Ok(answer.message().starts_with("SG002").then_some(()))
    })
    .await
}

/// `helm upgrade` of what is installed, in the way that `how` says, until its Pods are ready.
pub async fn upgrade(lab: &Lab, how: &[&str]) -> Result<()> {
    let chart = chart().display().to_string();
    let arguments = ["upgrade", RELEASE, &chart, "-n", NAMESPACE, "--wait", "--timeout", "2m"];
    lab.helm(&[&arguments, how].concat()).await?.success().map(drop)
}

/// `helm rollback`, to the revision before or to this one.
pub async fn roll_back(lab: &Lab, revision: Option<&str>) -> Result<()> {
    let arguments = ["rollback", RELEASE, revision.unwrap_or("0"), "-n", NAMESPACE, "--wait", "--timeout", "2m"];
    lab.helm(&arguments).await?.success().map(drop)
}

/// The chart's directory.
pub fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/singleton-guard")
}

/// The values that make the lab's node run the program.
pub fn values() -> Value {
    json!({"image": {"repository": REPOSITORY, "tag": "test"}})
}

/// Name of the release.
pub const RELEASE: &str = "singleton-guard";
/// Namespace that it is installed in.
pub const NAMESPACE: &str = "singleton-guard";
const REPOSITORY: &str = "registry.example/singleton-guard";
