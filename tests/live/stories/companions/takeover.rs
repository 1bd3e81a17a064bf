//! What somebody else writes to is theirs: a companion of ours becomes the user's, whole and for good, by whatever he
//! brings his own with; and stays ours where others only touch it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use http::Method;
use serde_json::{Value, json};

use crate::common::api;
use crate::common::place::{Place, budget_name};
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::{MARK, complete, with};

stories!(
    what_somebody_writes_to_is_his,
    what_others_touch_stays_ours,
    a_released_one_lets_go_too,
    a_chart_brings_its_service,
    one_with_an_address_replaces_ours,
);

/// By every way to write to it, and within a second. The workload may go afterwards, or ask for what it likes.
async fn what_somebody_writes_to_is_his(lab: &Lab) -> Result<()> {
    let apply = ["apply", "-f", "-"];
    let server_side = ["apply", "--server-side", "-f", "-"];
    let force = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
    let budget = budget_name("ledger", "StatefulSet");
    let patch = ["patch", "service", NAME, "-p", r#"{"spec":{"publishNotReadyAddresses":true}}"#];
    let block = ["patch", "pdb", &budget, "-p", r#"{"spec":{"minAvailable":1}}"#];
    let label =
        ["patch", "service", NAME, "-p", r#"{"metadata":{"labels":{"app.kubernetes.io/managed-by":"Tiller"}}}"#];
    // The identical spec, which leaves nothing else than an annotation behind, and one of his own.
    let own = json!([{"name": "books", "port": 9090}]);
    let ways: [(&str, &[&str], Option<Value>); 7] = [
        ("kubectl-client-side-apply", &apply, Some(json!([]))),
        ("kubectl-client-side-apply", &apply, Some(own.clone())),
        ("kubectl", &server_side, Some(json!([]))),
        ("kubectl", &force, Some(own)),
        ("kubectl-patch", &patch, None),
        ("kubectl-patch", &block, None),
        ("kubectl-patch", &label, None),
    ];
    try_join_all(ways.into_iter().map(|(by, way, manifest)| async move {
        let kind = if way.contains(&"pdb") { "PodDisruptionBudget" } else { "Service" };
        let taken = taken_over(lab, kind, way, manifest.as_ref());
        taken.await.with_context(|| format!("{way:?}, {manifest:?}")).map(|said| (by, said))
    }))
    .await?
    .into_iter()
    .try_for_each(|(by, said)| {
        ensure!(said.contains(&format!("which {by} has written to")), "{by}: {said}");
        Ok(())
    })
}

/// Returns what was said.
async fn taken_over(lab: &Lab, kind: &str, way: &[&str], ports: Option<&Value>) -> Result<String> {
    let place = Place::new(lab).await?;
    let name = started(&place, kind).await?;
    let arguments = [&["-n", &place.namespace], way, &["-o", "json", "--show-managed-fields"]].concat();
    let manifest = match ports {
        Some(ports) => manifest(ports),
        None => Value::Null,
    };
    let written = lab.kubectl_with_input(&arguments, &manifest.to_string()).await?.success()?;
    let began = Instant::now();
    let written: Value = serde_json::from_str(&written)?;
    loop {
        let now = place.get(kind, &name).await?.context("it is there")?;
        if is_free(&now) {
            break;
        }
        ensure!(began.elapsed() < AT_ONCE, "it is kept: {now:#}\n{:#?}", place.writes()?);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut expected = written.clone();
    if let Some(metadata) = expected["metadata"].as_object_mut() {
        metadata.remove("ownerReferences");
        if metadata["labels"]["app.kubernetes.io/managed-by"] == "singleton-guard" {
            metadata.remove("labels");
        }
    }
    let now = place.get(kind, &name).await?.context("it is there")?;
    same(&now, &expected)?;

    // Nothing that the workload asks for touches it, and it stays when the workload goes.
    let asks = json!({"singleton-guard.io/headless-service": "none", "singleton-guard.io/disruption": "none"});
    place.annotate("StatefulSet", "ledger", asks).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    place.delete("StatefulSet", "ledger").await?;
    place.until("the workload is gone", async || Ok(place.get("StatefulSet", "ledger").await?.is_none())).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    same(&place.get(kind, &name).await?.context("it went with the workload")?, &now)?;
    let skipped = place.events("SingletonCompanionSkipped").await?;
    ensure!(!skipped.iter().any(|note| note.contains("refuses")), "the other replica was refused: {skipped:?}");
    let said = place.events("SingletonCompanionLetGo").await?;
    ensure!(said.len() == 1 && said[0].contains(&name) && said[0].contains("delete it to have ours"), "{said:?}");
    Ok(said.concat())
}

/// Unrelated labels and annotations, a finalizer and the status are written to other people's objects too; what was
/// restored from a backup is adopted, and stays ours.
async fn what_others_touch_stays_ours(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let restored = Place::new(lab).await?;
    // As Velero creates what was ours: with the label, without an owner, under a manager of its own.
    for (kind, name, object) in [
        ("Service", NAME.to_owned(), manifest(&json!([]))),
        (
            "PodDisruptionBudget",
            budget_name("ledger", "StatefulSet"),
            json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": {"minAvailable": 0, "unhealthyPodEvictionPolicy": "AlwaysAllow",
                "selector": {"matchLabels": {"app": "ledger", "statefulset.kubernetes.io/pod-name": "ledger-0"}}}}),
        ),
    ] {
        let labelled =
            json!({"metadata": {"name": name, "labels": {"app.kubernetes.io/managed-by": "singleton-guard"}}});
        let path = format!("{}?fieldManager=velero-server", restored.path(kind, None));
        api::post(&lab.client(), &path, &with(&object, labelled), None).await?.success()?;
    }
    for place in [&place, &restored] {
        started(place, "Service").await?;
        for arguments in [
            &["label", "service", NAME, "team=books"][..],
            &["annotate", "service", NAME, "note=seen", "cloud.google.com/neg-status={}"],
            &["patch", "service", NAME, "-p", r#"{"metadata":{"finalizers":["example.com/held"]}}"#],
            &["patch", "service", NAME, "--subresource=status", "-p", CONDITION],
            &["patch", "service", NAME, "-p", r#"{"metadata":{"finalizers":null}}"#],
        ] {
            lab.kubectl(&[&["-n", &place.namespace], arguments].concat()).await?.success()?;
        }
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    // How the API server says that it is another version by now: the two replicas let go of the same.
    let outdated = json!([{"op": "test", "path": "/metadata/resourceVersion", "value": "1"}]).to_string();
    let content = Some(("application/json-patch+json", outdated));
    let path = place.path("Service", Some(NAME));
    let refused = api::call(&lab.client(), Method::PATCH, &path, content, None).await?;
    let words = "the server rejected our request due to an error in our request";
    ensure!(refused.code == 422 && refused.message() == words, "{refused:?}");
    for place in [&place, &restored] {
        let service = place.service(NAME).await?;
        let labels = &service["metadata"]["labels"];
        ensure!(labels["app.kubernetes.io/managed-by"] == "singleton-guard" && labels["team"] == "books", "{service}");
        ensure!(!is_free(&service), "{service}");
        let said = place.events("SingletonCompanionLetGo").await?;
        ensure!(said.is_empty(), "{said:?}");
        place.delete("StatefulSet", "ledger").await?;
        place.until("it goes with the workload", async || Ok(place.get("Service", NAME).await?.is_none())).await?;
    }
    Ok(())
}

/// Also of what a singleton of before has left behind.
async fn a_released_one_lets_go_too(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let name = started(&place, "Service").await?;
    place.patch("StatefulSet", "ledger", json!({"metadata": {"labels": {MARK: null}}})).await?;
    let budget = budget_name("ledger", "StatefulSet");
    place.until("it is released", async || Ok(place.get("PodDisruptionBudget", &budget).await?.is_none())).await?;
    let apply = ["-n", &place.namespace, "apply", "-f", "-"];
    lab.kubectl_with_input(&apply, &manifest(&json!([])).to_string()).await?.success()?;
    place.until("it is let go of", async || Ok(is_free(&place.service(&name).await?))).await?;
    place.delete("StatefulSet", "ledger").await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    place.get("Service", &name).await?.context("it went with the workload").map(drop)
}

/// The next version of a chart brings the governing Service: refused without a word to helm, taken over with, and helm's
/// alone from then on.
async fn a_chart_brings_its_service(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let chart = lab.logs().join(format!("chart-{}", place.namespace));
    std::fs::create_dir_all(chart.join("templates"))?;
    std::fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: ledger\nversion: 0.1.0\n")?;
    let workload = json!({"kind": "StatefulSet", "metadata": {"name": "ledger", "labels": {MARK: "true"}}, "spec": {"replicas": 1, "serviceName": NAME}});
    std::fs::write(chart.join("templates/workload.json"), complete(&workload, &place.namespace).to_string())?;
    let directory = chart.display().to_string();
    let upgrade = ["upgrade", "--install", "ledger", &directory, "--namespace", &place.namespace];
    lab.helm(&upgrade).await?.success()?;
    place.service(NAME).await?;

    let ports = json!([{"name": "books", "port": 9090}]);
    std::fs::write(chart.join("templates/service.json"), manifest(&ports).to_string())?;
    let refused = lab.helm(&upgrade).await?;
    ensure!(!refused.succeeded() && refused.stderr.contains("cannot be imported"), "{}", refused.stderr);
    let taking = [&upgrade[..], &["--take-ownership", "--force-conflicts"]].concat();
    lab.helm(&taking).await?.success()?;
    place.until("it is let go of", async || Ok(is_free(&place.service(NAME).await?))).await?;
    let service = place.service(NAME).await?;
    ensure!(service["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm", "{service}");
    ensure!(service["spec"]["ports"][0]["port"] == 9090 && service["spec"]["selector"]["app"] == "ledger", "{service}");

    // As one does to change an immutable field.
    place.delete("StatefulSet", "ledger").await?;
    place.until("the workload is gone", async || Ok(place.get("StatefulSet", "ledger").await?.is_none())).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    same(&place.service(NAME).await?, &service)?;
    lab.helm(&upgrade).await?.success()?;
    same(&place.service(NAME).await?, &service)?;
    lab.helm(&["uninstall", "ledger", "--namespace", &place.namespace]).await?.success()?;
    place.until("helm takes it along", async || Ok(place.get("Service", NAME).await?.is_none())).await
}

/// The API server lets nobody apply an address onto a headless Service; what is said to do about it works each time, at
/// once and after a moment, for ours and for what is theirs by then.
async fn one_with_an_address_replaces_ours(lab: &Lab) -> Result<()> {
    let theirs = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME}, "spec": {
        "type": "NodePort", "ports": [{"port": 80, "targetPort": 8080}], "selector": {"app": "ledger"}}});
    let theirs = &theirs.to_string();
    let told = [true, false].into_iter().map(|at_once| async move {
        let place = Place::new(lab).await?;
        started(&place, "Service").await?;
        let kubectl = async |arguments: &[&str]| {
            lab.kubectl_with_input(&[&["-n", &place.namespace], arguments].concat(), theirs).await
        };
        let refused = kubectl(&["apply", "-f", "-"]).await?;
        ensure!(!refused.succeeded() && refused.stderr.contains("None"), "{}", refused.stderr);
        let said = place.events("SingletonCompanionCreated").await?;
        ensure!(
            said.iter().any(|note| note.contains(NAME) && note.contains("delete this one and apply yours")),
            "{said:?}"
        );
        for turn in 0..TURNS {
            if at_once {
                kubectl(&["replace", "--force", "--timeout=20s", "-f", "-"]).await?.success()?;
            } else {
                kubectl(&["delete", "service", NAME]).await?.success()?;
                tokio::time::sleep(Duration::from_millis(500)).await;
                kubectl(&["create", "-f", "-"]).await?.success()?;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            let now = place.service(NAME).await?;
            ensure!(now["spec"]["type"] == "NodePort" && is_free(&now), "turn {turn}: {now}");
        }
        anyhow::Ok(())
    });
    try_join_all(told).await.map(drop)
}

/// A singleton whose Service has the name that its user wrote. Returns the name of the companion, which is there.
async fn started(place: &Place<'_>, kind: &str) -> Result<String> {
    place.create("StatefulSet", "ledger", json!({"spec": {"serviceName": NAME}})).await?;
    let budget = budget_name("ledger", "StatefulSet");
    for (kind, name) in [("Service", NAME), ("PodDisruptionBudget", &budget)] {
        place
            .until("it is ours", async || Ok(place.get(kind, name).await?.is_some_and(|object| !is_free(&object))))
            .await?;
    }
    Ok(if kind == "Service" { NAME.to_owned() } else { budget })
}

/// The user's own, as ours is but for the ports.
fn manifest(ports: &Value) -> Value {
    let mut spec = json!({"clusterIP": "None", "selector": {"app": "ledger"}});
    if ports != &json!([]) {
        spec["ports"] = ports.clone();
    }
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME}, "spec": spec})
}

/// Whether nothing of ours is at it.
fn is_free(object: &Value) -> bool {
    let metadata = &object["metadata"];
    let managed = metadata["managedFields"].as_array();
    metadata["labels"]["app.kubernetes.io/managed-by"] != "singleton-guard"
        && metadata.get("ownerReferences").is_none()
        && !managed.into_iter().flatten().any(|entry| entry["manager"] == "singleton-guard-companions")
}

/// But for the version, what only ours had, and what the status brings.
fn same(now: &Value, before: &Value) -> Result<()> {
    let stripped = |object: &Value| {
        let mut object = object.clone();
        if let Some(fields) = object.as_object_mut() {
            fields.remove("status");
        }
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
            if let Some(managed) = metadata.get_mut("managedFields").and_then(Value::as_array_mut) {
                managed.retain(|entry| {
                    entry["manager"] != "singleton-guard-companions" && entry.get("subresource").is_none()
                });
            }
        }
        object
    };
    let (now, before) = (stripped(now), stripped(before));
    ensure!(now == before, "it has changed: {now:#}\n{before:#}");
    Ok(())
}

/// The name that the user wrote.
const NAME: &str = "ledger-books";
/// As a cloud controller writes one.
const CONDITION: &str = r#"{"status":{"conditions":[{"type":"example.com/Seen","status":"True","reason":"Seen","message":"","lastTransitionTime":"2026-01-01T00:00:00Z"}]}}"#;
const TURNS: usize = 6;
/// A second, on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(5);
