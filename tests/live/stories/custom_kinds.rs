//! Kinds of others that the values name, on definitions of the tests: by every way that a request can come, with the
//! definition there and not there yet, and after the kind has left the list.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use http::Method;
use serde_json::{Value, json};

use crate::common::api::{self, Answer};
use crate::common::definitions::{definition, establish};
use crate::common::installed::{NAMESPACE, RELEASE, upgrade};
use crate::common::workloads::both_ready;
use crate::common::{eventually, new_namespace};
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::MARK;
use crate::stories::configuration::metrics;

stories!(Alone: a_kind_of_the_values_is_guarded);

async fn a_kind_of_the_values_is_guarded(lab: &Lab) -> Result<()> {
    name(lab, &kinds()).await?;
    let outcome = guarded(lab).await;
    name(lab, &json!([])).await?;
    outcome?;
    // All of it has gone with the kind, and its mark means nothing.
    let left = api::list(&lab.client(), CONFIGURATIONS).await?;
    let left = left.iter().filter(|it| it["metadata"]["name"].as_str().is_some_and(|name| name.contains(GROUP)));
    ensure!(left.count() == 0, "webhook configurations are left");
    let free = lab.namespace("custom-free").await;
    free?;
    post(lab, "custom-free", &gizmo("led", true, 3)).await?.success()?;
    api::delete(&lab.client(), &path("gizmos", "custom-free", "led"), None).await?.success().map(drop)
}

async fn guarded(lab: &Lab) -> Result<()> {
    let (client, namespace) = (lab.client(), new_namespace(lab).await?);
    let texts = metrics(lab).await?;
    let is_absent = |text: &String| !text.contains(&format!("cache_synced{{resource=\"gizmos.{GROUP}\"}}"));
    ensure!(texts.values().all(is_absent), "a kind that is not served is said to be watched, or not to be");
    ensure!(
        texts.values().all(|text| text.contains("cache_synced{resource=\"statefulsets\"} 1")),
        "others suffer from it"
    );

    establish(lab, &[of_kind("Gizmo", ".spec.instances"), of_kind("Widget", ".spec.replicas")]).await?;
    let established = Instant::now();
    eventually("the kind to be served", || async {
        Ok(post(lab, &namespace, &gizmo("led", true, 1)).await?.succeeded().then_some(()))
    })
    .await?;
    every_way_is_judged(lab, &namespace).await?;
    let counted = format!("singletons{{resource=\"gizmos.{GROUP}\"}} 1");
    loop {
        if metrics(lab).await?.values().all(|text| text.contains(&counted)) {
            break;
        }
        ensure!(established.elapsed() < Duration::from_secs(40), "it is not counted");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    eventually("its namespace to be one that holds singletons", || async {
        let scale = api::read(&client, &format!("{CONFIGURATIONS}/{RELEASE}-scale-gizmos.{GROUP}")).await?.success()?;
        Ok(scale["webhooks"][0]["namespaceSelector"].to_string().contains(&namespace).then_some(()))
    })
    .await?;
    companions_are_made(lab, &namespace).await?;
    let account = format!("system:serviceaccount:{NAMESPACE}:{RELEASE}");
    for (verb, may) in [("list", "yes"), ("watch", "yes"), ("patch", "no"), ("delete", "no")] {
        let asked = lab.kubectl(&["auth", "can-i", verb, &format!("gizmos.{GROUP}"), "--as", &account]).await?;
        ensure!(asked.stdout.trim() == may, "it may {verb}: {asked:?}");
    }
    Ok(())
}

/// The matrix of ways for a marked one, and what is allowed beside them.
async fn every_way_is_judged(lab: &Lab, namespace: &str) -> Result<()> {
    let (client, object) = (lab.client(), path("gizmos", namespace, "led"));
    let scale = format!("{object}/scale");
    let refused = |what: &str, answer: Answer, says: &str| {
        ensure!(answer.message().starts_with(says), "{what}: {answer:?}");
        anyhow::Ok(())
    };
    let sentence = format!(
        "SG001 Gizmo {namespace}/led is a singleton: spec.instances must be less than or equal to 1, requested 2"
    );
    let two = json!({"spec": {"instances": 2}});
    refused("created", post(lab, namespace, &gizmo("other", true, 2)).await?, "SG001 Gizmo")?;
    refused("merged", api::merge(&client, &object, &two, None).await?, &sentence)?;
    refused("scaled", api::merge(&client, &scale, &json!({"spec": {"replicas": 2}}), None).await?, &sentence)?;
    let mut put = api::read(&client, &scale).await?.success()?;
    put["spec"]["replicas"] = json!(2);
    refused(
        "scaled by PUT",
        api::call(&client, Method::PUT, &scale, Some((JSON, put.to_string())), None).await?,
        &sentence,
    )?;
    let patch = json!([{"op": "replace", "path": "/spec/instances", "value": 2}]).to_string();
    let patched =
        api::call(&client, Method::PATCH, &object, Some(("application/json-patch+json", patch)), None).await?;
    refused("patched", patched, &sentence)?;
    let applied = format!("{object}?fieldManager=somebody&force=true");
    let applied =
        api::call(&client, Method::PATCH, &applied, Some((APPLY, gizmo("led", true, 2).to_string())), None).await?;
    refused("applied", applied, &sentence)?;
    refused("dry run", api::merge(&client, &format!("{object}?dryRun=All"), &two, None).await?, &sentence)?;
    let huge = json!({"spec": {"instances": 4_294_967_297_i64}});
    // The API server itself takes no more than 32 bits where a definition says that a number is one of replicas.
    let wrapped = api::merge(&client, &object, &huge, None).await?;
    ensure!(!wrapped.succeeded(), "wrapped around: {wrapped:?}");
    let released = json!({"metadata": {"labels": {MARK: null}}, "spec": {"instances": 3}});
    refused("released and scaled", api::merge(&client, &object, &released, None).await?, "SG005 Gizmo")?;
    let mark = |value: &str| json!({"metadata": {"labels": {MARK: value}}});
    refused("strict", api::merge(&client, &object, &mark("strict"), None).await?, "SG006 Gizmo")?;
    refused("nonsense", api::merge(&client, &object, &mark("yes"), None).await?, "SG006 Gizmo")?;

    let status = json!({"status": {"replicas": 1}});
    api::merge(&client, &format!("{object}/status"), &status, None).await?.success()?;
    api::merge(&client, &object, &json!({"spec": {"instances": 0}}), None).await?.success()?;
    let release = api::merge(&client, &object, &json!({"metadata": {"labels": {MARK: null}}}), None).await?;
    ensure!(release.succeeded() && !release.warnings.is_empty(), "a release: {release:?}");
    api::merge(&client, &object, &json!({"spec": {"instances": 2}}), None).await?.success()?;
    refused("marked above one", api::merge(&client, &object, &mark("enabled"), None).await?, "SG001 Gizmo")?;
    api::merge(&client, &object, &json!({"spec": {"instances": 1}}), None).await?.success()?;
    api::merge(&client, &object, &mark("enabled"), None).await?.success()?;
    post(lab, namespace, &gizmo("free", false, 1)).await?.success()?;
    let free = format!("{}/scale", path("gizmos", namespace, "free"));
    api::merge(&client, &free, &json!({"spec": {"replicas": 5}}), None).await?.success()?;
    post(lab, namespace, &gizmo("gone", true, 1)).await?.success()?;
    api::delete(&client, &path("gizmos", namespace, "gone"), None).await?.success().map(drop)
}

/// One with a template gets a Service and a budget; one without gets none.
async fn companions_are_made(lab: &Lab, namespace: &str) -> Result<()> {
    let client = lab.client();
    let mut widget = object("Widget", "web", true);
    widget["spec"] =
        json!({"replicas": 1, "serviceName": {"any": "type"}, "template": {"metadata": {"labels": {"app": "web"}}}});
    let created =
        api::post(&client, &format!("/apis/{GROUP}/v1/namespaces/{namespace}/widgets"), &widget, None).await?;
    created.success()?;
    let widget = path("widgets", namespace, "web");
    let up = api::merge(&client, &widget, &json!({"spec": {"replicas": 2}}), None).await?;
    ensure!(up.message().starts_with("SG001 Widget"), "{up:?}");
    eventually("its Service and its budget", || async {
        let service = api::get(&client, "Service", namespace, "web-singleton").await?;
        let budgets = format!("/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets");
        let budgets = api::list(&client, &budgets).await?;
        Ok((service.is_some() && budgets.len() == 1).then_some(()))
    })
    .await?;
    ensure!(api::get(&client, "Service", namespace, "led-singleton").await?.is_none(), "a Service without a template");
    Ok(())
}

/// Another story may have written the configuration by hand, and helm does not take a field from somebody else unasked.
async fn name(lab: &Lab, kinds: &Value) -> Result<()> {
    upgrade(lab, &["--reuse-values", "--force-conflicts", "--set-json", &format!("customKinds={kinds}")]).await?;
    both_ready(lab).await.map(drop)
}

fn kinds() -> Value {
    let of = |resource: &str, kind: &str| json!({"group": GROUP, "version": "v1", "resource": resource, "kind": kind});
    let (mut gizmo, mut widget, ghost) = (of("gizmos", "Gizmo"), of("widgets", "Widget"), of("ghosts", "Ghost"));
    gizmo["replicasPath"] = json!(".spec.instances");
    widget["templatePath"] = json!(".spec.template");
    json!([gizmo, widget, ghost])
}

fn of_kind(kind: &str, replicas: &str) -> Value {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": any, "status": any}}});
    let scale = json!({"specReplicasPath": replicas, "statusReplicasPath": ".status.replicas"});
    definition(GROUP, kind, "Namespaced", json!({"schema": schema, "subresources": {"status": {}, "scale": scale}}))
}

async fn post(lab: &Lab, namespace: &str, object: &Value) -> Result<Answer> {
    api::post(&lab.client(), &format!("/apis/{GROUP}/v1/namespaces/{namespace}/gizmos"), object, None).await
}

fn gizmo(name: &str, marked: bool, instances: u32) -> Value {
    let mut gizmo = object("Gizmo", name, marked);
    gizmo["spec"] = json!({"instances": instances});
    gizmo
}

fn object(kind: &str, name: &str, marked: bool) -> Value {
    let labels = if marked { json!({MARK: "enabled"}) } else { json!({}) };
    json!({"apiVersion": format!("{GROUP}/v1"), "kind": kind, "metadata": {"name": name, "labels": labels}})
}

fn path(resource: &str, namespace: &str, name: &str) -> String {
    format!("/apis/{GROUP}/v1/namespaces/{namespace}/{resource}/{name}")
}

const GROUP: &str = "kinds.example.com";
const CONFIGURATIONS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const JSON: &str = "application/json";
const APPLY: &str = "application/apply-patch+yaml";
