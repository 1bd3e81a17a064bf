//! What the native floor costs a call of `/scale`: figures, measured on request (`--ignored`), with no bound that fails.

use std::time::{Duration, Instant};

use anyhow::Result;
use kube::Client;
use serde_json::{Value, json};

use crate::common::{api, new_namespace, unguarded};
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::{MARK, complete};

stories!(Measured: figures);

/// Prints the median of a dry run that scales an unmarked StatefulSet up, and of one that does not, in a namespace
/// without singletons and in one with many.
async fn figures(lab: &Lab) -> Result<()> {
    let client = lab.client();
    for marked in [0, MARKED] {
        let namespace = new_namespace(lab).await?;
        for number in 0..marked {
            create(&client, &namespace, &format!("singleton-{number}"), json!({MARK: "true"})).await?;
        }
        create(&client, &namespace, "plain", json!({})).await?;
        for (what, replicas) in [("up to 3", 3), ("to 1", 1)] {
            let path = format!("{}/scale?dryRun=All", api::path("StatefulSet", &namespace, Some("plain")));
            let mut took = Vec::new();
            for _ in 0..CALLS {
                let started = Instant::now();
                api::merge(&client, &path, &json!({"spec": {"replicas": replicas}}), None).await?.success()?;
                took.push(started.elapsed());
            }
            eprintln!("{marked} marked StatefulSets beside it, {what}: median {:.1} ms", milliseconds(took));
        }
    }
    Ok(())
}

async fn create(client: &Client, namespace: &str, name: &str, labels: Value) -> Result<()> {
    let object = json!({"kind": "StatefulSet", "metadata": {"name": name, "labels": labels}, "spec": {"replicas": 0}});
    let path = api::path("StatefulSet", namespace, None);
    api::post(client, &path, &complete(&object, namespace), Some(&unguarded())).await?.success()?;
    Ok(())
}

fn milliseconds(mut took: Vec<Duration>) -> f64 {
    took.sort();
    took.get(took.len() / 2).copied().unwrap_or_default().as_secs_f64() * 1000.0
}

const MARKED: u32 = 200;
const CALLS: u32 = 300;
