//! What the alerts and the dashboard ask Prometheus for exists: each metric, with each label, at the port of a real
//! replica or of the real API server.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use http::{Method, Request};
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::json;

use super::left_out::LeftOut;
use super::live::{eventually, new_namespace};
use super::operations::get;
use super::{api, case, outage, rules};
use crate::lab::Lab;

/// One sample: the metric, and its labels.
type Sample = (String, BTreeMap<String, String>);

/// A metric as an expression selects it.
#[derive(Debug)]
struct Selected {
    metric: String,
    /// Label, operator, value.
    matchers: Vec<(String, String, String)>,
}

/// Every metric that is asked for exists. What only an outage counts is there after the tests of outages; by itself
/// this test makes the outage.
pub async fn every_metric_asked_for_exists(lab: &Lab) -> Result<()> {
    let expressions = rules::expressions(Path::new(env!("CARGO_MANIFEST_DIR"))).map_err(anyhow::Error::msg)?;
    ensure!(expressions.len() > 20, "only {} expressions were found", expressions.len());
    work(lab).await?;
    fail_open(lab).await?;
    if !missing(lab, &expressions).await?.is_empty() {
        outage::with_every_replica_dead_scaling_up_waits(lab).await?;
        outage::without_its_rights_it_says_so(lab).await?;
        work(lab).await?;
    }
    // What is counted beside an answer comes a moment after it.
    let waited =
        eventually("every metric", || async { Ok(missing(lab, &expressions).await?.is_empty().then_some(())) }).await;
    let missing = missing(lab, &expressions).await?;
    ensure!(missing.is_empty(), "nobody exports {missing:#?}");
    waited?;
    let promtool = rules::on_path("promtool").ok_or_else(|| LeftOut(rules::NO_PROMTOOL.to_owned()))?;
    for text in replicas(lab).await? {
        rules::well_formed(&promtool, &text).map_err(anyhow::Error::msg)?;
    }
    Ok(())
}

/// The selectors that select nothing.
async fn missing(lab: &Lab, expressions: &[String]) -> Result<Vec<Selected>> {
    let samples = samples(lab).await?;
    let mut missing = Vec::new();
    for selected in expressions.iter().flat_map(|expression| selected(expression)) {
        let matches = |(metric, labels): &&Sample| {
            *metric == selected.metric
                && selected.matchers.iter().all(|(label, operator, value)| {
                    match (labels.get(label), operator.as_str()) {
                        (Some(found), "=") => found == value,
                        // The patterns that are used.
                        (Some(found), "=~") => {
                            value == ".+[.]singleton-guard[.]io" && found.ends_with(".singleton-guard.io")
                        }
                        (Some(found), "!~") => {
                            value == "(pods|.+-elsewhere)[.].+"
                                && !found.starts_with("pods.")
                                && !found.contains("-elsewhere.")
                        }
                        (found, "by") => found.is_some(),
                        _ => false,
                    }
                })
        };
        if !samples.iter().any(|sample| matches(&sample)) {
            missing.push(selected);
        }
    }
    Ok(missing)
}

/// What an expression selects, together with the labels that it groups by.
fn selected(expression: &str) -> Vec<Selected> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut found = Vec::new();
    // The grouping is the innermost one before the metric.
    let mut by = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '"' || c == '{') {
        rest = &rest[start..];
        let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() {
            // A string, or the matchers of nothing that we know.
            rest = match rest.strip_prefix('"') {
                Some(string) => string.split_once('"').map_or("", |(_, after)| after),
                None => &rest[1..],
            };
            continue;
        }
        rest = after;
        if word == "by"
            && let Some((labels, after)) = after.trim_start().strip_prefix('(').and_then(|list| list.split_once(')'))
        {
            by = labels.split(',').map(|label| label.trim().to_owned()).collect();
            rest = after;
        }
        if OURS.iter().any(|prefix| word.starts_with(prefix)) {
            let mut matchers: Vec<_> =
                by.iter().map(|label: &String| (label.clone(), "by".to_owned(), String::new())).collect();
            if let Some((inside, after)) = after.strip_prefix('{').and_then(|inside| inside.split_once('}')) {
                matchers.extend(inside.split(", ").filter_map(matcher));
                rest = after;
            }
            found.push(Selected { metric: word.to_owned(), matchers });
        }
    }
    found
}

/// `label="value"` or `label=~"value"`.
fn matcher(text: &str) -> Option<(String, String, String)> {
    let (left, value) = text.trim().split_once('"')?;
    let label: String = left.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    Some((label.clone(), left[label.len()..].to_owned(), value.trim_end_matches('"').to_owned()))
}

/// All that the replicas and the API server export now.
async fn samples(lab: &Lab) -> Result<Vec<Sample>> {
    let client = lab.client();
    let response = client.send(Request::get("/metrics").body(Body::empty())?).await?;
    let mut text = String::from_utf8_lossy(&response.into_body().collect().await?.to_bytes()).into_owned();
    text.push_str(&replicas(lab).await?.concat());
    Ok(text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect())
}

/// What each replica answers to whom names no form.
async fn replicas(lab: &Lab) -> Result<Vec<String>> {
    let pods = format!(
        "/api/v1/namespaces/{}/pods?labelSelector=app.kubernetes.io/component=webhook",
        super::installed::NAMESPACE
    );
    let pods = api::call(&lab.client(), Method::GET, &pods, None, None).await?.success()?;
    let mut texts = Vec::new();
    for pod in pods["items"].as_array().into_iter().flatten() {
        let address = pod["status"]["podIP"].as_str().context("a Pod without an address")?;
        let answer = get(&format!("{address}:8080"), "/metrics").await?;
        let (head, text) = answer.split_once("\r\n\r\n").context("an answer without a head")?;
        ensure!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
        texts.push(text.to_owned());
    }
    Ok(texts)
}

/// `metric{label="value",...} number`.
fn sample(line: &str) -> Option<Sample> {
    let (series, _) = line.rsplit_once(' ')?;
    let Some((metric, inside)) = series.split_once('{') else { return Some((series.to_owned(), BTreeMap::new())) };
    let labels = inside.trim_end_matches('}').split("\",");
    let labels = labels.filter_map(|label| label.split_once("=\""));
    Some((
        metric.to_owned(),
        labels.map(|(label, value)| (label.to_owned(), value.trim_end_matches('"').to_owned())).collect(),
    ))
}

/// A singleton is made, gets its companions, and is refused a second copy.
async fn work(lab: &Lab) -> Result<()> {
    let namespace = new_namespace(lab).await?;
    let image = "--image=registry.k8s.io/pause:3.10";
    let key = format!("{}=true", case::MARK);
    lab.kubectl(&["-n", &namespace, "create", "deployment", "only-one", image]).await?.success()?;
    lab.kubectl(&["-n", &namespace, "label", "deployment", "only-one", &key]).await?.success()?;
    eventually("the companions to be made", || async {
        let done = lab.kubectl(&["-n", &namespace, "get", "pdb", "only-one-deployment-singleton"]).await?;
        Ok(done.succeeded().then_some(()))
    })
    .await?;
    let refused = lab.kubectl(&["-n", &namespace, "scale", "deployment", "only-one", "--replicas=2"]).await?;
    ensure!(refused.stderr.contains("SG001"), "{refused:?}");
    Ok(())
}

/// A validating webhook of our name that is Ignore and not there: what `failurePolicy: Ignore` makes of an outage.
async fn fail_open(lab: &Lab) -> Result<()> {
    let namespace = new_namespace(lab).await?;
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "nobody"},
        "webhooks": [{
            "name": "nobody.singleton-guard.io",
            // The discard port.
            "clientConfig": {"url": "https://127.0.0.1:9/"},
            "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Ignore",
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
        }],
    });
    lab.kubectl_with_input(&["apply", "-f", "-"], &configuration.to_string()).await?.success()?;
    let counted = eventually("the API server to count a call that fails open", || async {
        lab.kubectl(&["-n", &namespace, "create", "configmap", "x", "--dry-run=server"]).await?.success()?;
        let counted = |(metric, labels): &Sample| {
            metric == "apiserver_admission_webhook_fail_open_count"
                && labels.get("name").is_some_and(|name| name == "nobody.singleton-guard.io")
        };
        Ok(samples(lab).await?.iter().any(counted).then_some(()))
    })
    .await;
    lab.kubectl(&["delete", "validatingwebhookconfiguration", "nobody"]).await?.success()?;
    counted
}

/// How the names of the metrics begin that the two export.
const OURS: [&str; 3] = ["singleton_guard_", "apiserver_", "process_"];
