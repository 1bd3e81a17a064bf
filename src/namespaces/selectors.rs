//! The list as it stands in a webhook configuration: `namespaceSelector` of the entries that the registry knows to be
//! called by namespace. Which of them there are is read from the object, never assumed: a replica may be older or newer
//! than the chart. Pure.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::plan::Selection;
use crate::chart::rows::ROWS;
use crate::chart::webhooks::{Entry, Namespaces};

/// What a configuration says; none if no entry of it is called by namespace.
#[must_use]
pub fn selection(configuration: &Value) -> Option<Selection> {
    let mut said = entries(configuration).map(|(webhook, namespaces)| read(webhook, namespaces));
    let first = said.next()?;
    Some(if said.all(|other| other == first) { first } else { Selection::Foreign })
}

/// Whether a namespace that is in the list is refused in by an entry of this configuration. The others are called where
/// it is not, so they must not learn of a name before the ones that refuse there.
#[must_use]
pub fn refuses_in_listed(configuration: &Value) -> bool {
    entries(configuration).any(|(_, namespaces)| namespaces == Namespaces::WithSingletons)
}

/// Whether the API server trusts what stands behind one entry as much as behind the other. An entry that a new chart
/// has brought answers nothing until it has its caBundle.
#[must_use]
pub fn answer_alike(configuration: &Value) -> bool {
    let bundle = |webhook: &Value| webhook.pointer("/clientConfig/caBundle").cloned();
    let bundles: BTreeSet<_> =
        entries(configuration).map(|(webhook, _)| bundle(webhook).map(|bundle| bundle.to_string())).collect();
    bundles.len() <= 1
}

/// The entries to apply, each with nothing but its name and its selector.
#[must_use]
pub fn written(configuration: &Value, selection: &Selection) -> Vec<Value> {
    entries(configuration)
        .map(|(webhook, namespaces)| {
            json!({ "name": webhook.get("name"), "namespaceSelector": selector(selection, namespaces) })
        })
        .collect()
}

/// The entries that are called by namespace, as they are found. None, where one lacks the twin that its row has: a chart
/// that is older than this process has only that one to be called everywhere.
fn entries(configuration: &Value) -> impl Iterator<Item = (&Value, Namespaces)> {
    let webhooks = configuration.get("webhooks").and_then(Value::as_array).into_iter().flatten();
    let is_elsewhere = |entry: &Entry| entry.namespaces == Namespaces::WithoutSingletons;
    let mut has_twins = false;
    let mut entries: Vec<_> = webhooks
        .filter_map(|webhook| {
            let name = webhook.get("name").and_then(Value::as_str)?;
            let mut known = ROWS.iter().flat_map(|row| row.entries().iter().map(move |entry| (row, entry)));
            let (row, entry) = known.find(|(_, entry)| entry.full_name() == name)?;
            has_twins |= row.entries().iter().any(is_elsewhere);
            (entry.namespaces != Namespaces::All).then_some((webhook, entry.namespaces))
        })
        .collect();
    if has_twins && !entries.iter().any(|(_, namespaces)| *namespaces == Namespaces::WithoutSingletons) {
        entries.clear();
    }
    entries.into_iter()
}

/// Reads what [`selector`] writes; everything else is foreign.
fn read(webhook: &Value, namespaces: Namespaces) -> Selection {
    let Some(stored) = webhook.get("namespaceSelector") else { return Selection::Everywhere };
    if *stored == selector(&Selection::Everywhere, namespaces) {
        return Selection::Everywhere;
    }
    let values = stored.pointer("/matchExpressions/0/values").and_then(Value::as_array);
    let names = values.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
    let listed = Selection::Listed(names);
    if *stored == selector(&listed, namespaces) { listed } else { Selection::Foreign }
}

fn selector(selection: &Selection, namespaces: Namespaces) -> Value {
    let Selection::Listed(names) = selection else { return json!({}) };
    let operator = if namespaces == Namespaces::WithSingletons { "In" } else { "NotIn" };
    json!({ "matchExpressions": [{ "key": NAMESPACE_NAME, "operator": operator, "values": names }] })
}

/// The label that the API server itself keeps on every namespace.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";
