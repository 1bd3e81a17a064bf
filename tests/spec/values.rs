//! The chart's values as its users read them: values.yaml is the source, the table in the chart's README is made from
//! its comments, and the schema says the same.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::snapshot;

/// One line of the table.
pub struct Entry {
    /// The keys from the root to here.
    pub path: Vec<String>,
    /// The comment above it.
    pub text: String,
    /// What it is where nobody sets it.
    pub default: Value,
}

/// The table in the chart's README.
#[test]
fn the_chart_readmes_table_is_that_of_values_yaml() -> Result<(), String> {
    let root = crate::root();
    let mut table = "| key | default | description |\n|---|---|---|\n".to_owned();
    for entry in entries(root)? {
        let default = entry.default.to_string().replace(',', ", ");
        let _ = writeln!(table, "| `{}` | `{default}` | {} |", dotted(&entry.path), entry.text);
    }
    snapshot::section(root, "charts/singleton-guard/README.md", "values", &table)
}

/// Every value has a comment, and the schema knows it with the same words.
#[test]
fn the_schema_knows_every_value_by_the_same_words() -> Result<(), String> {
    let root = crate::root();
    let text = std::fs::read_to_string(root.join("charts/singleton-guard/values.schema.json"));
    let schema: Value = serde_json::from_str(&text.map_err(|error| error.to_string())?).map_err(|e| e.to_string())?;
    let entries = entries(root)?;
    let mut faults = Vec::new();
    for leaf in leaves(&values(root)?, &[]) {
        if !entries.iter().any(|entry| leaf.starts_with(&entry.path)) {
            faults.push(format!("{} has no comment `# -- ...` in values.yaml", dotted(&leaf)));
        }
    }
    for entry in &entries {
        let node = entry.path.iter().try_fold(&schema, |node, key| node.get("properties")?.get(key));
        // What has no entry of its own there is a key of a free map, such as labels.
        if let Some(node) = node
            && node["description"] != entry.text.as_str()
        {
            faults.push(format!("{} is described differently in values.schema.json", dotted(&entry.path)));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// The commented values, in the order of the file.
pub fn entries(root: &Path) -> Result<Vec<Entry>, String> {
    let values = values(root)?;
    let (mut entries, mut path, mut comment) = (Vec::new(), Vec::<(usize, String)>::new(), None);
    for line in text(root)?.lines() {
        let trimmed = line.trim_start();
        if let Some(text) = trimmed.strip_prefix("# -- ") {
            comment = Some(text.to_owned());
            continue;
        }
        let indent = line.len() - trimmed.len();
        let Some((key, _)) = trimmed.split_once(':').filter(|_| !trimmed.starts_with(['#', '-'])) else { continue };
        path.retain(|(depth, _)| *depth < indent);
        path.push((indent, key.to_owned()));
        if let Some(text) = comment.take() {
            let path: Vec<String> = path.iter().map(|(_, key)| key.clone()).collect();
            let default = path.iter().try_fold(&values, |value, key| value.get(key)).cloned();
            let default = default.ok_or_else(|| format!("cannot find {path:?} in values.yaml"))?;
            entries.push(Entry { path, text, default });
        }
    }
    Ok(entries)
}

/// `webhook.annotations."admissions.enforcer/disabled"`.
pub fn dotted(path: &[String]) -> String {
    let quoted = |key: &String| if key.contains('.') { format!("{key:?}") } else { key.clone() };
    path.iter().map(quoted).collect::<Vec<_>>().join(".")
}

/// The paths to everything that is not a map with something in it.
fn leaves(value: &Value, path: &[String]) -> Vec<Vec<String>> {
    match value.as_object().filter(|map| !map.is_empty()) {
        Some(map) => {
            map.iter().flat_map(|(key, value)| leaves(value, &[path, std::slice::from_ref(key)].concat())).collect()
        }
        None => vec![path.to_vec()],
    }
}

fn values(root: &Path) -> Result<Value, String> {
    serde_saphyr::from_str(&text(root)?).map_err(|error| format!("values.yaml: {error}"))
}

fn text(root: &Path) -> Result<String, String> {
    std::fs::read_to_string(root.join("charts/singleton-guard/values.yaml")).map_err(|error| error.to_string())
}
