//! What the live tests share: how they ask and wait, what they put in place, and what they put beside the guard.

pub mod api;
#[allow(dead_code, reason = "the bench builds another profile")]
pub mod before;
pub mod binary;
pub mod definitions;
pub mod https;
pub mod installed;
pub mod issuers;
pub mod monitors;
pub mod place;
pub mod prometheus;
pub mod promtool;
pub mod revisions;
pub mod route;
pub mod workloads;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::lab::Lab;
use crate::spec::case::User;

/// A namespace that nobody else uses.
pub async fn new_namespace(lab: &Lab) -> Result<String> {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let name = format!("case-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    lab.namespace(&name).await?;
    Ok(name)
}

/// Polls until something is there.
pub async fn eventually<T, F: Future<Output = Result<Option<T>>>>(
    what: &str,
    mut probe: impl FnMut() -> F,
) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = probe().await? {
            return Ok(found);
        }
        ensure!(started.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The administrator with the glass broken: puts things in place that nobody else may.
pub fn unguarded() -> User {
    let groups = ["system:masters", singleton_guard::policy::exemption::BREAK_GLASS];
    User { name: "setup".to_owned(), groups: groups.map(str::to_owned).to_vec() }
}

/// The program of that name on the PATH.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|file| file.is_file())
}

const PATIENCE: Duration = Duration::from_secs(120);
