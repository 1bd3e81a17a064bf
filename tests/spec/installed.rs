//! A lab with the guard installed from the chart: what the live tests share.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::lab::progress::Progress;
use crate::lab::stage::Entered;
use crate::lab::{Lab, Options};

/// The lab, and the runtime that its parts run on.
pub struct Installed {
    runtime: Runtime,
    lab: Lab,
    guarded: bool,
}

impl Installed {
    /// Boots the lab and, unless `WITHOUT_GUARD=1`, installs the chart.
    pub fn boot(entered: Entered, progress: &Progress) -> Result<Self> {
        let runtime = Runtime::new().context("starting a runtime")?;
        let guarded = std::env::var("WITHOUT_GUARD").map_or(true, |value| value != "1");
        let options = Options {
            guard_binary: env!("CARGO_BIN_EXE_singleton-guard").into(),
            image: format!("{REPOSITORY}:test"),
            progress: progress.clone(),
        };
        let lab = runtime.block_on(async {
            let lab = Lab::boot(entered, options).await?;
            if guarded {
                lab.install_chart(&chart(), RELEASE, NAMESPACE, &values()).await?;
                progress.step("the chart is installed");
            }
            anyhow::Ok(lab)
        })?;
        Ok(Self { runtime, lab, guarded })
    }

    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Whether the guard is there.
    pub fn is_guarded(&self) -> bool {
        self.guarded
    }

    /// Runs a future from a test's own thread.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    pub fn shutdown(self) -> Result<()> {
        self.runtime.block_on(self.lab.shutdown())
    }
}

/// The chart's directory.
pub fn chart() -> std::path::PathBuf {
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
