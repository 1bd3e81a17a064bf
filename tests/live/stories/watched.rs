//! What the alerts and the dashboard ask for exists: a real Prometheus scrapes real replicas and the real API server, and
//! answers each query with series that carry the labels that are shown.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::common::installed::NAMESPACE;
use crate::common::prometheus::Prometheus;
use crate::common::{api, eventually, new_namespace, on_path, promtool};
use crate::harness::left_out::LeftOut;
use crate::harness::stories;
use crate::lab::Lab;
use crate::spec::case;
use crate::stories::operations::get;
use crate::stories::{outage, queries};

stories!(Alone: every_query_is_answered);

/// Every query has an answer, but for those that have none for a reason.
async fn every_query_is_answered(lab: &Lab) -> Result<()> {
    let queries = queries::queries(Path::new(env!("CARGO_MANIFEST_DIR"))).map_err(anyhow::Error::msg)?;
    ensure!(queries.len() > 35, "only {} queries were found", queries.len());
    for (place, _) in UNANSWERED {
        ensure!(queries.iter().any(|query| query.place == place), "nothing is asked at {place}");
    }
    let [promtool, program] = ["promtool", "prometheus"].map(on_path);
    let (promtool, program) = promtool.zip(program).ok_or_else(|| LeftOut(promtool::NO_PROMETHEUS.to_owned()))?;
    let pods = pods(lab).await?;
    let prometheus = Prometheus::start(lab, &program, &pods)?;
    eventually("Prometheus to scrape the API server and two replicas", || async {
        Ok((prometheus.ask("up == 1").await?.len() == 3).then_some(()))
    })
    .await?;
    work(lab).await?;
    fail_open(lab, &prometheus).await?;
    // Some things are counted in an outage alone.
    outage::with_every_replica_dead_scaling_up_waits(lab).await?;
    outage::without_its_rights_it_says_so(lab).await?;
    work(lab).await?;
    let waited = eventually("an answer to every query", || async {
        Ok(faults_of(&prometheus, &queries).await?.is_empty().then_some(()))
    })
    .await;
    let faults = faults_of(&prometheus, &queries).await?;
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    waited?;
    let scraped = prometheus.ask("up{job=\"singleton-guard\"} == 1").await?;
    ensure!(scraped.len() == 2, "two replicas are scraped: {scraped:?}");
    for (pod, address) in &pods {
        // To whom names no form.
        let answer = get(address, "/metrics").await?;
        let (head, text) = answer.split_once("\r\n\r\n").context("an answer without a head")?;
        ensure!(head.contains("content-type: text/plain; version=0.0.4"), "{pod}: {head}");
        promtool::well_formed(&promtool, text)?;
    }
    prometheus.stop().await
}

/// What is wrong with the answers.
async fn faults_of(prometheus: &Prometheus, queries: &[queries::Query]) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for query in queries {
        let series = prometheus.ask(&query.expression).await?;
        let reason = UNANSWERED.iter().find(|(place, _)| *place == query.place).map(|(_, reason)| reason);
        if let Some(reason) = reason {
            if !series.is_empty() {
                faults.push(format!("{} is answered, although {reason}: {series:?}", query.place));
            }
            continue;
        }
        if series.is_empty() {
            faults.push(format!("{} is not answered: {}", query.place, query.expression));
        }
        for label in &query.labels {
            if !series.is_empty() && !series.iter().any(|series| series[label].is_string()) {
                faults.push(format!("{} shows the label {label}, which is not in {series:?}", query.place));
            }
        }
    }
    Ok(faults)
}

/// The names of our Pods, and the addresses of their operations ports.
async fn pods(lab: &Lab) -> Result<Vec<(String, String)>> {
    let pods = format!("/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app.kubernetes.io/component=webhook");
    let pods = api::list(&lab.client(), &pods).await?;
    let of = |pod: &Value| {
        let name = pod["metadata"]["name"].as_str()?.to_owned();
        Some((name, format!("{}:8080", pod["status"]["podIP"].as_str()?)))
    };
    pods.iter().map(|pod| of(pod).context("a Pod without an address")).collect()
}

/// A singleton is made, gets its companions, and is refused a second copy.
async fn work(lab: &Lab) -> Result<()> {
    let namespace = new_namespace(lab).await?;
    let image = "--image=registry.k8s.io/pause:3.10";
    let key = format!("{}=true", case::MARK);
    lab.kubectl(&["-n", &namespace, "create", "deployment", "only-one", image]).await?.success()?;
    lab.kubectl(&["-n", &namespace, "label", "deployment", "only-one", &key]).await?.success()?;
    eventually("the companions to be made", || async {
        let done = lab.kubectl(&["-n", &namespace, "get", "pdb", "only-one-deployment-singleton"]).await?;
        Ok(done.succeeded().then_some(()))
    })
    .await?;
    let refused = lab.kubectl(&["-n", &namespace, "scale", "deployment", "only-one", "--replicas=2"]).await?;
    ensure!(refused.stderr.contains("SG001"), "{refused:?}");
    Ok(())
}

/// A validating webhook of our name that is Ignore and not there: what `failurePolicy: Ignore` makes of an outage.
async fn fail_open(lab: &Lab, prometheus: &Prometheus) -> Result<()> {
    let namespace = new_namespace(lab).await?;
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "nobody"},
        "webhooks": [{
            "name": "nobody.singleton-guard.io",
            // The discard port.
            "clientConfig": {"url": "https://127.0.0.1:9/"},
            "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Ignore",
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
        }],
    });
    lab.kubectl_with_input(&["apply", "-f", "-"], &configuration.to_string()).await?.success()?;
    let counted = eventually("the API server to count a call that fails open", || async {
        lab.kubectl(&["-n", &namespace, "create", "configmap", "x", "--dry-run=server"]).await?.success()?;
        let counted = "apiserver_admission_webhook_fail_open_count{name=\"nobody.singleton-guard.io\"}";
        Ok(prometheus.ask(counted).await?.pop().map(drop))
    })
    .await;
    lab.kubectl(&["delete", "validatingwebhookconfiguration", "nobody"]).await?.success()?;
    counted
}

/// What is asked, and has no answer here.
const UNANSWERED: [(&str, &str); 5] = [
    ("SingletonGuardDown, part 1", "replicas are ready"),
    ("SingletonGuardDown, part 2", "there is no kube-state-metrics in the lab"),
    ("SingletonGuardDown, part 3", "replicas are scraped"),
    ("SingletonGuardFailedOpen, part 2", "this Prometheus has seen nothing from ten minutes ago"),
    ("SingletonGuardRejectedByOutage, part 2", "this Prometheus has seen nothing from ten minutes ago"),
];
