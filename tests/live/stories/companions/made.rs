//! The companions against a real API server: made, brought back, stepped aside, released, left to the garbage collector.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use http::Method;
use serde_json::{Value, json};

use crate::common::api;
use crate::common::place::{KINDS, MORE_THAN_ALL, Place, budget_name};
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::{MARK, with};

stories!(
    they_are_made_for_every_kind_with_one_write_each,
    they_follow_the_annotations_and_come_back_by_themselves,
    a_budget_of_a_user_makes_ours_step_aside,
    a_service_of_a_user_is_left_alone,
    what_is_made_never_falls_on_what_is_there,
    the_rest_of_a_manifest_comes_first,
    a_release_takes_the_budget_and_leaves_the_service,
    deletion_takes_or_leaves_them_as_asked,
    an_orphaned_replicaset_stays_guarded,
);

/// Made with one write each, as the pattern wants them, for every kind; nothing moves afterwards.
async fn they_are_made_for_every_kind_with_one_write_each(lab: &Lab) -> Result<()> {
    for kind in KINDS {
        let place = Place::new(lab).await?;
        // A child with the tracking label or annotation of its parent is one that Argo CD deletes.
        let tracked = json!({"labels": {"app.kubernetes.io/instance": "books"}, "annotations": {"argocd.argoproj.io/tracking-id": "books"}});
        place.create(kind, "ledger", json!({"metadata": tracked, "spec": {"replicas": 1, "template": {"spec": {"containers": [
            {"name": "main", "image": "registry.example/app:1", "ports": [{"containerPort": 8080, "name": "http"}]},
            {"name": "side", "image": "registry.example/app:1", "ports": [{"containerPort": 9090}, {"containerPort": 8080}]},
        ]}}}})).await?;
        let service = place.service("ledger-singleton").await?;
        let owner = &service["metadata"]["ownerReferences"][0];
        ensure!(
            owner["kind"] == kind && owner["controller"] == true && owner.get("blockOwnerDeletion").is_none(),
            "{owner}"
        );
        ensure!(service["spec"]["clusterIP"] == "None", "{service}");
        ensure!(service["spec"]["selector"] == json!({"app": "ledger"}), "{service}");
        ensure!(service["spec"].get("publishNotReadyAddresses").is_none(), "{service}");
        let ports: Vec<_> = service["spec"]["ports"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|port| (port["name"].clone(), port["port"].clone()))
            .collect();
        ensure!(ports == [(json!("http"), json!(8080)), (json!("tcp-9090"), json!(9090))], "{ports:?}");
        let budget = place.budget(&budget_name("ledger", kind)).await?;
        ensure!(budget["spec"]["minAvailable"] == 0 && budget["spec"].get("maxUnavailable").is_none(), "{budget}");
        ensure!(budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow", "{budget}");
        for object in [&service, &budget] {
            let managed = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
            let ours: Vec<_> =
                managed.iter().filter(|entry| entry["manager"] == "singleton-guard-companions").collect();
            ensure!(ours.len() == 1 && ours[0]["operation"] == "Apply", "{managed:?}");
            ensure!(object["metadata"].get("annotations").is_none(), "{object}");
            let labels = json!({"app.kubernetes.io/managed-by": "singleton-guard"});
            ensure!(object["metadata"]["labels"] == labels, "{object}");
        }
        place.until("both are said", async || Ok(place.events("SingletonCompanionCreated").await?.len() >= 2)).await?;
        // Both replicas have found what the other one has made.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let written = place.writes()?;
        let made = written.iter().filter(|write| write.ends_with(" 201")).count();
        let changed = written.iter().any(|write| !write.contains(" replicasets/") && write.ends_with(" 200"));
        ensure!(made == 2 && !changed, "not one write each: {written:#?}");
        tokio::time::sleep(Duration::from_secs(3)).await;
        ensure!(place.writes()? == written, "writes although nothing happens: {:#?}", place.writes()?);
        let all = [place.list("Service").await?.len(), place.list("PodDisruptionBudget").await?.len()];
        ensure!(all == [1, 1], "{kind}: a Service and a budget, nothing for what it controls: {all:?}");
        let after = place.service("ledger-singleton").await?;
        ensure!(
            after["metadata"]["resourceVersion"] == service["metadata"]["resourceVersion"],
            "the Service moved: {after}"
        );
        let after = place.budget(&budget_name("ledger", kind)).await?;
        ensure!(after["metadata"]["generation"] == budget["metadata"]["generation"], "the budget moved: {after}");
        let events = place.events("SingletonCompanionCreated").await?;
        ensure!(events.len() == 2, "expected two Events, got {events:?}");
    }
    Ok(())
}

/// A budget that is deleted by hand comes back; `none` takes it away; the other modes change it in place. A Service that is
/// deleted is another story.
async fn they_follow_the_annotations_and_come_back_by_themselves(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    place.create("StatefulSet", "ledger", json!({})).await?;
    let name = budget_name("ledger", "StatefulSet");
    place.service("ledger-singleton").await?;
    let budget = place.budget(&name).await?;
    place.delete("PodDisruptionBudget", &name).await?;
    place
        .until("it is back", async || {
            let back = place.get("PodDisruptionBudget", &name).await?;
            Ok(back.is_some_and(|back| back["metadata"]["uid"] != budget["metadata"]["uid"]))
        })
        .await?;
    place
        .until("it is said again in the Event of the first time", async || {
            let events = place.list("Event").await?;
            let made = events.iter().filter(|event| event["reason"] == "SingletonCompanionCreated");
            Ok(made.filter(|event| event["series"]["count"] == 2).count() == 1)
        })
        .await?;
    let publishes = async |wanted: bool| {
        let service = place.get("Service", "ledger-singleton").await?;
        let said = service.map(|service| service["spec"]["publishNotReadyAddresses"] == true);
        anyhow::Ok(said == Some(wanted))
    };
    let publish = |value: Value| json!({"singleton-guard.io/publish-not-ready-addresses": value});
    place.annotate("StatefulSet", "ledger", publish(json!("true"))).await?;
    place.until("the Pod is published before it is ready", async || publishes(true).await).await?;
    place.delete("Service", "ledger-singleton").await?;
    place.until("so it is after a deletion", async || publishes(true).await).await?;
    place.annotate("StatefulSet", "ledger", publish(Value::Null)).await?;
    place.until("no longer", async || publishes(false).await).await?;
    place.annotate("StatefulSet", "ledger", json!({"singleton-guard.io/headless-service": "ledger-books"})).await?;
    place.service("ledger-books").await?;
    place
        .until("the one of the old name is gone", async || {
            Ok(place.get("Service", "ledger-singleton").await?.is_none())
        })
        .await?;
    place.annotate("StatefulSet", "ledger", json!({"singleton-guard.io/disruption": "block"})).await?;
    place
        .until("the budget blocks", async || {
            let budget = place.get("PodDisruptionBudget", &name).await?.unwrap_or_default();
            Ok(budget["spec"]["minAvailable"] == MORE_THAN_ALL)
        })
        .await?;
    place
        .annotate(
            "StatefulSet",
            "ledger",
            json!({"singleton-guard.io/disruption": "none", "singleton-guard.io/headless-service": "none"}),
        )
        .await?;
    place
        .until("both are gone", async || {
            Ok(place.get("Service", "ledger-books").await?.is_none()
                && place.get("PodDisruptionBudget", &name).await?.is_none())
        })
        .await?;
    place
        .until("it is said what was removed, and why", async || {
            let said = place.events("SingletonCompanionRemoved").await?;
            let has = |text: &str| said.iter().any(|note| note == text);
            Ok(has("removed Service ledger-singleton: the workload asks for one called ledger-books")
                && has("removed Service ledger-books: none is wanted")
                && has(&format!("removed PodDisruptionBudget {name}: none is wanted")))
        })
        .await?;
    place
        .annotate(
            "StatefulSet",
            "ledger",
            json!({"singleton-guard.io/disruption": null, "singleton-guard.io/headless-service": null}),
        )
        .await?;
    place.service("ledger-singleton").await?;
    place.budget(&name).await?;
    Ok(())
}

/// A user's budget makes ours go, and ours is back when theirs goes; the selectors need not be alike.
async fn a_budget_of_a_user_makes_ours_step_aside(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    place.create("StatefulSet", "ledger", json!({})).await?;
    let name = budget_name("ledger", "StatefulSet");
    for selector in [
        json!({"matchLabels": {"app": "ledger"}}),
        json!({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["other"]}]}),
        json!({}),
        json!({"matchLabels": {"statefulset.kubernetes.io/pod-name": "ledger-0"}}),
    ] {
        place.budget(&name).await?;
        place.make(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "theirs"}, "spec": {"minAvailable": 0, "selector": selector}})).await?;
        place
            .until(&format!("ours steps aside for {selector}"), async || {
                Ok(place.get("PodDisruptionBudget", &name).await?.is_none())
            })
            .await?;
        place
            .until("it is said", async || {
                Ok(place.events("SingletonCompanionSkipped").await?.iter().any(|note| note.contains("theirs")))
            })
            .await?;
        place.delete("PodDisruptionBudget", "theirs").await?;
    }
    place.make(json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "other"}, "spec": {"minAvailable": 0, "selector": {"matchLabels": {"app": "other"}}}})).await?;
    place.budget(&name).await?;
    Ok(())
}

/// A Service of a user is never touched, whatever it is like.
async fn a_service_of_a_user_is_left_alone(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let service = |name: &str, spec: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": with(&json!({"ports": [{"port": 80}], "selector": {"app": name}}), spec)});
    place.make(service("ledger", json!({}))).await?;
    place.make(service("books", json!({"clusterIP": "None"}))).await?;
    place.make(service("front", json!({}))).await?;
    let mut before = Vec::new();
    for name in ["ledger", "books", "front"] {
        before.push(place.service(name).await?["metadata"]["resourceVersion"].clone());
    }
    let governed = |name: &str| json!({"spec": {"serviceName": name}});
    place.create("StatefulSet", "ledger", governed("ledger")).await?;
    place.create("StatefulSet", "books", governed("books")).await?;
    place.create("Deployment", "front", json!({})).await?;
    for (name, kind) in [("ledger", "StatefulSet"), ("books", "StatefulSet"), ("front", "Deployment")] {
        place.budget(&budget_name(name, kind)).await?;
    }
    place
        .until("the ordinary governing Service is said", async || {
            Ok(place
                .events("SingletonCompanionSkipped")
                .await?
                .iter()
                .any(|note| note.contains("ledger selects the Pods but is not headless")))
        })
        .await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for (name, revision) in ["ledger", "books", "front"].iter().zip(&before) {
        let now = place.service(name).await?;
        ensure!(now["metadata"]["resourceVersion"] == *revision, "{name} was touched: {now}");
    }
    let said = place.events("SingletonCompanionSkipped").await?;
    ensure!(
        !said.iter().any(|note| note.contains("books")),
        "a headless Service of theirs is as good as ours: {said:?}"
    );
    Ok(())
}

/// An apply behind the workload, as in one manifest, meets no Service of ours.
async fn the_rest_of_a_manifest_comes_first(lab: &Lab) -> Result<()> {
    loop {
        let place = Place::new(lab).await?;
        let began = Instant::now();
        place.create("StatefulSet", "ledger", json!({"spec": {"serviceName": "ledger"}})).await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let theirs = place.make(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "ledger"}, "spec": {"clusterIP": "None", "selector": {"app": "ledger"}}})).await;
        // On a busy machine it may have come too late.
        if began.elapsed() >= WAITED_FOR {
            continue;
        }
        theirs?;
        place.budget(&budget_name("ledger", "StatefulSet")).await?;
        let service = place.service("ledger").await?;
        ensure!(service["metadata"].get("ownerReferences").is_none(), "{service}");
        return Ok(());
    }
}

/// What a plan creates cannot fall on an object that has come about since: an apply with a revision that no object has
/// creates, and conflicts with whatever is there.
async fn what_is_made_never_falls_on_what_is_there(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let body = |port: u16| json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "theirs", "resourceVersion": "1", "labels": {"by": "us"}}, "spec": {"clusterIP": "None", "ports": [{"port": port}]}});
    let path = format!("{}?fieldManager=somebody", place.path("Service", Some("theirs")));
    let apply = async |body: Value| {
        let content = Some(("application/apply-patch+yaml", body.to_string()));
        api::call(&lab.client(), Method::PATCH, &path, content, None).await
    };
    let there = place.make(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "theirs"}, "spec": {"ports": [{"port": 80}]}})).await?;
    let refused = apply(body(81)).await?;
    ensure!(refused.code == 409, "{refused:?}");
    let now = place.service("theirs").await?;
    ensure!(now["metadata"]["resourceVersion"] == there["metadata"]["resourceVersion"], "{now}");
    place.delete("Service", "theirs").await?;
    place.until("it is gone", async || Ok(place.get("Service", "theirs").await?.is_none())).await?;
    let made = apply(body(81)).await?;
    ensure!(made.code == 201, "{made:?}");
    Ok(())
}

/// Release: the budget goes, the Service stays until the workload does, a Deployment's ReplicaSets lose their stamp.
async fn a_release_takes_the_budget_and_leaves_the_service(lab: &Lab) -> Result<()> {
    for kind in KINDS {
        let place = Place::new(lab).await?;
        place.create(kind, "ledger", json!({})).await?;
        let name = budget_name("ledger", kind);
        place.service("ledger-singleton").await?;
        place.budget(&name).await?;
        if kind == "Deployment" {
            place
                .until("the ReplicaSet is stamped", async || {
                    Ok(place.sets().await?.iter().all(|set| set["metadata"]["labels"][MARK] == "true"))
                })
                .await?;
        }
        place.patch(kind, "ledger", json!({"metadata": {"labels": {MARK: null}}})).await?;
        place
            .until("the budget is gone", async || Ok(place.get("PodDisruptionBudget", &name).await?.is_none()))
            .await?;
        if kind == "Deployment" {
            place
                .until("the stamp is gone", async || {
                    Ok(place.sets().await?.iter().all(|set| set["metadata"]["labels"].get(MARK).is_none()))
                })
                .await?;
            let sets = place.sets().await?;
            ensure!(
                sets.len() == 1 && sets[0]["spec"]["template"]["metadata"]["labels"].get(MARK).is_none(),
                "{sets:?}"
            );
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        place.service("ledger-singleton").await?;
        place.delete(kind, "ledger").await?;
        place
            .until("the Service is gone", async || Ok(place.get("Service", "ledger-singleton").await?.is_none()))
            .await?;
    }
    Ok(())
}

/// Deletion in each mode; what was orphaned is adopted when the workload comes back.
async fn deletion_takes_or_leaves_them_as_asked(lab: &Lab) -> Result<()> {
    for kind in KINDS {
        for mode in ["Foreground", "Background", "Orphan"] {
            let place = Place::new(lab).await?;
            place.create(kind, "ledger", json!({})).await?;
            let name = budget_name("ledger", kind);
            let (service, budget) = (place.service("ledger-singleton").await?, place.budget(&name).await?);
            let path = api::path(kind, &place.namespace, Some("ledger"));
            let options = json!({"propagationPolicy": mode}).to_string();
            api::call(&lab.client(), Method::DELETE, &path, Some(("application/json", options)), None)
                .await?
                .success()?;
            place.until("the workload is gone", async || Ok(place.get(kind, "ledger").await?.is_none())).await?;
            if mode != "Orphan" {
                place
                    .until("the companions are gone", async || {
                        Ok(place.get("Service", "ledger-singleton").await?.is_none()
                            && place.get("PodDisruptionBudget", &name).await?.is_none())
                    })
                    .await?;
                continue;
            }
            tokio::time::sleep(Duration::from_secs(3)).await;
            let budgets = place.list("PodDisruptionBudget").await?;
            ensure!(budgets.len() == 1, "{kind}: one budget must stay, there are {budgets:#?}");
            place.create(kind, "ledger", json!({})).await?;
            let uid = place.get(kind, "ledger").await?.context("it is there")?["metadata"]["uid"].clone();
            place
                .until("the companions are adopted", async || {
                    let (s, b) = (place.service("ledger-singleton").await?, place.budget(&name).await?);
                    let adopted = |old: &Value, new: &Value| {
                        new["metadata"]["uid"] == old["metadata"]["uid"]
                            && new["metadata"]["ownerReferences"][0]["uid"] == uid
                    };
                    Ok(adopted(&service, &s) && adopted(&budget, &b))
                })
                .await?;
        }
    }
    Ok(())
}

/// A ReplicaSet that was orphaned stays guarded by its stamp.
async fn an_orphaned_replicaset_stays_guarded(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    place.create("Deployment", "web", json!({})).await?;
    place
        .until("the ReplicaSet is stamped", async || {
            let sets = place.sets().await?;
            Ok(!sets.is_empty() && sets.iter().all(|set| set["metadata"]["labels"][MARK] == "true"))
        })
        .await?;
    place
        .patch("Deployment", "web", json!({"spec": {"template": {"metadata": {"annotations": {"roll": "1"}}}}}))
        .await?;
    place
        .until("the second one is stamped", async || {
            let sets = place.sets().await?;
            Ok(sets.len() == 2 && sets.iter().all(|set| set["metadata"]["labels"][MARK] == "true"))
        })
        .await?;
    let done = lab.kubectl(&["-n", &place.namespace, "delete", "deployment", "web", "--cascade=orphan"]).await?;
    done.success()?;
    for set in place.sets().await? {
        let name = set["metadata"]["name"].as_str().unwrap_or_default();
        let scaled = lab.kubectl(&["-n", &place.namespace, "scale", "rs", name, "--replicas=3"]).await?;
        ensure!(!scaled.succeeded() && scaled.stderr.contains("SG001"), "{}", scaled.stderr);
    }
    Ok(())
}

/// Less than the two seconds that the controller waits for the rest of a manifest.
const WAITED_FOR: Duration = Duration::from_millis(1500);
