//! Budgets and Services as versions of before have made them.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use http::Method;
use serde_json::{Value, json};

use crate::common::api;
use crate::common::place::{KINDS, Place, budget_name, service_name};
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::MARK;

stories!(
    what_a_version_of_before_has_made_is_changed_once,
    services_keep_the_workloads_own_name,
    services_stay_while_a_pod_bears_their_name,
);

/// They are brought into their present form by one write each, for every kind and strict ones.
async fn what_a_version_of_before_has_made_is_changed_once(lab: &Lab) -> Result<()> {
    let strict = ["StatefulSet", "Deployment"].map(|kind| (kind, "strict"));
    for (kind, mark) in KINDS.map(|kind| (kind, "true")).into_iter().chain(strict) {
        let place = Place::new(lab).await?;
        let marked = json!({"metadata": {"labels": {MARK: mark}}, "spec": {"replicas": 0}});
        place.create(kind, "ledger", marked).await?;
        let name = budget_name("ledger", kind);
        let (service, budget) = (place.service("ledger-singleton").await?, place.budget(&name).await?);
        let former = [
            (
                "PodDisruptionBudget",
                &budget,
                json!({"maxUnavailable": 1, "selector": {"matchLabels": {"app": "ledger"}}, "unhealthyPodEvictionPolicy": "AlwaysAllow"}),
            ),
            ("Service", &service, json!({"clusterIP": "None", "selector": {"app": "ledger"}})),
        ];
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = changes(&place)?;
        let mut brought = 0;
        for (kind, object, spec) in former {
            let metadata = ["name", "namespace", "labels", "ownerReferences"]
                .map(|field| (field.to_owned(), object["metadata"][field].clone()));
            let body = json!({"apiVersion": object["apiVersion"], "kind": kind, "metadata": Value::Object(metadata.into_iter().collect()), "spec": spec});
            let path = place.path(kind, object["metadata"]["name"].as_str());
            let path = format!("{path}?fieldManager=singleton-guard-companions");
            let content = Some(("application/apply-patch+yaml", body.to_string()));
            let answer = api::call(&lab.client(), Method::PATCH, &path, content, None).await?.success()?;
            brought += usize::from(answer["metadata"]["resourceVersion"] != object["metadata"]["resourceVersion"]);
        }
        let spec = |object: &Value, field: &str| object["spec"][field].clone();
        place
            .until("both are as they were", async || {
                let now = place.get("PodDisruptionBudget", &name).await?.context("the budget")?;
                let service_now = place.get("Service", "ledger-singleton").await?.context("the Service")?;
                Ok(now["spec"] == budget["spec"] && spec(&service_now, "selector") == spec(&service, "selector"))
            })
            .await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let written = changes(&place)? - before;
        // The Service of who is not strict is what it was.
        ensure!(brought == if mark == "strict" { 2 } else { 1 }, "{kind}, {mark}: {brought} former forms");
        // This test writes both, and the guard once what that has changed.
        ensure!(written == 2 + brought, "{kind}, {mark}: {:#?}", place.writes()?);
    }
    Ok(())
}

/// What has the workload's own name stays, alone and with the same uid: of a Deployment though nothing asks for that name
/// any more, until the annotation asks for another.
async fn services_keep_the_workloads_own_name(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let asks = |name: Value| json!({"singleton-guard.io/headless-service": name});
    for kind in ["Deployment", "ReplicaSet", "ReplicationController"] {
        let name = format!("former-{}", kind.to_lowercase());
        place.create(kind, &name, json!({"metadata": {"annotations": asks(json!(name))}})).await?;
        let made = place.service(&name).await?;
        place.annotate(kind, &name, asks(Value::Null)).await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        let now = place.service(&name).await?;
        ensure!(now["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"], "{kind}: {now}");
        let ours = service_name(&name);
        ensure!(place.get("Service", &ours).await?.is_none(), "{kind}: a second one was made");
        // It is kept right.
        place.annotate(kind, &name, json!({"singleton-guard.io/publish-not-ready-addresses": "true"})).await?;
        place
            .until("it has what the annotation asks for", async || {
                Ok(place.service(&name).await?["spec"]["publishNotReadyAddresses"] == true)
            })
            .await?;
        place.annotate(kind, &name, asks(json!(ours))).await?;
        place.service(&ours).await?;
        place.until("the former one is gone", async || Ok(place.get("Service", &name).await?.is_none())).await?;
    }
    Ok(())
}

/// A StatefulSet whose `serviceName` an earlier version has filled in is deleted without its Pod and made anew: the Pod
/// bears the former name, so that goes on to resolve beside the new one.
async fn services_stay_while_a_pod_bears_their_name(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    place.create("StatefulSet", "ledger", json!({"spec": {"serviceName": "ledger"}})).await?;
    let former = place.service("ledger").await?;
    let address = async |name: &str| lab.resolve(&format!("{name}.{}.svc.cluster.local", place.namespace)).await;
    let bears =
        async || anyhow::Ok(!address("ledger-0.ledger").await?.is_empty() && !address("ledger").await?.is_empty());
    place.until("the Pod has a name", bears).await?;
    place.kubectl(&["delete", "statefulset", "ledger", "--cascade=orphan"], "").await?;
    ensure!(bears().await?, "the name is lost with the StatefulSet");
    let again = place.create("StatefulSet", "ledger", json!({})).await?;
    ensure!(again["spec"]["serviceName"] == "ledger-singleton", "{again}");
    let own = async || anyhow::Ok(address("ledger-singleton").await? == address("ledger").await?);
    let begun = tokio::time::Instant::now();
    let mut was_adopted = false;
    while begun.elapsed() < Duration::from_secs(10) || !was_adopted || !own().await? {
        ensure!(bears().await?, "the name of the Pod that runs is lost after {:?}", begun.elapsed());
        let now = place.service("ledger").await?;
        ensure!(now["metadata"]["uid"] == former["metadata"]["uid"], "it was made anew: {now}");
        was_adopted = now["metadata"]["ownerReferences"][0]["uid"] == again["metadata"]["uid"];
        ensure!(begun.elapsed() < Duration::from_secs(60), "not adopted, or no name of its own: {now}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    place.delete("StatefulSet", "ledger").await?;
    place.until("both go with it", async || Ok(place.list("Service").await?.is_empty())).await
}

/// How many writes changed something, or nothing, that was there.
fn changes(place: &Place<'_>) -> Result<usize> {
    let written = place.writes()?;
    Ok(written.iter().filter(|write| write.ends_with(" 200") && !write.contains(" replicasets/")).count())
}
