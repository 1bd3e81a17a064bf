//! A webhook of the tests' own: any router behind the product's own TLS server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Result;
use axum::Router;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kube::Client;
use serde_json::{Value, json};
use singleton_guard::certs::authority::make;
use singleton_guard::certs::provider;
use singleton_guard::certs::serving::{Pair, Serving};
use singleton_guard::server::{GatedListener, Limits, Readiness, Server, tls_config};
use singleton_guard::telemetry::metrics::Metrics;
use tokio::task::JoinHandle;

use crate::common::api;
use crate::spec::case::with;

/// A server that runs until its task is aborted.
pub struct Https {
    /// Where it listens.
    pub address: SocketAddr,
    /// PEM of the authority that vouches for it.
    pub authority: String,
    /// Its task.
    pub task: JoinHandle<()>,
}

/// Serves the router on 127.0.0.1.
pub async fn serve(router: Router) -> Result<Https> {
    let material = make(&["127.0.0.1".to_owned()], SystemTime::now())?;
    let serving = Arc::new(Serving::default());
    serving
        .swap(&Pair::parse(material.leaf.as_bytes(), material.leaf_key.as_bytes(), &provider())?, SystemTime::now())?;
    let (mut listener, pending) = GatedListener::listen("127.0.0.1:0".parse()?).await?;
    listener.open();
    let tls = Arc::new(tls_config(provider(), serving)?);
    let server = Server::new(pending, tls, router, Readiness::default(), Limits::default(), Metrics::new());
    let task = tokio::spawn(server.serve(std::future::pending()));
    Ok(Https { address: listener.address(), authority: material.authority, task })
}

/// Serves the router, which answers at `/`, and has the API server ask it: as the one webhook of a validating configuration
/// of this name. `says` is what its entry has beside where it is.
pub async fn webhook(client: &Client, name: &str, router: Router, says: Value) -> Result<Https> {
    let server = serve(router).await?;
    let (address, authority) = (server.address, BASE64_STANDARD.encode(&server.authority));
    let entry = json!({
        "name": format!("{name}.example.com"), "admissionReviewVersions": ["v1"], "sideEffects": "None",
        "clientConfig": {"url": format!("https://{address}/"), "caBundle": authority},
    });
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name}, "webhooks": [with(&entry, says)],
    });
    api::post(client, CONFIGURATIONS, &configuration, None).await?.success()?;
    Ok(server)
}

/// Where validating configurations are.
pub const CONFIGURATIONS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
