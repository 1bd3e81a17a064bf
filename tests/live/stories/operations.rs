//! What somebody who runs a cluster does with a release: installs it, asks whether it works, has it watched, and takes
//! it away again. These tests have releases of their own beside the one that all others use.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::common::installed::{NAMESPACE, chart, values};
use crate::common::{eventually, monitors};
use crate::harness::stories;
use crate::lab::Lab;
use crate::lab::tools::Outcome;
use crate::spec::rules;

stories!(
    Beside: verify_tells_what_it_sees;
    Alone:
    a_release_comes_works_and_goes,
    an_installation_that_guards_nothing_fails,
    a_second_release_of_the_name_is_refused;
);

/// A release with everything on guards when `helm install` returns, says so on request, is scraped by what its
/// monitor selects, has the alerts that were tested, and goes without leaving anything.
async fn a_release_comes_works_and_goes(lab: &Lab) -> Result<()> {
    monitors::install(lab).await?;
    let on = json!({"enabled": true});
    let more = json!({
        // A mark of its own: the other release does not refuse what this one has to.
        "mark": {"key": MARK},
        "metrics": {"serviceMonitor": on, "prometheusRule": on, "grafanaDashboard": on},
        "networkPolicy": on,
        "flowSchema": on,
    });
    // Without --wait: the check alone has to hold it up.
    install(lab, &more).await?.success()?;
    let refused = verify(lab, &["--namespace", OTHER, "--mark-key", MARK]).await?;
    ensure!(refused.succeeded(), "the installation was over before anything was refused: {refused:?}");
    ensure!(refused.stdout.starts_with("refusals work: admission webhook \""), "{refused:?}");

    let tested = lab.helm(&["test", OTHER, "-n", OTHER, "--timeout", "2m"]).await?.success()?;
    ensure!(tested.contains("Succeeded"), "helm test printed\n{tested}");
    scraped(lab).await.context("scraping what the ServiceMonitor selects")?;
    alerts_are_the_tested_ones(lab).await?;
    own_priority(lab).await.context("the FlowSchema")?;

    lab.helm(&["uninstall", OTHER, "-n", OTHER, "--wait", "--timeout", "2m"]).await?.success()?;
    gone(lab, |_| false).await?;
    ensure!(!verify(lab, &["--namespace", OTHER, "--mark-key", MARK]).await?.succeeded(), "it is still guarded");
    let first = verify(lab, &["--namespace", NAMESPACE]).await?;
    ensure!(first.succeeded(), "the other release has suffered: {first:?}");
    Ok(())
}

/// An installation that guards nothing fails, with the reason; the right to check does not outlive the check.
async fn an_installation_that_guards_nothing_fails(lab: &Lab) -> Result<()> {
    // Nobody listens there.
    let nowhere = json!({
        "mark": {"key": MARK},
        "webhook": {"url": "https://127.0.0.1:9", "failurePolicy": "Ignore"},
        "startupCheck": {"timeoutSeconds": 3},
    });
    let failed = install(lab, &nowhere).await?;
    ensure!(!failed.succeeded() && failed.stderr.contains("post-install"), "{failed:?}");
    let kept = ["job", "other-singleton-guard-verify", "-o", "jsonpath={.spec.ttlSecondsAfterFinished}"];
    let output = lab.kubectl(&[&["-n", OTHER, "get"][..], &kept].concat()).await?.success()?;
    ensure!(output == "3600", "the failed Job would stay for ever: {output:?}");
    let pod = lab
        .kubectl(&["-n", OTHER, "get", "pods", "-l", "app.kubernetes.io/component=verify", "-o", "name"])
        .await?
        .success()?;
    let pod = pod.lines().next().context("the failed Job has no Pod")?.trim_start_matches("pod/").to_owned();
    let said = lab.node().output(&format!("{OTHER}/{pod}"), "verify");
    ensure!(said.contains("nothing is guarded: a Deployment in namespace other"), "the check said {said:?}");

    lab.helm(&["uninstall", OTHER, "-n", OTHER, "--wait", "--timeout", "2m"]).await?.success()?;
    gone(lab, |object| object.starts_with("job.batch/") || object.starts_with("pod/")).await?;
    lab.kubectl(&["delete", "namespace", OTHER]).await?.success()?;
    Ok(())
}

/// `verify` tells a guarded namespace from one that is not.
async fn verify_tells_what_it_sees(lab: &Lab) -> Result<()> {
    for (arguments, code, says) in [
        (&["--namespace", "default"][..], 0, "refusals work: "),
        (
            &["--namespace", "kube-system"],
            1,
            "singleton-guard: nothing is guarded: a Deployment in namespace kube-system ",
        ),
        (&["--namespace", "default", "--mark-key", "example.com/x"], 1, "the label example.com/x=true"),
        (&["--namespace", "default", "--mark-key", "a b"], 1, "singleton-guard: --mark-key a b: "),
        (&["--namespace", "nowhere"], 1, "expected SG001 of singleton-guard, got: "),
    ] {
        let done = verify(lab, arguments).await?;
        let said = format!("{}{}", done.stdout, done.stderr);
        ensure!(done.code == code && said.contains(says), "verify {arguments:?}: {done:?}");
    }
    let made =
        lab.kubectl(&["get", "deployments", "-A", "-l", "app.kubernetes.io/name=singleton-guard-verify", "-o", "name"]);
    ensure!(made.await?.success()?.is_empty(), "a dry run has made something");
    Ok(())
}

/// A second release of the same name is refused, and the first one does not notice.
async fn a_second_release_of_the_name_is_refused(lab: &Lab) -> Result<()> {
    let chart = chart().display().to_string();
    let install = ["install", NAMESPACE, &chart, "-n", "second", "--create-namespace"];
    let refused = lab.helm(&install).await?;
    ensure!(
        !refused.succeeded() && refused.stderr.contains("cannot be imported into the current release"),
        "a second release of the name: {refused:?}"
    );
    let first = verify(lab, &["--namespace", NAMESPACE]).await?;
    ensure!(first.succeeded(), "the first release has suffered: {first:?}");
    let left = lab
        .kubectl(&["-n", "second", "get", "deployments,services,secrets,serviceaccounts", "-o", "name"])
        .await?
        .success()?;
    // Which the controllers make in every namespace.
    let left = left.replace("serviceaccount/default", "");
    ensure!(left.trim().is_empty(), "it has left {left}");
    lab.kubectl(&["delete", "namespace", "second", "--ignore-not-found"]).await?.success()?;
    Ok(())
}

/// `helm install` of the release, in a namespace of its own.
async fn install(lab: &Lab, more: &Value) -> Result<Outcome> {
    let mut all = values();
    for (key, value) in more.as_object().into_iter().flatten() {
        all[key] = value.clone();
    }
    let chart = chart().display().to_string();
    let arguments = ["install", OTHER, &chart, "-n", OTHER, "--create-namespace", "--timeout", "2m", "--values", "-"];
    lab.helm_with_input(&arguments, &all.to_string()).await
}

/// Runs `singleton-guard verify` as the administrator.
async fn verify(lab: &Lab, arguments: &[&str]) -> Result<Outcome> {
    let done = Command::new(env!("CARGO_BIN_EXE_singleton-guard"))
        .arg("verify")
        .arg("--kubeconfig")
        .arg(lab.kubeconfig())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await?;
    Ok(Outcome {
        command: format!("singleton-guard verify {}", arguments.join(" ")),
        code: done.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
    })
}

/// Goes from the `ServiceMonitor` to the metrics as Prometheus does: selector, Service, port, endpoints.
async fn scraped(lab: &Lab) -> Result<()> {
    let monitor = object(lab, "servicemonitor/other-singleton-guard").await?;
    let labels = monitor["spec"]["selector"]["matchLabels"].as_object().cloned().unwrap_or_default();
    let selector: Vec<String> =
        labels.iter().map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    let services = list(lab, &["services", "-l", &selector.join(",")]).await?;
    ensure!(services.len() == 1, "the ServiceMonitor selects {} Services", services.len());
    let service = services[0]["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    // The installation was over when one of the two refused something.
    let slices = eventually("both replicas to be endpoints", || async {
        let slices = list(lab, &["endpointslices", "-l", &format!("kubernetes.io/service-name={service}")]).await?;
        let endpoints = slices.iter().flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
        let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] == true).count();
        Ok((ready == 2).then_some(slices))
    })
    .await?;
    let wanted = &monitor["spec"]["endpoints"][0];
    let mut scraped = 0;
    for slice in &slices {
        let ports = slice["ports"].as_array().into_iter().flatten();
        for port in ports.filter(|port| port["name"] == wanted["port"]) {
            for endpoint in slice["endpoints"].as_array().into_iter().flatten() {
                let address = endpoint["addresses"][0].as_str().unwrap_or_default();
                let path = wanted["path"].as_str().unwrap_or_default();
                let text = get(&format!("{address}:{}", port["port"]), path).await?;
                ensure!(text.contains("singleton_guard_ready 1\n"), "{address} says {text}");
                scraped += 1;
            }
        }
    }
    ensure!(scraped == 2, "{scraped} of two replicas were scraped: {slices:#?}");
    Ok(())
}

/// One GET without TLS, as Prometheus makes it. Head and body.
pub async fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// The object in the cluster holds the very rules that promtool has tested.
async fn alerts_are_the_tested_ones(lab: &Lab) -> Result<()> {
    let installed = object(lab, "prometheusrule/other-singleton-guard").await?;
    let tested = rules::rules(Path::new(env!("CARGO_MANIFEST_DIR"))).map_err(anyhow::Error::msg)?;
    ensure!(installed["spec"] == tested, "the PrometheusRule is not what was tested: {}", installed["spec"]);
    Ok(())
}

/// The API server sorts a GET of our own identity into our own level, not into the one of all.
async fn own_priority(lab: &Lab) -> Result<()> {
    let ours = object(lab, "flowschema/other-singleton-guard").await?;
    let level = object(lab, "prioritylevelconfiguration/other-singleton-guard").await?;
    eventually("the API server to sort by the FlowSchema", || async {
        let request = http::Request::get("/apis/apps/v1/namespaces/other/statefulsets/none")
            .header("Impersonate-User", "system:serviceaccount:other:other-singleton-guard")
            .header("Impersonate-Group", "system:serviceaccounts")
            .header("Impersonate-Group", "system:authenticated")
            .body(Body::empty())?;
        let answer = lab.client().send(request).await?;
        let sorted = |header: &str, object: &Value| {
            answer.headers().get(header).and_then(|value| value.to_str().ok()) == object["metadata"]["uid"].as_str()
        };
        let own =
            sorted("x-kubernetes-pf-flowschema-uid", &ours) && sorted("x-kubernetes-pf-prioritylevel-uid", &level);
        Ok(own.then_some(()))
    })
    .await
}

/// Waits until nothing is left of the release but what is meant to stay. The Pods drain before they end, and what
/// controllers have made goes a moment after what they made it for.
async fn gone(lab: &Lab, stays: fn(&String) -> bool) -> Result<()> {
    eventually("everything to be gone", || async {
        let left: Vec<_> = left(lab).await?.into_iter().filter(|object| !stays(object)).collect();
        let is_going = |object: &String| OF_CONTROLLERS.iter().any(|kind| object.starts_with(kind));
        ensure!(left.iter().all(is_going), "helm uninstall has left {left:#?}");
        Ok(left.is_empty().then_some(()))
    })
    .await
}

/// Everything in the cluster that carries the release's label, of whatever kind.
async fn left(lab: &Lab) -> Result<Vec<String>> {
    let kinds = lab.kubectl(&["api-resources", "--verbs=list", "-o", "name"]).await?.success()?;
    // Events are about what was, and go by themselves.
    let kinds: Vec<&str> = kinds.lines().filter(|kind| !kind.starts_with("events")).collect();
    let selector = format!("app.kubernetes.io/instance={OTHER}");
    let found = lab.kubectl(&["get", &kinds.join(","), "-A", "-l", &selector, "-o", "name"]).await?.success()?;
    let secrets = lab.kubectl(&["-n", OTHER, "get", "secrets", "-o", "name"]).await?.success()?;
    Ok(found.lines().filter(|line| !line.starts_with("secret/")).chain(secrets.lines()).map(str::to_owned).collect())
}

async fn object(lab: &Lab, name: &str) -> Result<Value> {
    let text = lab.kubectl(&["-n", OTHER, "get", name, "-o", "json"]).await?.success()?;
    Ok(serde_json::from_str(&text)?)
}

async fn list(lab: &Lab, arguments: &[&str]) -> Result<Vec<Value>> {
    let text = lab.kubectl(&[&["-n", OTHER, "get", "-o", "json"], arguments].concat()).await?.success()?;
    let list: Value = serde_json::from_str(&text)?;
    Ok(list["items"].as_array().cloned().unwrap_or_default())
}

/// What no release holds itself, and goes with what it holds.
const OF_CONTROLLERS: [&str; 4] = ["pod/", "replicaset.apps/", "endpointslice.discovery.k8s.io/", "endpoints/"];
const OTHER: &str = "other";
const MARK: &str = "example.com/only-one";
