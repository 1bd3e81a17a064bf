//! `kubectl singleton-guard check` beside a live API server with the guard: of manifests of every kind and shape both say the
//! same, with the same codes at the same fields. Each is sent as a dry run, which all webhooks and policies judge.

use std::collections::BTreeSet;
use std::time::SystemTime;

use anyhow::{Result, ensure};
use http::Method;
use serde_json::{Value, json};
use singleton_guard::cli::check::{Check, Report};
use singleton_guard::cli::finding::Level;
use singleton_guard::settings::Settings;

use crate::common::api::{self, Answer};
use crate::common::new_namespace;
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::{self, MARK, complete};

stories!(the_api_server_says_the_same);

/// Goes through all manifests.
async fn the_api_server_says_the_same(lab: &Lab) -> Result<()> {
    let namespace = new_namespace(lab).await?;
    let (mut faults, mut refused, mut taken, mut invalid) = (Vec::new(), 0, 0, 0);
    let manifests = manifests();
    ensure!(manifests.len() > 200, "only {} manifests", manifests.len());
    for (number, partial) in manifests.iter().enumerate() {
        let mut object = complete(partial, &namespace);
        if number % 3 == 0 {
            // As most are written.
            object["metadata"].as_object_mut().map(|metadata| metadata.remove("namespace"));
        }
        let report = checked(&object.to_string(), &namespace);
        let path = format!("{}?dryRun=All", api::path(object["kind"].as_str().unwrap_or_default(), &namespace, None));
        let content = Some(("application/json", object.to_string()));
        let answer = api::call(&lab.client(), Method::POST, &path, content, None).await?;
        match answer.code {
            403 => refused += 1,
            // Invalid to the API server itself, which then asks no validating webhook.
            400 | 422 => {
                invalid += 1;
                continue;
            }
            _ => taken += 1,
        }
        if let Some(fault) = difference(&answer, &report) {
            faults.push(format!("{object}\n  {fault}"));
        }
    }
    ensure!(faults.is_empty(), "{} of {} differ\n{}", faults.len(), manifests.len(), faults.join("\n"));
    ensure!(refused > 60 && taken > 60 && invalid < 60, "{refused} were refused, {taken} taken, {invalid} invalid");
    Ok(())
}

fn checked(text: &str, namespace: &str) -> Report {
    let settings = Settings::default();
    let mut check = Check::new(&settings, namespace, SystemTime::now());
    check.file("a.json", text);
    check.report()
}

/// In what the two differ.
fn difference(answer: &Answer, report: &Report) -> Option<String> {
    let of = |level: Level| report.findings.iter().filter(move |finding| finding.level == level);
    if of(Level::Unreadable).next().is_some() {
        return Some(format!("it was taken, and cannot be read: {}", answer.body));
    }
    if of(Level::Undecided).next().is_some() {
        return None;
    }
    let said: BTreeSet<String> =
        of(Level::Refused).map(|it| format!("{} {} {}", it.code, it.field, it.message)).collect();
    let causes = answer.body["details"]["causes"].as_array().cloned().unwrap_or_default();
    let text = |cause: &Value, key: &str| cause[key].as_str().unwrap_or_default().to_owned();
    let answered: BTreeSet<String> = causes
        .iter()
        .map(|cause| format!("{} {} {}", text(cause, "reason"), text(cause, "field"), text(cause, "message")))
        .collect();
    if answer.code == 403 && causes.iter().all(|cause| cause["reason"].is_null()) {
        // A policy names neither code nor field: it says the line, and a remedy behind it.
        let message = answer.message();
        let is_said = of(Level::Refused).any(|it| message.starts_with(&it.message));
        return (!is_said).then(|| format!("refused by a policy: {message}"));
    }
    if said != answered {
        return Some(format!("{} {answered:?}, and not {said:?}", answer.code));
    }
    let warned: BTreeSet<&str> = answer.warnings.iter().filter_map(|warning| ours(warning)).collect();
    let said: BTreeSet<&str> = of(Level::Warning).filter_map(|it| ours(&it.message)).collect();
    (answer.succeeded() && warned != said).then(|| format!("warned {warned:?}, and not {said:?}"))
}

/// What the guard says in a warning: its policies have the API server's words before it.
fn ours(warning: &str) -> Option<&str> {
    if warning.starts_with("SG0") {
        return Some(warning);
    }
    warning.find("nothing guards").and_then(|begin| warning.get(begin..))
}

/// Of every kind, with every value of each thing that a verdict depends on, and the others as usual.
fn manifests() -> Vec<Value> {
    let kinds =
        ["StatefulSet", "Deployment", "ReplicaSet", "ReplicationController", "DaemonSet", "Job", "CronJob", "Pod"];
    let marks = [json!(null), json!("enabled"), json!("true"), json!("strict"), json!("yes"), json!("")];
    let mut manifests = Vec::new();
    for kind in kinds {
        for mark in &marks {
            let usual = json!({"kind": kind, "metadata": {"name": "ledger", "labels": {MARK: mark}}});
            manifests.push(usual.clone());
            for more in shapes(kind) {
                manifests.push(case::with(&usual, more));
            }
        }
    }
    for manifest in &mut manifests {
        if manifest["metadata"]["labels"][MARK].is_null() {
            manifest["metadata"]["labels"].as_object_mut().map(|labels| labels.remove(MARK));
        }
    }
    manifests
}

fn shapes(kind: &str) -> Vec<Value> {
    let key = |key: &str| json!({"spec": {"template": {"metadata": {"labels": {"singleton-guard.io/key": key}}}}});
    let annotated =
        |name: &str, value: &str| json!({"metadata": {"annotations": {format!("singleton-guard.io/{name}"): value}}});
    let mut shapes = vec![
        annotated("disruption", "never"),
        annotated("headless-service", "other"),
        annotated("headless-service", "ledger-own"),
        annotated("disruption-allowed-until", "2199-01-01T00:00:00Z"),
        annotated("disruption-allowed-until", "2020-01-01T00:00:00Z"),
        json!({"metadata": {"ownerReferences": [
            {"apiVersion": "example.com/v1", "kind": "Rollout", "name": "web", "uid": "1", "controller": true}]}}),
    ];
    if kind == "Pod" {
        shapes.push(json!({"metadata": {"labels": {"singleton-guard.io/key": "other"}}}));
        shapes.push(json!({"metadata": {"labels": {"singleton-guard.io/key": "ledger"}}}));
    }
    if !["StatefulSet", "Deployment", "ReplicaSet", "ReplicationController"].contains(&kind) {
        return shapes;
    }
    shapes.extend([0, 1, 2, 3].map(|replicas| json!({"spec": {"replicas": replicas}})));
    shapes.extend([key("ledger"), key("ledger-0"), key("Not-A-Key")]);
    shapes.push(json!({"spec": {"template": {"metadata": {"labels": {MARK: "enabled"}}}}}));
    shapes.push(json!({"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 0}}}}));
    match kind {
        "Deployment" => shapes.extend([
            json!({"spec": {"strategy": {"type": "Recreate"}}}),
            json!({"spec": {"strategy": {"type": "RollingUpdate"}}}),
            json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 0}}}}),
            json!({"spec": {"strategy": {"rollingUpdate": {"maxSurge": "1%", "maxUnavailable": 0}}}}),
            json!({"spec": {"paused": true}}),
        ]),
        "StatefulSet" => shapes.extend([
            json!({"spec": {"serviceName": "ledger"}}),
            json!({"spec": {"ordinals": {"start": 3}}}),
            json!({"spec": {"updateStrategy": {"type": "OnDelete"}}}),
        ]),
        "ReplicationController" => shapes.push(json!({
            "metadata": {"labels": null},
            "spec": {"replicas": 2, "template": {"metadata": {"labels": {MARK: "enabled"}}}},
        })),
        _ => {}
    }
    shapes
}
