//! What a selector selects: our reading against the API server's own answer, on generated selectors and labels.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use singleton_guard::companions::plan::selector::{PodLabels, Selector};

use crate::common::api;
use crate::common::place::{Place, chance, pick};
use crate::harness::stories;
use crate::lab::Lab;

stories!(selectors_mean_what_the_api_server_says);

/// A ConfigMap for each set of labels; each selector is a list with `labelSelector`.
async fn selectors_mean_what_the_api_server_says(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let mut chance = chance();
    let mut objects = BTreeMap::new();
    let collection = format!("/api/v1/namespaces/{}/configmaps", place.namespace);
    for number in 0..OBJECTS {
        let labels: BTreeMap<String, String> = KEYS
            .iter()
            .filter_map(|key| Some(((*key).to_owned(), VALUES.get(pick(&mut chance, 4))?.to_string())))
            .collect();
        let name = format!("labels-{number}");
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}});
        api::post(&lab.client(), &collection, &object, None).await?.success()?;
        objects.insert(name, PodLabels { known: labels, unknown: None });
    }
    for _ in 0..SELECTORS {
        let (selector, query) = selector(&mut chance);
        let path = format!("{collection}?labelSelector={query}");
        let list = api::read(&lab.client(), &path).await?.success()?;
        let names = list["items"].as_array().into_iter().flatten().filter_map(|item| item["metadata"]["name"].as_str());
        let theirs: Vec<_> = names.filter(|name| objects.contains_key(*name)).map(str::to_owned).collect();
        let parsed: Selector = serde_json::from_value(selector.clone())?;
        let ours: Vec<_> =
            objects.iter().filter(|(_, labels)| parsed.selects(labels)).map(|(name, _)| name.clone()).collect();
        let mut theirs = theirs;
        theirs.sort_unstable();
        ensure!(sorted(ours.clone()) == theirs, "{selector}: the API server says {theirs:?}, we say {ours:?}");
    }
    Ok(())
}

/// A selector as an object, and as a query says the same.
fn selector(chance: &mut TestRunner) -> (Value, String) {
    let (mut labels, mut expressions, mut query) = (BTreeMap::new(), Vec::new(), Vec::new());
    for key in KEYS {
        let (one, other) = (VALUES[pick(chance, 3)], VALUES[pick(chance, 3)]);
        match pick(chance, 9) {
            0 => {
                labels.insert(key, one);
                query.push(format!("{key}%3D{one}"));
            }
            1 => {
                expressions.push(json!({"key": key, "operator": "In", "values": [one, other]}));
                query.push(format!("{key}%20in%20({one},{other})"));
            }
            2 => {
                expressions.push(json!({"key": key, "operator": "NotIn", "values": [one, other]}));
                query.push(format!("{key}%20notin%20({one},{other})"));
            }
            3 => {
                expressions.push(json!({"key": key, "operator": "Exists"}));
                query.push(key.to_owned());
            }
            4 => {
                expressions.push(json!({"key": key, "operator": "DoesNotExist"}));
                query.push(format!("!{key}"));
            }
            _ => {}
        }
    }
    (json!({"matchLabels": labels, "matchExpressions": expressions}), query.join(","))
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}

const KEYS: [&str; 3] = ["app", "tier", "zone"];
/// A fourth one would be no label.
const VALUES: [&str; 3] = ["a", "b", ""];
const OBJECTS: usize = 40;
const SELECTORS: usize = 300;
