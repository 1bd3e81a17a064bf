//! What the alerts and the dashboard ask Prometheus.

use std::path::Path;

use serde_json::Value;

use crate::spec::rules::{alerts, dashboard, each, text};

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
