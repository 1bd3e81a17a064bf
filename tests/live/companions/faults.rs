//! The companions' controller where something is not as it should be: a right is missing, a namespace goes, somebody
//! holds a field, a singleton is above one, the whole is switched off. Each story starts its own controller, with the
//! rights of the chart where rights matter.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use http::Method;
use serde_json::{Value, json};

use super::process::Process;
use crate::common::api;
use crate::common::place::{KINDS, Place, budget_name, service_name};
use crate::harness::stories;
use crate::lab::Lab;

stories!(
    a_missing_right_is_said_once,
    without_a_watch_nothing_is_made,
    a_namespace_that_goes_is_left_alone,
    a_field_that_somebody_took_stays_theirs,
    a_singleton_above_one_is_said,
    a_refusal_is_no_missing_right,
    in_doubt_the_stamp_and_the_budget_stay,
    switched_off_it_does_nothing,
);

/// The chart's rights are enough, and without one of them the rest goes on; the missing one is said once, in the words
/// of a rule, however often it is tried again.
async fn a_missing_right_is_said_once(lab: &Lab) -> Result<()> {
    let enough = Place::new(lab).await?;
    let user = bind(lab, &enough, None).await?;
    let controller = Process::start(lab, &enough.namespace, json!({}), Some(&user))?;
    for kind in KINDS {
        let name = kind.to_lowercase();
        enough.create(kind, &name, json!({"spec": {"replicas": 0}})).await?;
        enough.service(&service_name(&name)).await?;
        enough.budget(&budget_name(&name, kind)).await?;
    }
    ensure!(controller.lines(MISSING)?.is_empty(), "{:?}", controller.lines(MISSING)?);
    drop(controller);

    for (resource, verb, rule) in [
        ("services", "create", "apiGroups: [\"\"], resources: [services], verbs: [create, patch]"),
        ("poddisruptionbudgets", "create", "resources: [poddisruptionbudgets], verbs: [create, patch]"),
        ("replicasets", "patch", "apiGroups: [\"apps\"], resources: [replicasets], verbs: [list, patch]"),
        ("events", "create", "apiGroups: [\"events.k8s.io\"], resources: [events], verbs: [create, patch]"),
    ] {
        let place = Place::new(lab).await?;
        let user = bind(lab, &place, Some((resource, verb))).await?;
        let controller = Process::start(lab, &place.namespace, json!({}), Some(&user))?;
        place.create("Deployment", "web", json!({})).await?;
        if resource != "services" {
            place.service("web-singleton").await?;
        }
        if resource != "poddisruptionbudgets" {
            place.budget(&budget_name("web", "Deployment")).await?;
        }
        place.until("the missing right is said", async || Ok(!controller.lines(MISSING)?.is_empty())).await?;
        if resource == "events" {
            // Nothing waits for an Event: there is only more to say.
            place.create("StatefulSet", "more", json!({"spec": {"replicas": 0}})).await?;
            place.service("more-singleton").await?;
            place.budget(&budget_name("more", "StatefulSet")).await?;
        } else {
            let failures =
                async || controller.metric("singleton_guard_companion_reconciles_total", "result=\"error\"").await;
            place.until("it has been tried again", async || Ok(failures().await? >= 2.0)).await?;
            settle().await;
            // The pauses double from a quarter of a second on; who does not pause has tried a hundred times by now.
            ensure!(failures().await? <= 15.0, "tried {} times", failures().await?);
        }
        let said = controller.lines(MISSING)?;
        let whole = |line: &Value| line["rule"].as_str().is_some_and(|text| text.contains(rule));
        ensure!(said.len() == 1 && whole(&said[0]), "without {verb} {resource}: {said:?}");
    }
    Ok(())
}

/// What cannot be watched is said once, and nothing is made on the strength of half of what there is.
async fn without_a_watch_nothing_is_made(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let user = bind(lab, &place, Some(("poddisruptionbudgets", "list"))).await?;
    let controller = Process::start(lab, &place.namespace, json!({}), Some(&user))?;
    place.create("StatefulSet", "ledger", json!({"spec": {"replicas": 0}})).await?;
    place.until("it is said", async || Ok(!controller.lines(CANNOT_WATCH)?.is_empty())).await?;
    settle().await;
    let said = controller.lines(CANNOT_WATCH)?;
    ensure!(said.len() == 1 && said[0]["resource"] == "poddisruptionbudgets", "{said:?}");
    ensure!(said[0]["hint"].as_str().is_some_and(|hint| hint.contains("list and watch")), "{said:?}");
    ensure!(
        place.get("Service", "ledger-singleton").await?.is_none(),
        "a Service was made without knowing the budgets"
    );
    Ok(())
}

/// A namespace that is being deleted is left alone: it goes, and nobody keeps trying to put something into it.
async fn a_namespace_that_goes_is_left_alone(lab: &Lab) -> Result<()> {
    let watched = Place::new(lab).await?;
    let controller = Process::start(lab, &watched.namespace, json!({}), None)?;
    let mut places = Vec::new();
    for kind in KINDS {
        let place = Place::new(lab).await?;
        // The workload outlives its companions: the namespace waits for the finalizer.
        let held = json!({"metadata": {"finalizers": ["example.com/held"]}, "spec": {"replicas": 0}});
        place.create(kind, "ledger", held).await?;
        place.service("ledger-singleton").await?;
        place.budget(&budget_name("ledger", kind)).await?;
        places.push((kind, place));
    }
    for (_, place) in &places {
        let path = format!("/api/v1/namespaces/{}", place.namespace);
        api::delete(&lab.client(), &path, None).await?.success()?;
    }
    for (kind, place) in &places {
        place
            .until("the companions go with their namespace", async || {
                Ok(place.get("Service", "ledger-singleton").await?.is_none()
                    && place.get("PodDisruptionBudget", &budget_name("ledger", kind)).await?.is_none())
            })
            .await?;
    }
    settle().await;
    for (kind, place) in &places {
        let tried = place.writes()?;
        // Each end that is heard of before that of the workload is one try to bring back what is missing by then.
        ensure!(tried.len() <= 4, "{kind}: attempts to write into a namespace that is being deleted: {tried:#?}");
        place.patch(kind, "ledger", json!({"metadata": {"finalizers": null}})).await?;
        let path = format!("/api/v1/namespaces/{}", place.namespace);
        place.until("the namespace is gone", async || Ok(api::read(&lab.client(), &path).await?.code == 404)).await?;
    }
    let troubles = controller.lines("companions are not as they should be; trying again")?;
    let ours = |line: &&Value| places.iter().any(|(_, place)| line["namespace"] == place.namespace.as_str());
    ensure!(!troubles.iter().any(|line| ours(&line)), "{troubles:?}");
    Ok(())
}

/// A field that somebody holds of what was restored as ours stays theirs, and that is said; what they give back is ours
/// again.
async fn a_field_that_somebody_took_stays_theirs(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let _controller = Process::start(lab, &place.namespace, json!({}), None)?;
    let name = budget_name("ledger", "StatefulSet");
    let path = format!("{}?fieldManager=somebody&force=true", place.path("PodDisruptionBudget", Some(&name)));
    let apply = async |spec: Value| {
        let metadata = json!({"name": name, "labels": {"app.kubernetes.io/managed-by": "singleton-guard"}});
        let body =
            json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": metadata, "spec": spec});
        let content = Some(("application/apply-patch+yaml", body.to_string()));
        api::call(&lab.client(), Method::PATCH, &path, content, None).await?.success()
    };
    apply(json!({"minAvailable": 3})).await?;
    place.create("StatefulSet", "ledger", json!({"spec": {"replicas": 0}})).await?;
    place
        .until("it is said whose the field is", async || {
            let said = place.events("SingletonCompanionSkipped").await?;
            Ok(said.iter().any(|note| note.contains("somebody") && note.contains("minAvailable")))
        })
        .await?;
    settle().await;
    let budget = place.budget(&name).await?;
    ensure!(budget["spec"]["minAvailable"] == 3, "a field of somebody's was written: {budget}");
    let said = place.events("SingletonCompanionSkipped").await?;
    ensure!(said.len() == 1, "said more than once: {said:?}");
    apply(json!({})).await?;
    place
        .until("ours is back", async || {
            let budget = place.get("PodDisruptionBudget", &name).await?.unwrap_or_default();
            Ok(budget["spec"]["minAvailable"] == 0)
        })
        .await
}

/// A quota and a policy are no missing rights: they are said on the workload that they are about, once, and what they kept
/// back comes when they go.
async fn a_refusal_is_no_missing_right(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let namespace = &place.namespace;
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few", "namespace": namespace}, "spec": {"hard": {"count/services": "0"}}});
    let policies = ["Forbidden", "Invalid"].map(|reason| {
        let name = format!("{}-{namespace}", reason.to_lowercase());
        let policy = json!({"apiVersion": ADMISSION, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": {
            "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["services"]}]},
            "validations": [{"expression": "false", "message": "no Services today", "reason": reason}]}});
        let binding = json!({"apiVersion": ADMISSION, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name}, "spec": {
            "policyName": name, "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}}});
        (json!({"apiVersion": "v1", "kind": "List", "items": [policy, binding]}), "no Services today")
    });
    let controller = Process::start(lab, namespace, json!({}), None)?;
    for (number, (obstacle, words)) in [(quota, "exceeded quota: few")].into_iter().chain(policies).enumerate() {
        let (obstacle, name) = (obstacle.to_string(), format!("ledger-{number}"));
        lab.kubectl_with_input(&["create", "-f", "-"], &obstacle).await?.success()?;
        place.until("it is in force", async || refuses_services(&place).await).await?;
        place.create("StatefulSet", &name, json!({"spec": {"replicas": 0}})).await?;
        let said = async || {
            let said = place.events("SingletonCompanionSkipped").await?;
            anyhow::Ok(said.iter().filter(|note| note.contains(&name) && note.contains(words)).count())
        };
        place.until("it is said what is in the way", async || Ok(said().await? > 0)).await?;
        place.budget(&budget_name(&name, "StatefulSet")).await?;
        ensure!(said().await? == 1, "{words}: {:?}", place.events("SingletonCompanionSkipped").await?);
        ensure!(controller.lines(MISSING)?.is_empty(), "{:?}", controller.lines(MISSING)?);
        lab.kubectl_with_input(&["delete", "-f", "-"], &obstacle).await?.success()?;
        place.service(&service_name(&name)).await?;
    }
    Ok(())
}

/// Whether a Service would be refused.
async fn refuses_services(place: &Place<'_>) -> Result<bool> {
    let path = format!("{}?dryRun=All", place.path("Service", None));
    let service =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "any"}, "spec": {"clusterIP": "None"}});
    Ok(!api::post(&place.lab.client(), &path, &service, None).await?.succeeded())
}

/// What was marked may only be taken for released where that was seen. Who cannot look leaves the stamp and the budget; who
/// can takes both away, but not a mark that somebody else put on the ReplicaSet too.
async fn in_doubt_the_stamp_and_the_budget_stay(lab: &Lab) -> Result<()> {
    for (without, shared) in [(Some(("deployments", "get")), false), (None, true), (None, false)] {
        let place = Place::new(lab).await?;
        let user = bind(lab, &place, without).await?;
        let controller = Process::start(lab, &place.namespace, json!({}), Some(&user))?;
        place.create("Deployment", "web", json!({})).await?;
        let budget = budget_name("web", "Deployment");
        place.budget(&budget).await?;
        let stamped = async || {
            let sets = place.list("ReplicaSet").await?;
            anyhow::Ok(sets.iter().any(|set| set["metadata"]["labels"].get(crate::spec::case::MARK).is_some()))
        };
        place.until("the ReplicaSet is stamped", stamped).await?;
        if shared {
            // Applied: a label that is there already becomes theirs too.
            for set in place.list("ReplicaSet").await? {
                let name = set["metadata"]["name"].as_str().unwrap_or_default();
                let body = json!({"apiVersion": "apps/v1", "kind": "ReplicaSet",
                    "metadata": {"name": name, "labels": {crate::spec::case::MARK: "true"}}});
                let path = format!("{}?fieldManager=somebody", place.path("ReplicaSet", Some(name)));
                let content = Some(("application/apply-patch+yaml", body.to_string()));
                api::call(&lab.client(), Method::PATCH, &path, content, None).await?.success()?;
            }
        }
        place.patch("Deployment", "web", json!({"metadata": {"labels": {crate::spec::case::MARK: null}}})).await?;
        if without.is_some() {
            place.until("the missing right is said", async || Ok(!controller.lines(MISSING)?.is_empty())).await?;
        } else {
            place
                .until("the budget is gone", async || Ok(place.get("PodDisruptionBudget", &budget).await?.is_none()))
                .await?;
        }
        if without.is_none() && !shared {
            place.until("the stamp is off", async || Ok(!stamped().await?)).await?;
            continue;
        }
        settle().await;
        ensure!(stamped().await?, "the stamp is off: without {without:?}, shared {shared}");
        let stays = place.get("PodDisruptionBudget", &budget).await?.is_some();
        ensure!(stays == without.is_some(), "without {without:?}: whether the budget is there is {stays}");
    }
    Ok(())
}

/// A singleton that is above one (the guard was installed later, or the glass was broken) is said once and counted,
/// until it is not any more.
async fn a_singleton_above_one_is_said(lab: &Lab) -> Result<()> {
    for kind in KINDS {
        let place = Place::new(lab).await?;
        let controller = Process::start(lab, &place.namespace, json!({}), None)?;
        let resource = format!("resource=\"{}\"", api::path(kind, "", None).rsplit('/').next().unwrap_or_default());
        let above = async || controller.metric("singleton_guard_singletons_above_one", &resource).await;
        place.until("the gauge is there", async || Ok(above().await? >= 0.0)).await?;
        place.create(kind, "ledger", json!({"spec": {"replicas": 3}})).await?;
        place.until("it is counted", async || Ok(above().await? >= 1.0)).await?;
        place
            .until("it is said", async || {
                let said = place.events("SingletonAboveOne").await?;
                Ok(said.iter().any(|note| note.contains("3 replicas") && note.contains("scale it to 1")))
            })
            .await?;
        place.patch(kind, "ledger", json!({"spec": {"replicas": 1}})).await?;
        place.until("it is counted no longer", async || Ok(above().await? == 0.0)).await?;
        let said = place.events("SingletonAboveOne").await?;
        ensure!(said.iter().filter(|note| note.contains("3 replicas")).count() == 1, "{kind}: {said:?}");
    }
    Ok(())
}

/// `companions.enabled: false`: not one request for companions, and what is there stays as it is.
async fn switched_off_it_does_nothing(lab: &Lab) -> Result<()> {
    let place = Place::new(lab).await?;
    let on = Process::start(lab, &format!("{}-on", place.namespace), json!({}), None)?;
    place.create("StatefulSet", "before", json!({"spec": {"replicas": 0}})).await?;
    let budget = place.budget(&budget_name("before", "StatefulSet")).await?;
    drop(on);
    let off = json!({"companions": {"enabled": false}});
    let off = Process::start(lab, &format!("{}-off", place.namespace), off, None)?;
    place.until("it runs", async || Ok(!off.lines("listening")?.is_empty())).await?;
    let seen = place.writes()?;
    place.create("StatefulSet", "after", json!({"spec": {"replicas": 0}})).await?;
    place.patch("StatefulSet", "before", json!({"metadata": {"labels": {crate::spec::case::MARK: null}}})).await?;
    settle().await;
    ensure!(place.writes()? == seen, "it writes although it is switched off");
    ensure!(place.get("Service", "after-singleton").await?.is_none(), "a Service was made");
    let now = place.budget(&budget_name("before", "StatefulSet")).await?;
    // Its revision moves with its status, which is another controller's.
    for field in ["uid", "generation", "labels", "ownerReferences"] {
        ensure!(now["metadata"][field] == budget["metadata"][field], "{field} has changed: {now}");
    }
    Ok(())
}

/// A user of the place's own with the rights that the chart gives the process, less one verb on one resource.
async fn bind(lab: &Lab, place: &Place<'_>, without: Option<(&str, &str)>) -> Result<String> {
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/singleton-guard");
    let render = ["template", "guard", chart, "--show-only", "templates/rbac/cluster.yaml"];
    let render = lab.helm(&render).await?.success()?;
    let objects = lab.kubectl_with_input(&["create", "--dry-run=client", "-o", "json", "-f", "-"], &render).await?;
    let objects = objects.success()?;
    let stream = serde_json::Deserializer::from_str(&objects).into_iter::<Value>();
    let objects: Vec<Value> = stream.collect::<Result<_, _>>()?;
    let role = objects.iter().find(|object| object["kind"] == "ClusterRole").context("the chart's ClusterRole")?;
    let mut rules = role["rules"].as_array().cloned().context("its rules")?;
    if let Some((resource, verb)) = without {
        for rule in rules.iter_mut().filter(|rule| names(&rule["resources"], resource)) {
            if let Some(verbs) = rule["verbs"].as_array_mut() {
                verbs.retain(|other| other != verb);
            }
        }
        rules.retain(|rule| rule["verbs"].as_array().is_some_and(|verbs| !verbs.is_empty()));
    }
    let user = format!("controller-of-{}", place.namespace);
    let (api_group, metadata) = ("rbac.authorization.k8s.io", json!({"name": user}));
    let version = "rbac.authorization.k8s.io/v1";
    let role = json!({"apiVersion": version, "kind": "ClusterRole", "metadata": metadata, "rules": rules});
    let binding = json!({"apiVersion": version, "kind": "ClusterRoleBinding", "metadata": metadata,
        "roleRef": {"apiGroup": api_group, "kind": "ClusterRole", "name": user},
        "subjects": [{"apiGroup": api_group, "kind": "User", "name": user}]});
    for object in [role, binding] {
        lab.kubectl_with_input(&["create", "-f", "-"], &object.to_string()).await?.success()?;
    }
    Ok(user)
}

fn names(list: &Value, word: &str) -> bool {
    list.as_array().is_some_and(|list| list.iter().any(|other| other == word))
}

/// Longer than anything that a controller does by itself takes: that something did not happen can only be waited for.
pub async fn settle() {
    let until = Instant::now() + Duration::from_secs(4);
    tokio::time::sleep_until(until.into()).await;
}

const ADMISSION: &str = "admissionregistration.k8s.io/v1";
const MISSING: &str = "a right is missing";
const CANNOT_WATCH: &str = "cannot watch";
