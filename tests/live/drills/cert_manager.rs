//! A certificate that cert-manager keeps: its own controllers issue, inject, renew and heal it under load, with the
//! authority that the chart makes and with that of `certs/cert-manager.yaml`.
//!
//! They are built from cert-manager's library (`tests/cert-manager`), which takes minutes, so only `LONG=1` asks for it.
//! Not here: cert-manager's own webhook, which only judges what people write.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Error, Result, ensure};
use http::Method;
use kube::Client;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::handshakes::{CONFIGURATIONS, Handshakes, bundle};
use super::load::Load;
use crate::common::installed::{self, NAMESPACE, RELEASE, chart, upgrade};
use crate::common::workloads::guards;
use crate::common::{api, eventually};
use crate::harness::stories;
use crate::lab::component::Component;
use crate::lab::progress::Progress;
use crate::lab::{Lab, go_program};

stories!(Long: a_certificate_that_cert_manager_renews_fails_no_call after built);

/// So that it is there where there is no network.
fn built(progress: &Progress) {
    if let Err(error) = program() {
        progress.step(&format!("cert-manager cannot be built: {error:#}"));
    }
}

/// Builds cert-manager and fetches its definitions if they are not there. To be called where there is a network.
fn program() -> Result<(PathBuf, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = go_program::build(root, "cert-manager").map_err(Error::msg)?;
    let library = go_program::sources(root, "cert-manager", "github.com/cert-manager/cert-manager");
    Ok((program, library.map_err(Error::msg)?.join("deploy/crds")))
}

/// Runs it, and says what it saw.
async fn a_certificate_that_cert_manager_renews_fails_no_call(lab: &Lab) -> Result<()> {
    let (program, definitions) = program()?;
    let definitions = definitions.display().to_string();
    lab.helm(&["uninstall", RELEASE, "-n", NAMESPACE, "--wait"]).await?.success()?;
    lab.kubectl(&["apply", "--server-side", "-f", &definitions]).await?.success()?;
    lab.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"]).await?.success()?;
    lab.namespace("cert-manager").await?;
    let kubeconfig = lab.kubeconfig().display().to_string();
    let mut controllers = Component::start("cert-manager", &program, &[kubeconfig], lab.logs())?;
    let outcome = async {
        a_life(lab, "its own authority", &json!({}), &["authority", "tls"]).await?;
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("certs/cert-manager.yaml").display().to_string();
        lab.kubectl(&["apply", "-f", &example]).await?.success()?;
        let platform = json!({"issuerRef": {"kind": "ClusterIssuer", "name": "platform"}});
        a_life(lab, "an authority of the cluster's", &platform, &["tls"]).await
    };
    let outcome = outcome.await.and_then(|()| controllers.check()).with_context(|| controllers.end_of_log());
    lab.helm(&["uninstall", RELEASE, "-n", NAMESPACE, "--ignore-not-found", "--wait"]).await?.success()?;
    controllers.stop(Duration::from_secs(5)).await?;
    lab.kubectl(&["delete", "namespace", "cert-manager"]).await?.success()?;
    lab.kubectl(&["delete", "-f", &definitions]).await?.success()?;
    lab.install_chart(&chart(), RELEASE, NAMESPACE, &installed::values()).await?;
    outcome
}

/// From the installation to the end; `kept` are the Secrets that cert-manager leaves.
async fn a_life(lab: &Lab, authority: &str, values: &Value, kept: &[&str]) -> Result<()> {
    let client = lab.client();
    let started = Instant::now();
    let mut all = installed::values();
    all["tls"] = json!({"mode": "cert-manager", "certManager": values});
    lab.install_chart(&chart(), RELEASE, NAMESPACE, &all).await?;
    let installed = started.elapsed();
    let injected = injected(&client).await?;

    let load = Load::prepare(lab).await?;
    let mut handshakes = Handshakes::new(client.clone(), SETTLE);
    let ((), figures) = load
        .during(async {
            tokio::select! {
                over = renew(lab) => over,
                over = async { loop { handshakes.round().await?; sleep(PAUSE).await } } => over,
            }
        })
        .await?;
    let seen = handshakes.seen;
    eprintln!(
        "cert-manager with {authority}: installed in {installed:.1?}; {RENEWALS} renewals: {} refused, {} allowed, {} failed; {} handshakes with {} replicas, {} failed",
        figures.refused,
        figures.allowed,
        figures.failed.len(),
        seen.verified,
        seen.replicas.len(),
        seen.failed.len(),
    );
    ensure!(figures.failed.is_empty(), "calls failed: {:#?}", figures.failed);
    ensure!(seen.failed.is_empty() && seen.replicas.len() == 2, "handshakes: {seen:#?}");

    upgrade(lab, &["--reuse-values", "--set=drainSeconds=1"]).await?;
    ensure!(self::injected(&client).await? == injected, "an upgrade has changed a caBundle");
    wipe(&client).await?;
    eventually("the caBundle to be injected again", || async {
        Ok((!bundle(&client).await?.is_empty()).then_some(()))
    })
    .await?;

    lab.helm(&["uninstall", RELEASE, "-n", NAMESPACE, "--wait"]).await?.success()?;
    eventually("nothing of ours to be left", || async {
        let ours = format!("app.kubernetes.io/instance={RELEASE}");
        Ok(lab.kubectl(&["get", KINDS, "-A", "-l", &ours, "-o", "name"]).await?.success()?.is_empty().then_some(()))
    })
    .await?;
    let secrets = lab.kubectl(&["-n", NAMESPACE, "get", "secrets", "-o", "name"]).await?.success()?;
    let expected: Vec<String> = kept.iter().map(|name| format!("secret/{RELEASE}-{name}")).collect();
    ensure!(secrets.split_whitespace().eq(expected.iter().map(String::as_str)), "cert-manager keeps {secrets}");
    lab.kubectl(&["-n", NAMESPACE, "delete", "secrets", "--all"]).await?.success().map(drop)
}

/// Asks for another certificate, as `cmctl renew` does, and waits until both replicas serve it; again and again.
async fn renew(lab: &Lab) -> Result<()> {
    let served = || {
        let outputs = guards(lab).into_iter().map(|pod| lab.node().output(&pod, "guard"));
        outputs.map(|output| output.matches("serving with another certificate").count()).collect::<Vec<_>>()
    };
    let issuing = json!([{"op": "add", "path": "/status/conditions/-", "value": {
        "type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "a drill",
    }}]);
    let certificate = format!("certificate/{RELEASE}-tls");
    let patch = ["patch", &certificate, "-n", NAMESPACE, "--subresource=status", "--type=json", "-p"];
    for _ in 0..RENEWALS {
        let before = served();
        lab.kubectl(&[&patch[..], &[&issuing.to_string()]].concat()).await?.success()?;
        eventually("another certificate to be served", || async {
            let now = served();
            Ok((now.len() == 2 && now.iter().zip(&before).all(|(now, before)| now > before)).then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// The caBundle of every entry of ours, of which none may lack one, by name.
async fn injected(client: &Client) -> Result<Vec<(String, String)>> {
    let mut bundles = Vec::new();
    for kind in ["validating", "mutating"] {
        let path = CONFIGURATIONS.replace("validating", kind) + "?labelSelector=app.kubernetes.io/instance=" + RELEASE;
        for configuration in api::list(client, &path).await? {
            for entry in configuration["webhooks"].as_array().into_iter().flatten() {
                let bundle = entry["clientConfig"]["caBundle"].as_str().unwrap_or_default();
                ensure!(!bundle.is_empty(), "nothing was injected into {}", entry["name"]);
                bundles.push((entry["name"].to_string(), bundle.to_owned()));
            }
        }
    }
    ensure!(bundles.len() > 5, "only {} entries", bundles.len());
    Ok(bundles)
}

/// Takes the caBundle out of one of the configurations.
async fn wipe(client: &Client) -> Result<()> {
    let remove = json!([{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]).to_string();
    let content = Some(("application/json-patch+json", remove));
    let path = format!("{CONFIGURATIONS}/{RELEASE}-scale");
    api::call(client, Method::PATCH, &path, content, None).await?.success().map(drop)
}

const RENEWALS: usize = 5;
/// How long an API server may go by a caBundle that has been exchanged.
const SETTLE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(100);
const KINDS: &str = "all,secrets,configmaps,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,\
     poddisruptionbudgets,certificates,issuers,validatingwebhookconfigurations,mutatingwebhookconfigurations,\
     validatingadmissionpolicies,validatingadmissionpolicybindings";
