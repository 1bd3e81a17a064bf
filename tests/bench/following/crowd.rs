//! Memory of a replica that has many singletons, and in a large cluster.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::{Value, json};
use singleton_guard::api::mark::DEFAULT_KEY;

use crate::lab::Lab;
use crate::lab::etcd::{Etcd, Likeness, numbered};
use crate::replica::{Program, Replica};
use crate::spread::{Spread, range};
use crate::{post, settle};

/// As Markdown, for people. What is made stays.
pub(crate) async fn table(lab: &Lab, programs: &[Program; 2], starts: usize, crowd: usize) -> Result<String> {
    let mut text = "| MiB of a replica | before: RSS | most | now: RSS | most |\n|---|--:|--:|--:|--:|\n".to_owned();
    singletons(lab).await?;
    let _ = writeln!(text, "| {SINGLETONS} singletons | {} |", row(lab, programs, starts).await?);
    workloads(lab, crowd).await?;
    let others = format!("{crowd} Deployments without the mark and {SERVICES} Services beside them");
    let _ = writeln!(text, "| {others} | {} |", row(lab, programs, starts).await?);
    Ok(text)
}

/// Each alone, in turn.
async fn row(lab: &Lab, programs: &[Program; 2], starts: usize) -> Result<String> {
    let mut figures = [const { Vec::new() }; 4];
    for _ in 0..starts {
        let mut looked = Vec::new();
        for program in programs {
            let replica = Replica::start(lab, program)?;
            settle(SETTLING).await;
            let memory = replica.memory()?;
            looked.extend([memory.resident, memory.peak]);
        }
        for (figures, bytes) in figures.iter_mut().zip(looked) {
            figures.push(f64::from(u32::try_from(bytes >> 10).unwrap_or(u32::MAX)) / 1024.0);
        }
    }
    Ok(figures.map(|figures| range(Spread::of(figures), 1)).join(" | "))
}

async fn singletons(lab: &Lab) -> Result<()> {
    for number in 0..SINGLETONS {
        let name = format!("singleton-{number}");
        let mut object = deployment(&name, "StatefulSet");
        if let Some(labels) = object.pointer_mut("/metadata/labels") {
            *labels = json!({"app": name, DEFAULT_KEY: "true"});
        }
        post(&lab.client(), "/apis/apps/v1/namespaces/default/statefulsets", &object).await?;
    }
    Ok(())
}

/// Copies of one that the API server has made.
async fn workloads(lab: &Lab, crowd: usize) -> Result<()> {
    let (client, etcd, name) = (lab.client(), Etcd::client()?, numbered(0));
    let path = "/apis/apps/v1/namespaces/kube-public/deployments";
    let made = post(&client, path, &deployment(&name, "Deployment")).await?;
    let workload = Likeness::of(&etcd, "deployments/kube-public", &made).await?;
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {
        "clusterIP": "None", "selector": {"app": name, "tier": "ledger"}}});
    let made = post(&client, "/api/v1/namespaces/kube-public/services", &service).await?;
    let service = Likeness::of(&etcd, "services/specs/kube-public", &made).await?;
    etcd.write_all((1..crowd).map(|number| workload.copy(number))).await?;
    etcd.write_all((1..SERVICES).map(|number| service.copy(number))).await
}

fn deployment(name: &str, kind: &str) -> Value {
    let labels = json!({"app": name});
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "labels": labels}, "spec": {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"containers": [{"name": "main", "image": "registry.example/app:1"}]},
        },
    }})
}

const SINGLETONS: usize = 250;
const SERVICES: usize = 20_000;
/// Seconds until the watches are open and the companions made.
const SETTLING: u64 = 10;
