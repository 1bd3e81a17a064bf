//! The webhook that a Rust programmer writes first: kube's `AdmissionReview<DynamicObject>`, as its documentation
//! shows, and a metadata GET through kube's `Api` for the parent of a Scale. It knows one rule, SG001.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::api::{Api, DynamicObject, ResourceExt as _};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::admission::{AdmissionRequest, AdmissionResponse, AdmissionReview};
use kube::{Client, Config};
use singleton_guard::api::mark::DEFAULT_KEY;

/// `POST /validate`. Asks the API server of this kubeconfig.
pub(crate) async fn router(kubeconfig: &Path) -> Result<Router> {
    let kubeconfig = Kubeconfig::read_from(kubeconfig)?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    let client = Client::try_from(config)?;
    Ok(Router::new().route("/validate", post(validate)).with_state(Arc::new(client)))
}

async fn validate(State(client): State<Arc<Client>>, body: Bytes) -> Response {
    match review(&client, &body).await {
        Ok(answer) => ([(CONTENT_TYPE, "application/json")], answer).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}\n")).into_response(),
    }
}

async fn review(client: &Client, body: &[u8]) -> Result<Vec<u8>> {
    let review: AdmissionReview<DynamicObject> = serde_json::from_slice(body)?;
    let request: AdmissionRequest<DynamicObject> = review.try_into()?;
    let mut response = AdmissionResponse::from(&request);
    let replicas = |object: &Option<DynamicObject>| {
        object.as_ref().and_then(|object| object.data.pointer("/spec/replicas")?.as_i64()).unwrap_or_default()
    };
    let (before, after) = (replicas(&request.old_object), replicas(&request.object));
    if after > 1 && after > before && is_singleton(client, &request).await? {
        response = response.deny(format!("{} is a singleton: it cannot have {after} replicas", request.name));
    }
    Ok(serde_json::to_vec(&response.into_review())?)
}

async fn is_singleton(client: &Client, request: &AdmissionRequest<DynamicObject>) -> Result<bool> {
    if request.sub_resource.as_deref() != Some("scale") {
        return Ok(request.object.as_ref().is_some_and(|object| object.labels().contains_key(DEFAULT_KEY)));
    }
    let namespace = request.namespace.as_deref().context("a Scale without a namespace")?;
    let parents: Api<StatefulSet> = Api::namespaced(client.clone(), namespace);
    Ok(parents.get_metadata(&request.name).await?.labels().contains_key(DEFAULT_KEY))
}
