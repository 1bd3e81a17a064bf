//! CPU of a replica for each write to a workload.

use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use http::{Request, header};
use kube::Client;
use serde_json::{Value, json};
use singleton_guard::api::mark::DEFAULT_KEY;

use crate::lab::Lab;
use crate::replica::{Look, Program, Replica, configuration};
use crate::spread::{Spread, range};
use crate::{post, settle};

/// A workload that is written to.
struct Subject {
    what: &'static str,
    path: String,
    bytes: usize,
}

/// As Markdown, for people.
pub(crate) async fn table(lab: &Lab, programs: &[Program; 2], rounds: usize, writes: u32) -> Result<String> {
    configuration(lab).await?;
    let subjects = subjects(&lab.client()).await?;
    let [before, now] = programs;
    let replicas = [Replica::start(lab, before)?, Replica::start(lab, now)?];
    settle(SETTLING).await;
    let mut text =
        "| CPU of a replica in us for each | before | now | ratio | target <= 0.50 |\n|---|--:|--:|--:|---|\n"
            .to_owned();
    for subject in subjects {
        let mut costs = Vec::new();
        for _ in 0..rounds {
            costs.push(round(&lab.client(), &subject, &replicas, writes).await?);
        }
        let [before, now] = [0, 1].map(|side| Spread::of(costs.iter().filter_map(|costs| costs.get(side).copied())));
        let ratio = Spread::of(costs.iter().map(|[before, now]| now / before));
        let Subject { what, bytes, .. } = subject;
        let verdict = if ratio.median <= TARGET { "reached" } else { "missed" };
        let (before, now, ratio) = (range(before, 0), range(now, 0), range(ratio, 2));
        let _ = writeln!(text, "| {what}, {bytes} bytes | {before} | {now} | {ratio} | {verdict} |");
    }
    Ok(text)
}

/// What one write costs each, in microseconds.
async fn round(client: &Client, subject: &Subject, replicas: &[Replica; 2], writes: u32) -> Result<[f64; 2]> {
    let look = Look::at(replicas)?;
    settle(IDLE).await;
    let (seconds, idle) = look.since(replicas)?;
    let idle = idle.map(|cpu| cpu / seconds);
    let look = Look::at(replicas)?;
    for number in 0..writes {
        subject.write(client, number).await?;
    }
    settle(1).await;
    let (seconds, cpu) = look.since(replicas)?;
    let [before, now] = [0, 1].map(|side: usize| {
        let (cpu, idle) = (cpu.get(side).copied().unwrap_or(f64::NAN), idle.get(side).copied().unwrap_or(f64::NAN));
        (cpu - idle * seconds) * 1e6 / f64::from(writes)
    });
    Ok([before, now])
}

impl Subject {
    async fn write(&self, client: &Client, number: u32) -> Result<usize> {
        let patch = json!({"metadata": {"annotations": {"following.example/write": number.to_string()}}});
        let request = Request::patch(&self.path).header(header::CONTENT_TYPE, "application/merge-patch+json");
        Ok(client.request_text(request.body(patch.to_string().into_bytes())?).await.context("writing")?.len())
    }
}

/// The singleton has a Service and a budget that somebody has made, so that the replicas have nothing to agree about.
async fn subjects(client: &Client) -> Result<[Subject; 2]> {
    let make = async |collection: &str, what, object: Value| -> Result<Subject> {
        post(client, collection, &object).await?;
        let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        let mut subject = Subject { what, path: format!("{collection}/{name}"), bytes: 0 };
        subject.bytes = subject.write(client, 0).await?;
        Ok(subject)
    };
    let ports = json!([{"name": "http", "port": 80}]);
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "marked"}, "spec": {
        "clusterIP": "None", "selector": {"app": "marked"}, "ports": ports}});
    let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "marked"}, "spec": {
        "minAvailable": 0, "selector": {"matchLabels": {"app": "marked"}}}});
    post(client, "/api/v1/namespaces/default/services", &service).await?;
    post(client, "/apis/policy/v1/namespaces/default/poddisruptionbudgets", &budget).await?;
    let deployment = workload("Deployment", "unmarked", 20);
    let mut stateful_set = workload("StatefulSet", "marked", 77);
    if let Some(labels) = stateful_set.pointer_mut("/metadata/labels") {
        *labels = json!({DEFAULT_KEY: "true"});
    }
    Ok([
        make("/apis/apps/v1/namespaces/default/deployments", "write to an unmarked Deployment", deployment).await?,
        make("/apis/apps/v1/namespaces/default/statefulsets", "annotation of a marked StatefulSet", stateful_set)
            .await?,
    ])
}

/// It grows with its variables, and so do its managed fields.
fn workload(kind: &str, name: &str, variables: usize) -> Value {
    let variables: Vec<Value> = (0..variables)
        .map(|number| json!({"name": format!("LEDGER_{number}"), "value": "postgres://ledger"}))
        .collect();
    let container = json!({"name": "main", "image": "registry.example/app:1", "env": variables});
    let labels = json!({"app": name});
    json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "labels": labels}, "spec": {
        "replicas": 0,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }})
}

const TARGET: f64 = 0.5;
/// Seconds until the watches are open and all that a start does is done.
const SETTLING: u64 = 5;
/// Seconds for which it is looked how much a replica does while nothing happens.
const IDLE: u64 = 5;
