//! The table in `docs/reference/metrics.md`: made from what the exporter writes once everything has happened.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use singleton_guard::policy::decision::Decision;
use singleton_guard::policy::lookup::Found;
use singleton_guard::policy::request::Phase;
use singleton_guard::telemetry::exposition::Exposition;
use singleton_guard::telemetry::log::About;
use singleton_guard::telemetry::metrics::Metrics;

use super::snapshot;

/// The table names every metric with its type, its labels and its help.
#[test]
fn the_table_of_metrics_is_what_is_exported() -> Result<(), String> {
    let root = crate::root();
    let text = text()?;
    let mut table = "| metric | type | labels | what it says |\n|---|---|---|---|\n".to_owned();
    for (name, Family { type_, help, labels }) in families(&text) {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(table, "| `{name}` | {type_} | {} | {help} |", labels.join(", "));
    }
    snapshot::section(root, "docs/reference/metrics.md", "metrics", &table)
}

#[derive(Debug, Default)]
struct Family {
    type_: String,
    help: String,
    labels: BTreeSet<String>,
}

/// What a replica answers to whom asks for no other form than text, once everything has happened.
pub fn text() -> Result<String, String> {
    after_everything().encode(true, Exposition::Text).map_err(|error| error.to_string())
}

/// The families of such a text.
fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
            current = String::from(name);
            families.entry(current.clone()).or_default().help = String::from(help.trim_end_matches('.'));
        } else if let Some((name, type_)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
            families.entry(name.to_owned()).or_default().type_ = String::from(type_);
        } else if let Some((_, labels)) = line.split_once('{') {
            // No value of ours has a comma or a brace in it.
            let labels = labels.split_once('}').map_or(labels, |(labels, _)| labels);
            let names = labels.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name);
            let names = names.filter(|name| *name != "le").map(ToOwned::to_owned);
            families.entry(current.clone()).or_default().labels.extend(names);
        }
    }
    families
}

/// A metric without a label value is not written, so everything happens once.
fn after_everything() -> Metrics {
    let metrics = Metrics::new();
    metrics.reviews.answered(&About::unreadable(Phase::Validate), &Decision::ALLOWED, Duration::ZERO);
    metrics.reviews.asked(&Ok(Found::Parent { marked: true, owner: None, custom: None }), Duration::ZERO);
    metrics.reviews.proved("unmarked");
    metrics.certificate(SystemTime::now());
    metrics.singletons.autoscaled("statefulsets", 1);
    metrics.singletons.count("statefulsets", 1, 0);
    metrics.companions.wrote("Service", "created");
    metrics.companions.reconciled("statefulsets", "ok");
    metrics.companions.stamped(1);
    metrics.reviews.event("written");
    metrics.configuration.reloaded(true);
    metrics.watches.synced("statefulsets", true);
    metrics.watches.unreadable("statefulsets", 0);
    metrics
}
