//! The certificate from elsewhere: made with the commands of `certs/README.md`, mounted, verified, exchanged.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use http::Method;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::common::https::CONFIGURATIONS;
use crate::common::installed::{self, NAMESPACE, RELEASE, chart};
use crate::common::{api, eventually, new_namespace, unguarded};
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::{MARK, complete};

stories!(Alone: one_that_is_provided_is_verified_and_exchanged);

/// Mode `provided`: refusals work; another certificate is used without a restart; a replica that no API server would
/// believe is not ready, and says why.
async fn one_that_is_provided_is_verified_and_exchanged(lab: &Lab) -> Result<()> {
    let directory = Directory::create()?;
    let commands = commands()?;
    directory.run(&commands).await?;
    lab.helm(&["uninstall", RELEASE, "-n", NAMESPACE, "--wait"]).await?.success()?;
    store(lab, &directory, "create").await?;
    let mut values = installed::values();
    values["drainSeconds"] = json!(1);
    let bundle = std::fs::read_to_string(directory.0.join("ca.crt"))?;
    values["tls"] = json!({"mode": "provided", "provided": {"secretName": SECRET, "caBundle": bundle}});
    lab.install_chart(&chart(), RELEASE, NAMESPACE, &values).await?;
    let outcome = provided(lab, &directory, &commands).await;
    lab.helm(&["uninstall", RELEASE, "-n", NAMESPACE, "--wait"]).await?.success()?;
    let untouched = lab.kubectl(&["-n", NAMESPACE, "get", "secret", SECRET, "-o", "name"]).await?.success();
    lab.kubectl(&["-n", NAMESPACE, "delete", "secret", SECRET]).await?.success()?;
    lab.install_chart(&chart(), RELEASE, NAMESPACE, &installed::values()).await?;
    outcome?;
    untouched.context("the Secret went with the release").map(drop)
}

async fn provided(lab: &Lab, directory: &Directory, commands: &str) -> Result<()> {
    let client = lab.client();
    let namespace = new_namespace(lab).await?;
    let ledger = json!({"kind": "StatefulSet", "metadata": {"name": "ledger", "labels": {MARK: "true"}}, "spec": {"replicas": 1}});
    let ledger = complete(&ledger, &namespace).to_string();
    let path = api::path("StatefulSet", &namespace, None);
    api::call(&client, Method::POST, &path, Some(("application/json", ledger)), Some(&unguarded())).await?.success()?;
    let refused = async || {
        let body = json!({"spec": {"replicas": 3}}).to_string();
        let content = Some(("application/merge-patch+json", body));
        api::call(&client, Method::PATCH, &format!("{path}/ledger/scale"), content, None).await
    };
    let answer = refused().await?;
    ensure!(answer.message().starts_with("SG001"), "{answer:?}");

    let account = format!("system:serviceaccount:{NAMESPACE}:{RELEASE}");
    for secret in [SECRET, "singleton-guard-certificate"] {
        let may = ["auth", "can-i", "get", &format!("secret/{secret}"), "--as", &account, "-n", NAMESPACE];
        ensure!(lab.kubectl(&may).await?.stdout.trim() == "no", "it may read Secret {secret}");
    }

    // Another key and certificate of the same authority: all but the first two commands again.
    let renew: String = commands.split_inclusive("\nopenssl ").skip(2).collect();
    directory.run(&format!("openssl {}", renew.trim_end_matches("openssl "))).await?;
    store(lab, directory, "replace").await?;
    eventually("the other certificate to be used", || async {
        let outputs = outputs(lab);
        Ok(outputs.iter().all(|output| output.matches("serving with another certificate").count() == 2).then_some(()))
    })
    .await?;
    let answer = refused().await?;
    ensure!(answer.message().starts_with("SG001"), "{answer:?}");

    // Somebody else's authority in one of the configurations.
    let configuration = format!("{CONFIGURATIONS}/{RELEASE}-workload");
    let right = api::read(&client, &configuration).await?.success()?;
    let right = right["webhooks"][0]["clientConfig"]["caBundle"].clone();
    let other = Directory::create()?;
    other.run(commands).await?;
    let wrong = base64(&other.0.join("ca.crt"))?;
    replace_bundle(lab, &configuration, &json!(wrong)).await?;
    eventually("the replicas not to be ready", || async {
        let said = outputs(lab).iter().all(|output| output.contains("an API server would not accept the certificate"));
        Ok((said && ready(lab).await? == 0).then_some(()))
    })
    .await?;
    replace_bundle(lab, &configuration, &right).await?;
    eventually("the replicas to be ready again", || async { Ok((ready(lab).await? == 2).then_some(())) }).await?;
    eventually("a refusal", || async { Ok(refused().await?.message().starts_with("SG001").then_some(())) }).await
}

async fn replace_bundle(lab: &Lab, configuration: &str, bundle: &Value) -> Result<()> {
    let patch = json!([{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle}]).to_string();
    let content = Some(("application/json-patch+json", patch));
    api::call(&lab.client(), Method::PATCH, configuration, content, None).await?.success().map(drop)
}

async fn ready(lab: &Lab) -> Result<usize> {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods");
    let pods = api::list(&lab.client(), &path).await?;
    let is_ready = |pod: &Value| {
        let conditions = pod["status"]["conditions"].as_array();
        conditions.is_some_and(|all| all.iter().any(|it| it["type"] == "Ready" && it["status"] == "True"))
    };
    Ok(pods.iter().filter(|pod| is_ready(pod)).count())
}

/// What each of our processes has printed.
pub fn outputs(lab: &Lab) -> Vec<String> {
    let processes = lab.node().processes();
    processes.iter().map(|process| lab.node().output(&process.pod, &process.container)).collect()
}

/// `kubectl create secret tls`, applied as it is or over the one that is there.
async fn store(lab: &Lab, directory: &Directory, verb: &str) -> Result<()> {
    let (certificate, key) = (directory.0.join("tls.crt"), directory.0.join("tls.key"));
    let (certificate, key) = (format!("--cert={}", certificate.display()), format!("--key={}", key.display()));
    let create =
        ["-n", NAMESPACE, "create", "secret", "tls", SECRET, &certificate, &key, "--dry-run=client", "-o", "yaml"];
    let secret = lab.kubectl(&create).await?.success()?;
    lab.kubectl_with_input(&[verb, "-f", "-"], &secret).await?.success().map(drop)
}

/// The commands that `certs/README.md` gives.
fn commands() -> Result<String> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("certs/README.md"))?;
    let section =
        readme.split_once("<!-- private authority -->\n```sh\n").and_then(|(_, rest)| rest.split_once("```\n"));
    let (commands, _) = section.context("certs/README.md has no commands for a private authority")?;
    ensure!(commands.matches("openssl ").count() == 6, "{commands}");
    Ok(commands.to_owned())
}

fn base64(file: &Path) -> Result<String> {
    use base64::Engine as _;
    Ok(base64::engine::general_purpose::STANDARD.encode(std::fs::read(file)?))
}

/// A directory with keys, which goes when this goes.
struct Directory(PathBuf);

impl Directory {
    fn create() -> Result<Self> {
        let name = format!("singleton-guard-authority-{}-{:x}", std::process::id(), fastrand::u32(..));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)?;
        Ok(Self(path))
    }

    async fn run(&self, commands: &str) -> Result<()> {
        let mut shell = Command::new("sh");
        shell.args(["-euc", commands]).current_dir(&self.0).stdin(Stdio::null());
        let done = shell.output().await?;
        ensure!(done.status.success(), "{commands}\n{}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

const SECRET: &str = "guard-tls";
