//! A replica that is on its way out, as of an older chart, while those that stay go on: it changes no certificate.
//!
//! Both are of our code, in this process, with a Secret of their own and nobody to tell.

use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};
use singleton_guard::certs::controller::{Controller, Source};
use singleton_guard::certs::lifetimes::Lifetimes;
use singleton_guard::certs::serving::Serving;
use singleton_guard::certs::{SecretRef, SelfSigned, provider};
use singleton_guard::server::Readiness;
use singleton_guard::telemetry::metrics::Metrics;

use crate::common::api::MERGE;
use crate::common::{api, new_namespace};
use crate::harness::stories;
use crate::lab::Lab;

stories!(a_replica_that_drains_stores_no_certificate);

/// What it remembers is not put back, what lacks a name of its own stays; and one that stays puts both right.
async fn a_replica_that_drains_stores_no_certificate(lab: &Lab) -> Result<()> {
    let secret = SecretRef { namespace: new_namespace(lab).await?, name: "certificate".to_owned() };
    let created = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret.name}});
    request(lab, Method::POST, &api::path("Secret", &secret.namespace, None), &created).await?;
    let (leaving, mut goes) = replica(lab, &secret, "guard.old.svc");
    let (_, mut stays) = replica(lab, &secret, "guard.new.svc");
    goes.check().await.context("the one that goes, before it drains")?;
    leaving.drain();
    stays.check().await.context("the one that stays")?;
    let right = stored(lab, &secret).await?;

    goes.check().await.context("the one that goes, with another's names stored")?;
    ensure!(stored(lab, &secret).await? == right, "one that drains has made a certificate with its own names");

    let garbage = json!({"data": {"tls.crt": STANDARD.encode("nothing that makes sense")}});
    request(lab, Method::PATCH, &path(&secret), &garbage).await?;
    let damaged = stored(lab, &secret).await?;
    goes.check().await.context("the one that goes, with garbage stored")?;
    ensure!(stored(lab, &secret).await? == damaged, "one that drains has put back what it remembers");

    stays.check().await.context("the one that stays, with garbage stored")?;
    ensure!(stored(lab, &secret).await? == right, "one that stays has not put back what it remembers");
    Ok(())
}

/// A replica whose certificate carries a name.
fn replica(lab: &Lab, secret: &SecretRef, name: &str) -> (Readiness, Controller) {
    let source = Source::SelfSigned(SelfSigned {
        client: lab.client(),
        secret: secret.clone(),
        names: vec![name.to_owned()],
        configurations: Vec::new(),
        lifetimes: Lifetimes::default(),
    });
    let readiness = Readiness::default();
    let controller = Controller::new(source, Arc::new(Serving::default()), provider(), Metrics::default(), &readiness);
    (readiness, controller)
}

async fn stored(lab: &Lab, secret: &SecretRef) -> Result<Value> {
    Ok(request(lab, Method::GET, &path(secret), &Value::Null).await?["data"].take())
}

fn path(secret: &SecretRef) -> String {
    api::path("Secret", &secret.namespace, Some(&secret.name))
}

async fn request(lab: &Lab, method: Method, path: &str, body: &Value) -> Result<Value> {
    let content = if method == Method::PATCH { MERGE } else { "application/json" };
    let content = (!body.is_null()).then(|| (content, body.to_string()));
    api::call(&lab.client(), method, path, content, None).await?.success()
}
