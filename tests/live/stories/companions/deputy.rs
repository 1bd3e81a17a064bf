//! What the guard makes with its own rights is not for everybody who may write a workload: names that are another's, and
//! names that somebody else is about to give again.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use http::Method;
use serde_json::{Value, json};

use crate::common::api::{self, Answer};
use crate::common::installed::{NAMESPACE, RELEASE, chart};
use crate::common::place::{Place, budget_name};
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::{MARK, User, complete, with};

stories!(
    a_name_that_somebody_has_freed_is_left_free,
    nobody_gets_a_service_under_their_name,
    who_may_make_no_service_gets_none_where_that_is_asked_for,
);

/// A Service that was deleted under a name that a user could give is left to him for a minute, ours or his; a budget, and
/// what has a name of our own, is back at once.
async fn a_name_that_somebody_has_freed_is_left_free(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let named = json!({"metadata": {"annotations": {"singleton-guard.io/headless-service": "shop"}}});
    place.create("Deployment", "shop", named).await?;
    place.create("Deployment", "ledger.books", json!({})).await?;
    let (ours, derived) = (place.service("shop").await?, place.service(DERIVED).await?);
    ensure!(ours["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "singleton-guard", "{ours}");
    let budget = place.budget(&budget_name("shop", "Deployment")).await?;
    for (kind, object) in [("Service", &ours), ("Service", &derived), ("PodDisruptionBudget", &budget)] {
        place.delete(kind, object["metadata"]["name"].as_str().unwrap_or_default()).await?;
    }
    for (kind, object) in [("Service", &derived), ("PodDisruptionBudget", &budget)] {
        let began = Instant::now();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        place
            .until(&format!("{kind} {name} is back"), async || {
                let back = place.get(kind, name).await?;
                Ok(back.is_some_and(|back| back["metadata"]["uid"] != object["metadata"]["uid"]))
            })
            .await?;
        ensure!(began.elapsed() < AT_ONCE, "{kind} {name} was back after {:?}", began.elapsed());
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let expose = ["-n", &place.namespace, "expose", "deployment", "shop", "--port=80", "--target-port=8080"];
    lab.kubectl(&expose).await?.success()?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let theirs = place.service("shop").await?;
    ensure!(theirs["metadata"].get("ownerReferences").is_none(), "{theirs}");

    place.delete("Service", "shop").await?;
    let freed = Instant::now();
    while freed.elapsed() < ALMOST_A_MINUTE {
        ensure!(place.get("Service", "shop").await?.is_none(), "taken after {:?}", freed.elapsed());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    place.service("shop").await.map(drop)
}

/// Neither by annotation nor by `serviceName`, though the name is free for a moment.
async fn nobody_gets_a_service_under_their_name(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let mallory = mallory(&place).await?;
    let theirs = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"}, "spec": {"ports": [{"port": 5432}], "selector": {"app": "db"}}});
    place.make(theirs.clone()).await?;
    let annotated = json!({"metadata": {"annotations": {"singleton-guard.io/headless-service": "db"}}});
    let refused = create(&place, &mallory, "Deployment", "asks", annotated).await?;
    ensure!(refused.message().starts_with("SG006"), "{refused:?}");
    create(&place, &mallory, "StatefulSet", "mal", json!({"spec": {"serviceName": "db"}})).await?.success()?;
    place.budget(&budget_name("mal", "StatefulSet")).await?;

    place.delete("Service", "db").await?;
    place
        .until("it is said who has to make it", async || {
            let said = place.events("SingletonCompanionSkipped").await?;
            Ok(said.iter().any(|note| note.contains("db") && note.contains("make this Service yourself")))
        })
        .await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    place.make(theirs).await?;
    let now = place.service("db").await?;
    ensure!(now["spec"]["selector"] == json!({"app": "db"}), "{now}");
    Ok(())
}

/// With `companions.requireServiceRight`: by whichever request a Service would come about.
async fn who_may_make_no_service_gets_none_where_that_is_asked_for(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let mallory = mallory(&place).await?;
    let policy = require_service_right(lab, &place.namespace).await?;
    let outcome = by_no_way(&place, &mallory).await;
    lab.kubectl_with_input(&["delete", "-f", "-"], &policy).await?.success()?;
    outcome
}

async fn by_no_way(place: &Place<'_>, mallory: &User) -> Result<()> {
    let client = place.lab.client();
    place
        .until("the policy to be in force", async || {
            let answer = create(place, mallory, "Deployment", "db", json!({})).await?;
            if answer.succeeded() {
                place.delete("Deployment", "db").await?;
            }
            Ok(is_refused(&answer))
        })
        .await?;
    let change = async |kind: &str, name: &str, body: Value, user: Option<&User>| {
        api::merge(&client, &place.path(kind, Some(name)), &body, user).await
    };
    let annotated = |value: Value| json!({"metadata": {"annotations": {"singleton-guard.io/headless-service": value}}});
    for kind in ["StatefulSet", "ReplicaSet", "Deployment", "ReplicationController"] {
        let name = format!("{}-one", kind.to_lowercase());
        let refused = create(place, mallory, kind, &name, json!({})).await?;
        ensure!(is_refused(&refused), "{kind} was made: {refused:?}");
        create(place, mallory, kind, &name, annotated(json!("none"))).await?.success()?;
        let refused = change(kind, &name, annotated(Value::Null), Some(mallory)).await?;
        ensure!(is_refused(&refused), "{kind} asks for one: {refused:?}");
        let other = json!({"metadata": {"annotations": {"note": "edited"}}});
        change(kind, &name, other.clone(), Some(mallory)).await?.success()?;

        let name = format!("{}-two", kind.to_lowercase());
        create(place, mallory, kind, &name, json!({"metadata": {"labels": {MARK: null}}})).await?.success()?;
        let mark = json!({"metadata": {"labels": {MARK: "true"}}});
        let refused = change(kind, &name, mark.clone(), Some(mallory)).await?;
        ensure!(is_refused(&refused), "{kind} was marked: {refused:?}");
        // Who may make one may have it made, and others may then edit the workload.
        change(kind, &name, json!({"metadata": {"labels": {MARK: "true"}}}), None).await?.success()?;
        change(kind, &name, other, Some(mallory)).await?.success()?;
    }
    // One that a controller manages gets nothing, until it lets go of that.
    let uid = place.get("Deployment", "deployment-one").await?.context("it is there")?["metadata"]["uid"].clone();
    let owner =
        json!({"apiVersion": "example.com/v1", "kind": "Thing", "name": "thing", "uid": uid, "controller": true});
    place.create("ReplicaSet", "owned", json!({"metadata": {"ownerReferences": [owner]}})).await?;
    let refused = change("ReplicaSet", "owned", json!({"metadata": {"ownerReferences": null}}), Some(mallory)).await?;
    ensure!(is_refused(&refused), "a ReplicaSet left its controller: {refused:?}");
    Ok(())
}

fn is_refused(answer: &Answer) -> bool {
    !answer.succeeded() && answer.body["message"].to_string().contains("must be allowed to create Services")
}

async fn create(place: &Place<'_>, user: &User, kind: &str, name: &str, overlay: Value) -> Result<Answer> {
    let base = json!({"kind": kind, "metadata": {"name": name, "labels": {MARK: "true"}}, "spec": {"replicas": 1}});
    let mut object = complete(&with(&base, overlay), &place.namespace);
    if let Some(labels) = object["metadata"]["labels"].as_object_mut() {
        labels.retain(|_, value| !value.is_null());
    }
    api::post(&place.lab.client(), &place.path(kind, None), &object, Some(user)).await
}

/// Somebody who may write workloads in this namespace, and nothing else.
async fn mallory(place: &Place<'_>) -> Result<User> {
    let rules = json!([
        {"apiGroups": ["apps"], "resources": ["deployments", "statefulsets", "replicasets"], "verbs": ["*"]},
        {"apiGroups": [""], "resources": ["replicationcontrollers"], "verbs": ["*"]},
    ]);
    let group = "rbac.authorization.k8s.io";
    let role =
        json!({"apiVersion": format!("{group}/v1"), "kind": "Role", "metadata": {"name": "workloads"}, "rules": rules});
    let binding = json!({"apiVersion": format!("{group}/v1"), "kind": "RoleBinding", "metadata": {"name": "mallory"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "workloads"}, "subjects": [{"apiGroup": group, "kind": "User", "name": "mallory"}]});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [role, binding]}).to_string();
    place.lab.kubectl_with_input(&["-n", &place.namespace, "apply", "-f", "-"], &list).await?.success()?;
    let mallory = User { name: "mallory".to_owned(), groups: vec!["system:authenticated".to_owned()] };
    place
        .until("her rights to be known", async || {
            let path = place.path("Deployment", None);
            Ok(api::call(&place.lab.client(), Method::GET, &path, None, Some(&mallory)).await?.succeeded())
        })
        .await?;
    Ok(mallory)
}

/// The policy as the chart renders it, bound to one namespace alone: other tests have users of their own.
async fn require_service_right(lab: &Lab, namespace: &str) -> Result<String> {
    let directory = chart().display().to_string();
    let of = ["--set", "companions.requireServiceRight=true", "--show-only", "templates/companions/service-right.yaml"];
    let template = [&["template", RELEASE, &directory, "--namespace", NAMESPACE][..], &of].concat();
    let rendered = lab.helm(&template).await?.success()?;
    let mut objects: Vec<Value> = serde_saphyr::from_multiple(&rendered)?;
    let binding = objects.iter_mut().find(|object| object["kind"] == "ValidatingAdmissionPolicyBinding");
    binding.context("no binding")?["spec"]["matchResources"] =
        json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}});
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    lab.kubectl_with_input(&["apply", "-f", "-"], &list).await?.success()?;
    Ok(list)
}

/// The Service of `ledger.books`.
const DERIVED: &str = "ledger-books-singleton-d5aeab08";
/// As long as a busy machine may take.
const AT_ONCE: Duration = Duration::from_secs(20);
/// So much of the minute that a slow watch does not matter.
const ALMOST_A_MINUTE: Duration = Duration::from_secs(55);
