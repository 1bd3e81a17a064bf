//! Budgets and Services as versions of before have made them.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use http::Method;
use serde_json::{Value, json};

use super::super::api;
use super::super::case::MARK;
use super::super::companions_place::{KINDS, Place, budget_name};
use crate::lab::Lab;

/// They are brought into their present form by one write each, for every kind and strict ones.
pub async fn are_changed_once(lab: &Lab) -> Result<()> {
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

/// How many writes changed something, or nothing, that was there.
fn changes(place: &Place<'_>) -> Result<usize> {
    let written = place.writes()?;
    Ok(written.iter().filter(|write| write.ends_with(" 200") && !write.contains(" replicasets/")).count())
}
