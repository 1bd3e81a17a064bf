//! The metrics, the alerts and the dashboard: that promtool takes them, that each alert fires when it should and not otherwise, and
//! that each says what to do.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use libtest_mimic::{Completion, Trial};
use serde_json::Value;

use super::{left_out, metrics_table};

/// `promtool check rules`, `test rules` and `check metrics`, where there is a promtool.
pub fn trials(root: &'static Path) -> [Trial; 2] {
    [
        with_promtool("rules::fire when they should", move |promtool| {
            run(promtool, &["check", "rules", RULES], "", root)?;
            run(promtool, &["test", "rules", TESTS], "", root)
        }),
        with_promtool("rules::every metric is named and described as is usual", |promtool| {
            well_formed(promtool, &metrics_table::text()?)
        }),
    ]
}

/// What a replica answers is in the text format, and named and described as the Prometheus project asks for.
pub fn well_formed(promtool: &Path, metrics: &str) -> Result<(), String> {
    run(promtool, &["check", "metrics"], metrics, Path::new("."))
}

fn with_promtool(name: &str, check: impl FnOnce(&Path) -> Result<(), String> + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || match on_path("promtool") {
        Some(promtool) => Ok(check(&promtool).map(|()| Completion::Completed)?),
        None => left_out::left_out(NO_PROMETHEUS),
    })
}

fn run(promtool: &Path, arguments: &[&str], input: &str, root: &Path) -> Result<(), String> {
    let run = || {
        let mut command = Command::new(promtool);
        command.args(arguments).current_dir(root).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        // It reads all of it before it says anything.
        child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(input.as_bytes()))?;
        child.wait_with_output()
    };
    let done = run().map_err(|error| format!("promtool {arguments:?}: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = [done.stdout, done.stderr].concat();
    Err(format!("promtool {arguments:?}:\n{}", String::from_utf8_lossy(&said)))
}

/// Each alert has a runbook that exists, and a test in both directions.
pub fn alerts_are_whole(root: &Path) -> Result<(), String> {
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

/// Something that is asked of Prometheus.
#[derive(Debug)]
pub struct Query {
    /// The alert and its part, the panel, or the variable.
    pub place: String,
    pub expression: String,
    /// The labels of the answer that are shown.
    pub labels: Vec<String>,
}

/// Everything that is asked: by each part of each alert, of which the comparison is made to answer in either case, and by
/// the panels and variables of the dashboard, while everything is chosen.
pub fn queries(root: &Path) -> Result<Vec<Query>, String> {
    let mut queries = Vec::new();
    for alert in alerts(root)? {
        let labels = shown(&alert["annotations"].to_string(), "$labels.");
        let expression = text(&alert["expr"]).split('\n').map(str::trim).collect::<Vec<_>>().join(" ");
        for (part, expression) in expression.split(" or ").enumerate() {
            let expression = ["==", ">", "<"].iter().fold(expression.to_owned(), |expression, operator| {
                expression.replace(&format!(" {operator} "), &format!(" {operator} bool "))
            });
            let place = format!("{}, part {}", text(&alert["alert"]), part + 1);
            queries.push(Query { place, expression, labels: labels.clone() });
        }
    }
    let dashboard = dashboard(root)?;
    let variables: Vec<&Value> = each(&dashboard["templating"]["list"]).filter(|one| one["type"] == "query").collect();
    let chosen = |expression: &str| {
        variables.iter().fold(expression.replace("$__rate_interval", "1m"), |expression, variable| {
            expression.replace(&format!("${}", text(&variable["name"])), text(&variable["allValue"]))
        })
    };
    for panel in each(&dashboard["panels"]) {
        for target in each(&panel["targets"]) {
            let place = format!("{}, {}", text(&panel["title"]), text(&target["refId"]));
            let labels = shown(text(&target["legendFormat"]), "{{");
            queries.push(Query { place, expression: chosen(text(&target["expr"])), labels });
        }
    }
    for variable in &variables {
        let values = text(&variable["query"]["query"]).strip_prefix("label_values(");
        let values = values.and_then(|values| values.strip_suffix(')')).and_then(|values| values.rsplit_once(", "));
        let (expression, label) = values.ok_or_else(|| format!("{variable} is not label_values(METRIC, LABEL)"))?;
        let place = format!("${}", text(&variable["name"]));
        queries.push(Query { place, expression: chosen(expression), labels: vec![label.to_owned()] });
    }
    Ok(queries)
}

/// The names of labels in a text that come after this.
fn shown(text: &str, before: &str) -> Vec<String> {
    let names =
        text.split(before).skip(1).map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_'));
    names.map(Iterator::collect).collect()
}

/// What a panel shows is what was chosen, and the clusters are not added up.
pub fn panels_show_what_is_chosen(root: &Path) -> Result<(), String> {
    let mut faults = Vec::new();
    for panel in each(&dashboard(root)?["panels"]) {
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

/// The program of that name on the PATH.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|file| file.is_file())
}

fn alerts(root: &Path) -> Result<Vec<Value>, String> {
    let rules = rules(root)?;
    Ok(each(&rules["groups"]).flat_map(|group| each(&group["rules"])).cloned().collect())
}

fn dashboard(root: &Path) -> Result<Value, String> {
    let text = std::fs::read_to_string(root.join(DASHBOARD)).map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

fn yaml(root: &Path, path: &str) -> Result<Value, String> {
    let text = std::fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}"))?;
    serde_saphyr::from_str(&text).map_err(|error| format!("{path}: {error}"))
}

fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Why a check is left out.
pub const NO_PROMETHEUS: &str = "promtool or prometheus is not there (Debian: package prometheus)";
const RULES: &str = "charts/singleton-guard/files/rules.yaml";
const DASHBOARD: &str = "charts/singleton-guard/files/dashboard.json";
const TESTS: &str = "tests/rules.yaml";
/// The default of `runbookBaseUrl`.
const HOME: &str = "https://singleton-guard.io";
const RUNBOOKS: &str = "docs/monitoring.md";
