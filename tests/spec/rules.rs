//! The alerts and the dashboard: each alert is tested and says what to do. What promtool says of them
//! is among the stories.

use std::path::Path;

use serde_json::Value;

/// Each alert has a runbook that exists, and a test in both directions.
#[test]
fn every_alert_is_tested_and_says_what_to_do() -> Result<(), String> {
    let root = crate::root();
    let tests = yaml(root, TESTS)?;
    let tests: Vec<&Value> = each(&tests["tests"]).flat_map(|test| each(&test["alert_rule_test"])).collect();
    let mut faults = Vec::new();
    for alert in alerts(root)? {
        let name = text(&alert["alert"]);
        for fires in [true, false] {
            let tested =
                |test: &&&Value| test["alertname"] == name && each(&test["exp_alerts"]).next().is_some() == fires;
            if !tests.iter().any(|test| tested(&test)) {
                faults.push(format!("{TESTS} does not say when {name} {}", if fires { "fires" } else { "does not" }));
            }
        }
        let runbook = text(&alert["annotations"]["runbook_url"]);
        let expected = format!("{HOME}/{RUNBOOKS}#{}", name.to_lowercase());
        let headings = std::fs::read_to_string(root.join(RUNBOOKS)).map_err(|error| error.to_string())?;
        if runbook != expected || !headings.lines().any(|line| line.trim_start_matches('#') == format!(" {name}")) {
            faults.push(format!("{name}: the runbook {runbook:?} should be {expected}, a heading that exists"));
        }
        for field in ["summary", "description"] {
            if text(&alert["annotations"][field]).is_empty() {
                faults.push(format!("{name} has no {field}"));
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// What a panel shows is what was chosen, and the clusters are not added up.
#[test]
fn every_panel_shows_what_is_chosen() -> Result<(), String> {
    let mut faults = Vec::new();
    for panel in each(&dashboard(crate::root())?["panels"]) {
        for expression in each(&panel["targets"]).map(|target| text(&target["expr"])) {
            let ours = r#"{cluster=~"$cluster", namespace=~"$namespace", job=~"$job""#;
            let is_chosen = expression.contains(ours)
                || (expression.contains("apiserver_") && expression.contains(r#"{cluster=~"$cluster", "#));
            let adds_up = expression.split(" by (").skip(1).any(|labels| !labels.starts_with("cluster"))
                || expression.contains("sum(")
                || expression.contains("max(");
            if !is_chosen || adds_up {
                faults.push(format!("{}: {expression}", text(&panel["title"])));
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// The rules as the chart keeps them.
pub fn rules(root: &Path) -> Result<Value, String> {
    yaml(root, RULES)
}

/// Each alert of the chart.
pub fn alerts(root: &Path) -> Result<Vec<Value>, String> {
    let rules = rules(root)?;
    Ok(each(&rules["groups"]).flat_map(|group| each(&group["rules"])).cloned().collect())
}

/// The dashboard of the chart.
pub fn dashboard(root: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(root.join(DASHBOARD)).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

fn yaml(root: &Path, path: &str) -> Result<Value, String> {
    let text = std::fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}"))?;
    serde_saphyr::from_str(&text).map_err(|error| format!("{path}: {error}"))
}

/// Each of a list.
pub fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What is written there.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub const RULES: &str = "charts/singleton-guard/files/rules.yaml";
const DASHBOARD: &str = "charts/singleton-guard/files/dashboard.json";
pub const TESTS: &str = "tests/rules.yaml";
/// The default of `runbookBaseUrl`.
const HOME: &str = "https://singleton-guard.io";
const RUNBOOKS: &str = "docs/monitoring.md";
