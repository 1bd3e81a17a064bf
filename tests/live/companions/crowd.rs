//! A process of ours in a large cluster: how long it takes from exec to ready, and how much memory it holds, with a
//! hundred thousand workloads of which a hundred are singletons. Figures, measured on request, with no bound that fails.
//! Of a release build:
//!
//! ```text
//! BINARY=FILE cargo test --test live -- --ignored companions::crowd      CROWD=1000000 for a million
//! ```

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::process::Process;
use crate::common::place::KINDS;
use crate::common::{api, new_namespace};
use crate::harness::stories;
use crate::lab::Lab;
use crate::lab::component::Signal;
use crate::lab::control_plane::Part;
use crate::lab::etcd::{Etcd, Likeness, numbered};
use crate::spec::case::{MARK, complete, plural, with};

stories!(Measured: figures);

/// Prints both, in a cluster without workloads and in one that has many.
async fn figures(lab: &Lab) -> Result<()> {
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
    eprintln!("with {crowd} workloads, {NAMESPACES} of them singletons: {}", look(lab, "crowded").await?);
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

/// Of all kinds in turn, each with no replicas. One of each kind in each namespace is asked for, and so is every
/// singleton; the others are copies of what the API server has stored then, with a name and uid of their own.
async fn populate(lab: &Lab, namespaces: &[String], crowd: usize) -> Result<()> {
    let (started, etcd) = (Instant::now(), Etcd::client()?);
    let mut likenesses = Vec::new();
    for namespace in namespaces {
        for kind in KINDS {
            likenesses.push(likeness(lab, &etcd, kind, namespace).await?);
        }
        let singleton = json!({"kind": KINDS[0], "metadata": {"name": "only", "labels": {MARK: "true"}}});
        make(lab, &singleton, namespace).await?;
    }
    let copies = (1..crowd / likenesses.len()).flat_map(|number| likenesses.iter().map(move |it| it.copy(number)));
    etcd.write_all(copies).await?;
    for (namespace, kind) in namespaces.iter().flat_map(|namespace| KINDS.map(|kind| (namespace, kind))) {
        let path = format!("{}?limit=1", api::path(kind, namespace, None));
        let list = api::read(&lab.client(), &path).await?.success()?;
        let known = 1 + list["metadata"]["remainingItemCount"].as_u64().unwrap_or_default();
        ensure!(known >= (crowd / likenesses.len()).try_into()?, "in {namespace} there are {known} of kind {kind}");
    }
    eprintln!("{crowd} workloads after {:.0?}", started.elapsed());
    Ok(())
}

async fn likeness(lab: &Lab, etcd: &Etcd, kind: &str, namespace: &str) -> Result<Likeness> {
    let made = make(lab, &json!({"kind": kind, "metadata": {"name": numbered(0)}}), namespace).await?;
    // Their key in etcd is older than their name.
    let resource = plural(kind).replace("replicationcontrollers", "controllers");
    Likeness::of(etcd, &format!("{resource}/{namespace}"), &made).await
}

async fn make(lab: &Lab, object: &Value, namespace: &str) -> Result<Value> {
    let kind = object["kind"].as_str().context("an object without kind")?;
    let path = api::path(kind, namespace, None);
    api::post(&lab.client(), &path, &with(&complete(object, namespace), json!({"spec": {"replicas": 0}})), None)
        .await?
        .success()
}

/// With one singleton in each.
const NAMESPACES: usize = 100;
const STARTS: usize = 9;
/// Until the watches are open and the companions made.
const SETTLING: Duration = Duration::from_secs(10);
