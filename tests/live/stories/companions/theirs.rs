//! What people and charts do after the README's own example: a Service of the workload's name. Nothing of ours is in its
//! way, whoever was first, and what they make stays theirs.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use crate::common::place::{Place, budget_name};
use crate::harness::stories;
use crate::lab::Lab;

stories!(a_service_of_the_workloads_name_is_never_ours, a_service_can_be_replaced_by_force);

/// By every usual way, for a Deployment and for a StatefulSet that names no Service.
async fn a_service_of_the_workloads_name_is_never_ours(lab: &Lab) -> Result<()> {
    let all = ["Deployment", "StatefulSet"].into_iter().flat_map(|kind| WAYS.map(|way| (kind, way)));
    let told = all.map(|(kind, way)| async move {
        let place = Place::new(lab).await?;
        place.create(kind, NAME, json!({})).await?;
        let ours = place.service(OURS).await?;
        place.budget(&budget_name(NAME, kind)).await?;
        let made = async {
            way.make(&place, kind).await?;
            let theirs = stays_theirs(&place).await?;
            ensure!(theirs["spec"]["type"] == way.wanted(), "{theirs}");
            let now = place.service(OURS).await?;
            ensure!(now["metadata"]["uid"] == ours["metadata"]["uid"], "clients of ours have lost it: {now}");
            Ok(())
        };
        made.await.with_context(|| format!("{kind}, {way:?}"))
    });
    try_join_all(told).await.map(drop)
}

/// A Service that was theirs all along, with an address and ports of its own, is deleted and made anew at once.
async fn a_service_can_be_replaced_by_force(lab: &Lab) -> Result<()> {
    let told = ["Deployment", "StatefulSet"].into_iter().map(|kind| async move {
        let place = Place::new(lab).await?;
        place.create(kind, NAME, json!({})).await?;
        place.kubectl(&["create", "-f", "-"], &service("ClusterIP")).await?;
        place.budget(&budget_name(NAME, kind)).await?;
        tokio::time::sleep(Duration::from_secs(3)).await;
        for _ in 0..TIMES {
            place.kubectl(&["replace", "--force", "--timeout=20s", "-f", "-"], &service("ClusterIP")).await?;
            stays_theirs(&place).await.with_context(|| kind.to_owned())?;
        }
        anyhow::Ok(())
    });
    try_join_all(told).await.map(drop)
}

/// A way to a Service of the workload's name.
#[derive(Debug, Clone, Copy)]
enum Way {
    Expose,
    Create,
    Apply(&'static str),
    ServerSide(&'static str),
    /// A later version of the chart that brought the workload.
    Chart,
}

impl Way {
    const fn wanted(self) -> &'static str {
        match self {
            Self::Apply(wanted) | Self::ServerSide(wanted) => wanted,
            Self::Expose | Self::Create | Self::Chart => "ClusterIP",
        }
    }

    async fn make(self, place: &Place<'_>, kind: &str) -> Result<()> {
        match self {
            // kubectl exposes no StatefulSet.
            Self::Expose if kind == "Deployment" => {
                place.kubectl(&["expose", "deployment", NAME, "--port=80", "--target-port=8080"], "").await
            }
            Self::Expose | Self::Create => {
                place.kubectl(&["create", "service", "clusterip", NAME, "--tcp=80:8080"], "").await
            }
            Self::Apply(wanted) => place.kubectl(&["apply", "-f", "-"], &service(wanted)).await,
            Self::ServerSide(wanted) => place.kubectl(&["apply", "--server-side", "-f", "-"], &service(wanted)).await,
            Self::Chart => {
                let chart = Chart::make(&place.namespace)?;
                let directory = chart.0.display().to_string();
                let upgrade = ["upgrade", "--install", NAME, &directory, "-n", &place.namespace];
                place.lab.helm(&[&upgrade[..], &["--set", "service=false"]].concat()).await?.success()?;
                place.lab.helm(&[&upgrade[..], &["--set", "service=true"]].concat()).await?.success().map(drop)
            }
        }
    }
}

/// It is what they wrote, and after a while still is.
async fn stays_theirs(place: &Place<'_>) -> Result<Value> {
    let mut seen = Value::Null;
    for _ in 0..3 {
        let theirs = place.get("Service", NAME).await?.context("their Service is gone")?;
        let port = &theirs["spec"]["ports"][0];
        ensure!(port["port"] == 80 && port["targetPort"] == 8080, "{theirs}");
        ensure!(theirs["spec"]["clusterIP"] != "None", "it has no address: {theirs}");
        ensure!(theirs["metadata"].get("ownerReferences").is_none(), "it goes with the workload: {theirs}");
        let managed = &theirs["metadata"]["labels"]["app.kubernetes.io/managed-by"];
        ensure!(*managed != "singleton-guard", "{theirs}");
        seen = theirs;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    Ok(seen)
}

fn service(wanted: &str) -> String {
    let ports = json!([{"port": 80, "targetPort": 8080}]);
    let spec = json!({"type": wanted, "ports": ports, "selector": {"app": NAME}});
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME}, "spec": spec}).to_string()
}

/// A chart of theirs, in a directory that goes with it.
struct Chart(PathBuf);

impl Chart {
    fn make(name: &str) -> Result<Self> {
        let chart = Self(std::env::temp_dir().join(format!("{name}-chart-{}", std::process::id())));
        fs::create_dir_all(chart.0.join("templates"))?;
        fs::write(chart.0.join("Chart.yaml"), "{apiVersion: v2, name: theirs, version: 1.0.0}\n")?;
        fs::write(chart.0.join("values.yaml"), "service: true\n")?;
        let service = service("ClusterIP");
        fs::write(
            chart.0.join("templates/service.yaml"),
            format!("{{{{ if .Values.service }}}}\n{service}\n{{{{ end }}}}\n"),
        )?;
        let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs"}});
        fs::write(chart.0.join("templates/map.yaml"), map.to_string())?;
        Ok(chart)
    }
}

impl Drop for Chart {
    fn drop(&mut self) {
        let _gone_or_not = fs::remove_dir_all(&self.0);
    }
}

const WAYS: [Way; 8] = [
    Way::Expose,
    Way::Create,
    Way::Apply("ClusterIP"),
    Way::Apply("NodePort"),
    Way::Apply("LoadBalancer"),
    Way::ServerSide("ClusterIP"),
    Way::ServerSide("NodePort"),
    Way::Chart,
];
const NAME: &str = "front";
/// The Service of ours.
const OURS: &str = "front-singleton";
const TIMES: usize = 4;
