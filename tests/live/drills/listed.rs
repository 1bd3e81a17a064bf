//! The list of namespaces that hold singletons, as it stands in the webhook configurations.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use kube::Client;
use serde_json::Value;

use crate::common::installed::RELEASE;
use crate::common::{api, eventually};

/// The configurations that carry the list, by row.
pub const ROWS: [&str; 3] = ["scale", "owned", "first"];

/// The configuration of a row.
pub async fn configuration(client: &Client, row: &str) -> Result<Value> {
    api::read(client, &path(row)).await?.success()
}

/// Where it is.
pub fn path(row: &str) -> String {
    format!("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{RELEASE}-{row}")
}

/// What a row's entries list. None where they have no selector.
pub async fn names(client: &Client, row: &str) -> Result<Option<BTreeSet<String>>> {
    let configuration = configuration(client, row).await?;
    let mut lists = BTreeSet::new();
    for webhook in configuration["webhooks"].as_array().context("no webhooks")? {
        let name = webhook["name"].as_str().unwrap_or_default();
        let expected = if name == format!("{row}.singleton-guard.io") && row != "first" { "In" } else { "NotIn" };
        let Some(expression) = webhook.pointer("/namespaceSelector/matchExpressions/0") else { return Ok(None) };
        ensure!(expression["operator"] == expected, "{name} selects {expression}");
        lists.insert(serde_json::from_value::<BTreeSet<String>>(expression["values"].clone())?);
    }
    ensure!(lists.len() == 1, "the entries of {row} do not complement each other: {lists:?}");
    Ok(lists.pop_first())
}

/// Waits until every row lists a namespace.
pub async fn until_listed(client: &Client, namespace: &str) -> Result<()> {
    eventually(&format!("{namespace} to be listed"), || async {
        for row in ROWS {
            if !names(client, row).await.is_ok_and(|names| names.is_some_and(|names| names.contains(namespace))) {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
    .await
}

/// How often the content of each of the three has changed.
pub async fn generations(client: &Client) -> Result<BTreeMap<&'static str, i64>> {
    let mut generations = BTreeMap::new();
    for row in ROWS {
        let generation = configuration(client, row).await?["metadata"]["generation"].as_i64();
        generations.insert(row, generation.context("no generation")?);
    }
    Ok(generations)
}
