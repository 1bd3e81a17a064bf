//! A process of ours in a large cluster: how long it takes from exec to ready, and how much memory it holds, with a
//! hundred thousand workloads of which a hundred are singletons. Figures, measured on request, with no bound that fails.
//! Of a release build:
//!
//! ```text
//! FIGURES=1 BINARY=FILE cargo test --test companions -- crowd --nocapture      CROWD=1000000 for a million
//! ```

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use http::Method;
use serde_json::json;

use super::api;
use super::case::{MARK, complete};
use super::companions_place::KINDS;
use super::companions_process::Process;
use super::live::new_namespace;
use crate::lab::Lab;
use crate::lab::component::Signal;
use crate::lab::control_plane::Part;

/// Prints both, in a cluster without workloads and in one that has many.
pub async fn figures(lab: &Lab) -> Result<()> {
    if std::env::var("FIGURES").map_or(true, |value| value != "1") {
        return Ok(());
    }
    let crowd = match std::env::var("CROWD") {
        Ok(number) => number.parse().context("CROWD is not a number")?,
        Err(_) => 100_000,
    };
    eprintln!("without workloads: {}", look(lab, "alone").await?);
    let mut namespaces = Vec::new();
    for _ in 0..NAMESPACES {
        namespaces.push(new_namespace(lab).await?);
    }
    // It would make a ReplicaSet for each Deployment and write a status for all: ten times the work, and nothing to us.
    lab.signal(Part::ControllerManager, Signal::Stop).await?;
    populate(lab, &namespaces, crowd).await?;
    eprintln!("with {crowd} workloads, {SINGLETONS} of them singletons: {}", look(lab, "crowded").await?);
    lab.signal(Part::ControllerManager, Signal::Continue).await
}

/// Starts it again and again, and lets the last one settle.
async fn look(lab: &Lab, name: &str) -> Result<String> {
    let mut took = Vec::new();
    for start in 0..STARTS {
        let mut process = Process::start(lab, &format!("{name}-{start}"), json!({}), None)?;
        took.push(process.until_ready().await?);
        process.kill().await?;
    }
    took.sort();
    let mut process = Process::start(lab, name, json!({}), None)?;
    process.until_ready().await?;
    tokio::time::sleep(SETTLING).await;
    let (resident, peak) = (process.memory("VmRSS"), process.memory("VmHWM"));
    process.kill().await?;
    let middle = took[took.len() / 2];
    Ok(format!(
        "exec to ready {middle:.1?} (median of {STARTS}, {:.1?} - {:.1?}), {resident}, {peak}",
        took[0],
        took[took.len() - 1]
    ))
}

/// Of all kinds in turn, each with no replicas.
async fn populate(lab: &Lab, namespaces: &[String], crowd: usize) -> Result<()> {
    let (client, started) = (&lab.client(), Instant::now());
    let make = async |number: usize| {
        let (kind, namespace) = (KINDS[number % KINDS.len()], &namespaces[number % NAMESPACES]);
        let mut object = json!({"kind": kind, "metadata": {"name": format!("w{number}")}, "spec": {"replicas": 0}});
        if number.is_multiple_of(crowd / SINGLETONS) {
            object["metadata"]["labels"] = json!({MARK: "true"});
        }
        let body = ("application/json", complete(&object, namespace).to_string());
        api::call(client, Method::POST, &api::path(kind, namespace, None), Some(body), None).await?.success()?;
        if number.is_multiple_of(crowd / 10) {
            eprintln!("{number} workloads after {:.0?}", started.elapsed());
        }
        anyhow::Ok(())
    };
    stream::iter(0..crowd).map(make).buffer_unordered(AT_ONCE).try_collect().await
}

const SINGLETONS: usize = 100;
const NAMESPACES: usize = 100;
const AT_ONCE: usize = 48;
const STARTS: usize = 9;
/// Until the watches are open and the companions made.
const SETTLING: Duration = Duration::from_secs(10);
