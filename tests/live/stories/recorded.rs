//! Real AdmissionReviews, recorded: a second webhook beside ours lets everything pass and keeps what it is sent while the
//! requests of each scene are made, and that is compared with what `tests/recorded` holds. `UPDATE=1` writes the folder anew.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, anyhow};
use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use http::Method;
use serde_json::{Value, json};

use crate::common::https::{CONFIGURATIONS, Https};
use crate::common::{api, eventually, https, new_namespace, unguarded};
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::{self, MARK, complete};
use crate::spec::recorded::{Scene, load, path, scenes, type_of};
use crate::spec::snapshot;

stories!(the_stored_reviews_are_what_the_api_server_sends);

/// Makes the requests again and compares the reviews with the stored ones, field by field and type by type.
async fn the_stored_reviews_are_what_the_api_server_sends(lab: &Lab) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let recorder = Recorder::start(lab).await?;
    for scene in scenes() {
        let review = recorder.record(lab, &scene).await.with_context(|| scene.name.clone())?;
        let verdict = load(root, &scene.name).map_or(Value::Null, |stored| stored["verdict"].clone());
        let stored = load(root, &scene.name).unwrap_or_default();
        if shape(&stored["review"]) != shape(&review) {
            let text = serde_json::to_string_pretty(&json!({"verdict": verdict, "review": review}))? + "\n";
            snapshot::file(root, &path(&scene.name), &text).map_err(|difference| anyhow!(difference))?;
        }
    }
    recorder.stop(lab).await
}

/// A webhook that keeps what it is sent.
struct Recorder {
    namespace: String,
    reviews: Arc<Mutex<BTreeMap<String, Value>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Recorder {
    async fn start(lab: &Lab) -> Result<Self> {
        let namespace = new_namespace(lab).await?;
        let reviews = Arc::new(Mutex::new(BTreeMap::new()));
        let kept = Arc::clone(&reviews);
        let keep = move |body: Bytes| {
            let review: Value = serde_json::from_slice(&body).unwrap_or_default();
            let request = &review["request"];
            let key = format!(
                "{} {}",
                request["resource"]["resource"].as_str().unwrap_or_default(),
                request["operation"].as_str().unwrap_or_default()
            );
            let key = format!("{key} {}", request["subResource"].as_str().unwrap_or_default());
            let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": {"uid": request["uid"], "allowed": true}});
            kept.lock().expect("nobody panics with it").insert(key, review);
            async move { ([("content-type", "application/json")], answer.to_string()) }
        };
        let rules = |group: &str, resources: &[&str]| json!({"apiGroups": [group], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": resources});
        let says = json!({
            "failurePolicy": "Ignore", "timeoutSeconds": 3,
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "rules": [
                rules("apps", &["statefulsets", "replicasets", "deployments", "statefulsets/scale", "replicasets/scale", "deployments/scale"]),
                rules("", &["replicationcontrollers", "replicationcontrollers/scale"]),
            ],
        });
        let router = Router::new().route("/", post(keep));
        let Https { task, .. } = https::webhook(&lab.client(), "recorder", router, says).await?;
        Ok(Self { namespace, reviews, task })
    }

    /// Makes the scene's request, with the glass broken so that ours is not asked, until its review has come: a new
    /// configuration reaches the API server's own cache a moment later.
    async fn record(&self, lab: &Lab, scene: &Scene) -> Result<Value> {
        let client = lab.client();
        let kind = scene.kind;
        let operation = if scene.what == "create" { "CREATE" } else { "UPDATE" };
        let subresource = if scene.what == "scale" { "scale" } else { "" };
        let key = format!("{} {operation} {subresource}", case::plural(kind));
        eventually(&format!("the review of {}", scene.name), || async {
            self.reviews.lock().expect("nobody panics with it").remove(&key);
            let object = json!({"kind": kind, "metadata": {"name": "ledger", "labels": {MARK: "true"}}, "spec": {"replicas": 1}});
            let object = complete(&object, &self.namespace);
            let one = api::path(kind, &self.namespace, Some("ledger"));
            let user = unguarded();
            let exists = api::get(&client, kind, &self.namespace, "ledger").await?.is_some();
            if scene.what == "create" && exists {
                api::delete(&client, &one, Some(&user)).await?.success()?;
                return Ok(None);
            }
            let json_content = |body: &Value| Some(("application/json", body.to_string()));
            let merge = |body: Value| Some(("application/merge-patch+json", body.to_string()));
            let collection = api::path(kind, &self.namespace, None);
            if !exists {
                api::call(&client, Method::POST, &collection, json_content(&object), Some(&user)).await?.success()?;
            }
            match scene.what {
                "create" => {}
                "scale" => {
                    for replicas in [1, 2] {
                        let body = merge(json!({"spec": {"replicas": replicas}}));
                        api::call(&client, Method::PATCH, &format!("{one}/scale"), body, Some(&user)).await?.success()?;
                    }
                }
                _ => {
                    for replicas in [1, 3] {
                        let body = merge(json!({"metadata": {"annotations": {"n": replicas.to_string()}}, "spec": {"replicas": replicas}}));
                        api::call(&client, Method::PATCH, &one, body, Some(&user)).await?.success()?;
                    }
                }
            }
            let review = self.reviews.lock().expect("nobody panics with it").get(&key).cloned();
            Ok(review.map(|review| as_if_by_anybody(&review)))
        })
        .await
    }

    async fn stop(self, lab: &Lab) -> Result<()> {
        let path = format!("{CONFIGURATIONS}/recorder");
        api::delete(&lab.client(), &path, None).await?.success()?;
        self.task.abort();
        Ok(())
    }
}

/// Without the group that breaks the glass, and with names that do not differ from run to run.
fn as_if_by_anybody(review: &Value) -> Value {
    let namespace = review["request"]["namespace"].as_str().unwrap_or_default().to_owned();
    let text = review.to_string().replace(&format!("\"{namespace}\""), "\"pay\"");
    let mut review: Value = serde_json::from_str(&text).expect("still JSON");
    review["request"]["userInfo"]["groups"] = json!(["system:masters", "system:authenticated"]);
    review
}

/// The paths of all members with the types of their values; what controllers and managers add by chance is left out.
fn shape(value: &Value) -> Vec<String> {
    fn walk(value: &Value, path: &str, shape: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (key, value) in members.iter().filter(|(key, _)| !BY_CHANCE.contains(&key.as_str())) {
                    walk(value, &format!("{path}/{key}"), shape);
                }
            }
            leaf => shape.push(format!("{path}: {}", type_of(leaf))),
        }
    }
    let mut paths = Vec::new();
    walk(value, "", &mut paths);
    paths.sort();
    paths
}

const BY_CHANCE: [&str; 5] = ["managedFields", "status", "annotations", "generation", "extra"];
