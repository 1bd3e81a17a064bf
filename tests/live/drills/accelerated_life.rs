//! Years of certificates in minutes: two replicas under load, one more whose clock is a day ahead, while somebody
//! damages, empties and deletes the Secret and wipes the caBundle.
//!
//! Counted are calls through the API server and fresh handshakes with each replica. Nothing may fail but calls while a
//! wiped caBundle has not been written again. The clock is set wrong from outside (libfaketime, where it is installed):
//! the program has no switch for it. `LONG=1` runs an hour, another number so many minutes.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use kube::Client;
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::handshakes::{CONFIGURATIONS, Handshakes, Seen, bundle};
use crate::common::installed::{self, NAMESPACE, RELEASE, chart, upgrade};
use crate::common::workloads::guards;
use crate::common::{api, eventually, new_namespace, unguarded};
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case::{MARK, complete};

stories!(years_of_certificates_in_minutes_fail_no_call);

/// Runs it, and says what it saw.
async fn years_of_certificates_in_minutes_fail_no_call(lab: &Lab) -> Result<()> {
    let form = Form::wanted();
    let seconds = |life: Duration| format!("{}s", life.as_secs());
    let mut values = installed::values();
    values["drainSeconds"] = json!(1);
    values["tls"] =
        json!({"selfManaged": {"certificateLife": seconds(form.leaf), "authorityLife": seconds(form.authority)}});
    lab.install_chart(&chart(), RELEASE, NAMESPACE, &values).await?;
    let namespace = new_namespace(lab).await?;
    let client = lab.client();
    let ledger = json!({"kind": "StatefulSet", "metadata": {"name": "ledger", "labels": {MARK: "true"}}, "spec": {"replicas": 1}});
    let path = api::path("StatefulSet", &namespace, None);
    api::post(&client, &path, &complete(&ledger, &namespace), Some(&unguarded())).await?.success()?;
    let ahead = a_replica_that_is_a_day_ahead(lab).await?;

    let started = Instant::now();
    let counted = RefCell::new(Counted::default());
    let mut handshakes = Handshakes::new(client.clone(), form.leaf / 6);
    let over = tokio::select! {
        over = disturb(lab, &form, &counted) => over,
        over = load(&client, &namespace, &counted) => over,
        over = count_rotations(&client, &counted) => over,
        over = async { loop { handshakes.round().await?; sleep(Duration::from_millis(100)).await } } => over,
    };
    let (counted, seen) = (counted.into_inner(), handshakes.seen);
    eprintln!(
        "accelerated life, certificate {:?}, authority {:?}, {:?}: {} calls, {} failed ({} of them while a caBundle was wiped), {} handshakes with {} replicas ({}), {} failed, {} certificates, {} authorities; healed: {}",
        form.leaf,
        form.authority,
        started.elapsed(),
        counted.calls,
        counted.failed.len() + counted.while_wiped,
        counted.while_wiped,
        seen.verified,
        seen.replicas.len(),
        if ahead { "one a day ahead" } else { "none with a wrong clock: libfaketime is not installed" },
        seen.failed.len(),
        counted.leaves.len(),
        counted.authorities.len(),
        counted.healed.join(", "),
    );
    if let Err(error) = over.and_then(|()| as_promised(&form, &counted, &seen, ahead)) {
        bail!("{error:#}\n{}", what_replicas_say(lab));
    }
    if ahead {
        lab.kubectl(&["-n", NAMESPACE, "delete", "pod", AHEAD, "--wait=false"]).await?.success()?;
    }
    lab.helm(&["uninstall", RELEASE, "-n", NAMESPACE, "--wait"]).await?.success()?;
    ensure!(secret(&client).await?.is_none(), "the Secret is there after an uninstall");
    lab.install_chart(&chart(), RELEASE, NAMESPACE, &installed::values()).await?;
    Ok(())
}

fn as_promised(form: &Form, counted: &Counted, seen: &Seen, ahead: bool) -> Result<()> {
    ensure!(counted.failed.is_empty(), "calls failed: {:#?}", counted.failed);
    ensure!(seen.failed.is_empty(), "handshakes failed: {:#?}", seen.failed);
    ensure!(seen.replicas.len() == if ahead { 3 } else { 2 }, "not every replica was tried: {:?}", seen.replicas);
    ensure!(counted.leaves.len() >= form.leaves, "{} certificates, fewer than {}", counted.leaves.len(), form.leaves);
    ensure!(
        counted.authorities.len() >= form.authorities,
        "{} authorities, fewer than {}",
        counted.authorities.len(),
        form.authorities
    );
    Ok(())
}

/// What each replica has logged about certificates lately.
fn what_replicas_say(lab: &Lab) -> String {
    let mut said = String::new();
    for pod in guards(lab) {
        let output = lab.node().output(&pod, "guard");
        let lines: Vec<&str> =
            output.lines().filter(|line| line.contains("certificate") || line.contains("caBundle")).collect();
        let lately = lines.get(lines.len().saturating_sub(LATELY)..).unwrap_or_default();
        said.extend([pod.as_str(), ":\n", &lately.join("\n"), "\n"]);
    }
    said
}

/// How fast, how long, and what has to come of it.
struct Form {
    leaf: Duration,
    authority: Duration,
    lasts: Duration,
    leaves: usize,
    authorities: usize,
}

impl Form {
    fn wanted() -> Self {
        let seconds = Duration::from_secs;
        let minutes = std::env::var("LONG").ok().and_then(|minutes| minutes.parse().ok());
        match minutes.map(|minutes: u64| seconds(60 * if minutes == 1 { 60 } else { minutes })) {
            // A certificate each 80 s and an authority each 400 s at best; what is damaged may cost some.
            Some(lasts) => Self {
                leaf: seconds(120),
                authority: seconds(600),
                lasts,
                leaves: usize::try_from(lasts.as_secs() * 25 / 3600).unwrap_or_default(),
                authorities: usize::try_from(lasts.as_secs() * 5 / 3600).unwrap_or_default(),
            },
            // Half of that is the shortest life allowed, but leaves two seconds from the time at which a certificate is
            // due to its end: a busy machine takes longer to mend what is damaged here, and to look again.
            None => Self { leaf: seconds(12), authority: seconds(48), lasts: seconds(42), leaves: 4, authorities: 2 },
        }
    }
}

#[derive(Default)]
struct Counted {
    calls: u32,
    failed: Vec<String>,
    while_wiped: usize,
    wiped: bool,
    leaves: BTreeSet<String>,
    authorities: BTreeSet<String>,
    healed: Vec<String>,
}

/// Somebody scales the singleton up, thirty times a second.
async fn load(client: &Client, namespace: &str, counted: &RefCell<Counted>) -> Result<()> {
    let path = format!("{}/scale", api::path("StatefulSet", namespace, Some("ledger")));
    let mut ticks = interval(Duration::from_millis(33));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let wiped = counted.borrow().wiped;
        let answer = api::merge(client, &path, &json!({"spec": {"replicas": 3}}), None).await?;
        ensure!(!answer.succeeded(), "a scale above one was let through: {answer:?}");
        let mut counted = counted.borrow_mut();
        counted.calls += 1;
        if answer.message().starts_with("SG001") {
        } else if wiped || counted.wiped {
            counted.while_wiped += 1;
        } else {
            counted.failed.push(answer.message());
        }
    }
}

/// Counts what is stored.
async fn count_rotations(client: &Client, counted: &RefCell<Counted>) -> Result<()> {
    loop {
        if let Some(secret) = secret(client).await? {
            let mut counted = counted.borrow_mut();
            let value = |key: &str| Some(secret["data"][key].as_str()?.to_owned()).filter(|value| value.len() > 100);
            counted.leaves.extend(value("tls.crt"));
            counted.authorities.extend(value("ca.crt"));
        }
        sleep(Duration::from_millis(150)).await;
    }
}

/// One damage after the other, until the time is over.
async fn disturb(lab: &Lab, form: &Form, counted: &RefCell<Counted>) -> Result<()> {
    let client = lab.client();
    let end = Instant::now() + form.lasts;
    // The first rotations are left alone.
    let pause = form.lasts / 8;
    sleep(pause).await;
    for damage in [Damage::Corrupt, Damage::Wipe, Damage::Empty, Damage::Delete].into_iter().cycle() {
        if Instant::now() + pause > end {
            break;
        }
        let started = Instant::now();
        counted.borrow_mut().wiped = damage == Damage::Wipe;
        damage.cause(&client).await.with_context(|| format!("{damage:?}"))?;
        while !damage.is_healed(&client).await? {
            ensure!(started.elapsed() < HEALS_WITHIN, "{damage:?} is not healed after {HEALS_WITHIN:?}");
            sleep(Duration::from_millis(50)).await;
        }
        let healed = started.elapsed();
        // API servers learn of it a moment later.
        sleep(Duration::from_secs(1)).await;
        counted.borrow_mut().wiped = false;
        counted.borrow_mut().healed.push(format!("{damage:?} after {:.1} s", healed.as_secs_f64()));
        sleep(pause.saturating_sub(started.elapsed())).await;
    }
    sleep(end.saturating_duration_since(Instant::now())).await;
    // What was made again is taken over by the next upgrade.
    upgrade(lab, &["--reuse-values"]).await
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    Corrupt,
    Empty,
    Delete,
    Wipe,
}

impl Damage {
    async fn cause(self, client: &Client) -> Result<()> {
        let secret = format!("{SECRETS}/{RELEASE}-certificate");
        let merge = |body: Value| Some(("application/merge-patch+json", body.to_string()));
        match self {
            Self::Corrupt => {
                let body = json!({"data": {"tls.crt": STANDARD.encode("nothing that makes sense")}});
                api::call(client, Method::PATCH, &secret, merge(body), None).await?.success()?;
            }
            Self::Empty => {
                api::call(client, Method::PATCH, &secret, merge(json!({"data": null})), None).await?.success()?;
            }
            Self::Delete => {
                api::delete(client, &secret, None).await?.success()?;
            }
            Self::Wipe => {
                let path = format!("{CONFIGURATIONS}/{RELEASE}-scale");
                let configuration = api::read(client, &path).await?.success()?;
                let entries = configuration["webhooks"].as_array().map_or(0, Vec::len);
                let remove: Vec<Value> = (0..entries)
                    .map(|entry| json!({"op": "remove", "path": format!("/webhooks/{entry}/clientConfig/caBundle")}))
                    .collect();
                let body = Some(("application/json-patch+json", Value::from(remove).to_string()));
                api::call(client, Method::PATCH, &path, body, None).await?.success()?;
            }
        }
        Ok(())
    }

    async fn is_healed(self, client: &Client) -> Result<bool> {
        if self == Self::Wipe {
            return Ok(!bundle(client).await?.is_empty());
        }
        let secret = secret(client).await?.unwrap_or_default();
        let certificate = secret["data"]["tls.crt"].as_str().and_then(|value| STANDARD.decode(value).ok());
        Ok(certificate.is_some_and(|certificate| certificate.starts_with(b"-----BEGIN CERTIFICATE")))
    }
}

/// The Secret with the certificates.
async fn secret(client: &Client) -> Result<Option<Value>> {
    api::find(client, &format!("{SECRETS}/{RELEASE}-certificate")).await
}

/// One more Pod behind the Service, like the others but for its clock. False where libfaketime is not installed.
async fn a_replica_that_is_a_day_ahead(lab: &Lab) -> Result<bool> {
    if !Path::new(FAKETIME).exists() {
        return Ok(false);
    }
    let client = lab.client();
    let pods = format!("/api/v1/namespaces/{NAMESPACE}/pods");
    let like = api::list(&client, &pods).await?;
    // One that ends is of an older chart perhaps.
    let stays = |pod: &&Value| pod["metadata"].get("deletionTimestamp").is_none();
    let Some(like) = like.iter().find(stays) else { bail!("no Pod of ours") };
    let mut labels = like["metadata"]["labels"].clone();
    // Or its Deployment would adopt it.
    labels.as_object_mut().context("a Pod without labels")?.remove("pod-template-hash");
    let mut spec = like["spec"].clone();
    spec["nodeName"] = Value::Null;
    let container = &mut spec["containers"][0];
    // Only the wall clock is wrong.
    let monotonic = "FAKETIME_DONT_FAKE_MONOTONIC=1";
    let preload = format!("LD_PRELOAD={FAKETIME}");
    container["command"] = json!(["/usr/bin/env", preload, "FAKETIME=+1d", monotonic, "/singleton-guard"]);
    // It keeps its notes there.
    let mounts = container["volumeMounts"].as_array_mut().context("a container without mounts")?;
    mounts.push(json!({"name": "notes", "mountPath": "/dev/shm"}));
    let volumes = spec["volumes"].as_array_mut().context("a Pod without volumes")?;
    volumes.push(json!({"name": "notes", "emptyDir": {}}));
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": AHEAD, "labels": labels}, "spec": spec});
    api::post(&client, &pods, &pod, None).await?.success()?;
    eventually("the replica that is a day ahead to be ready", || async {
        let pod = api::read(&client, &format!("{pods}/{AHEAD}")).await?.success()?;
        let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
        Ok(conditions.iter().any(|it| it["type"] == "Ready" && it["status"] == "True").then_some(()))
    })
    .await
    .with_context(|| lab.node().output(&format!("{NAMESPACE}/{AHEAD}"), "guard"))?;
    // Its log tells the time that it believes in.
    let output = lab.node().output(&format!("{NAMESPACE}/{AHEAD}"), "guard");
    let tomorrow = time::OffsetDateTime::now_utc() + time::Duration::days(1);
    ensure!(output.contains(&tomorrow.date().to_string()), "its clock is not a day ahead: {output}");
    Ok(true)
}

const SECRETS: &str = "/api/v1/namespaces/singleton-guard/secrets";
const AHEAD: &str = "singleton-guard-ahead";
const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";
/// Lines.
const LATELY: usize = 60;
const HEALS_WITHIN: Duration = Duration::from_secs(60);
