//! Singletons of every kind with companions of every sort, as an earlier version made them, and clients that go by their
//! names.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Error, Result, anyhow, ensure};
use serde_json::{Value, json};

use crate::common::{api, eventually, new_namespace};
use crate::lab::Lab;
use crate::spec::case::{MARK, complete, with};

/// In a namespace for each kind.
pub struct Crowd<'a> {
    lab: &'a Lab,
    /// Kinds and their namespaces.
    pub places: Vec<(&'static str, String)>,
}

/// A Service, told by what must not change.
pub type Stand = BTreeMap<(String, String), Value>;

impl<'a> Crowd<'a> {
    /// Makes it, and waits until each has what it should have.
    pub async fn settle(lab: &'a Lab) -> Result<Self> {
        let mut crowd = Self { lab, places: Vec::new() };
        for kind in KINDS {
            let namespace = new_namespace(lab).await?;
            for sort in SORTS {
                if let Some(service) = theirs(sort) {
                    crowd.post("Service", &namespace, service).await?;
                }
                crowd.singleton(kind, &namespace, sort, wishes(kind, sort)).await?;
            }
            crowd.places.push((kind, namespace));
        }
        // One name for two.
        let [kind, other] = ["StatefulSet", "Deployment"];
        let namespace = crowd.place(kind)?;
        crowd.singleton(kind, namespace, "twin", json!({})).await?;
        crowd.singleton(other, namespace, "twin", json!({})).await?;
        for (kind, namespace) in &crowd.places {
            for sort in SORTS {
                let name = format!("{sort}-{}-singleton", kind.to_lowercase());
                let budget = || crowd.get("PodDisruptionBudget", namespace, &name);
                eventually(&format!("the budget {name} in {namespace}"), budget).await?;
            }
        }
        tokio::time::sleep(QUIET).await;
        Ok(crowd)
    }

    /// The namespace of a kind.
    pub fn place(&self, kind: &str) -> Result<&str> {
        let place = self.places.iter().find(|(of, _)| *of == kind);
        place.map(|(_, namespace)| namespace.as_str()).context("a kind without a namespace")
    }

    pub async fn singleton(&self, kind: &str, namespace: &str, name: &str, wishes: Value) -> Result<()> {
        let labels = json!({MARK: "true"});
        let strategy = if kind == "Deployment" { json!({"strategy": {"type": "Recreate"}}) } else { json!({}) };
        let spec = with(&json!({"replicas": 1}), strategy);
        let object = json!({"kind": kind, "metadata": {"name": name, "labels": labels}, "spec": spec});
        self.post(kind, namespace, complete(&with(&object, wishes), namespace)).await
    }

    /// All Services, each with its revision: whoever writes to one changes that. Only that of a strict singleton is written
    /// to, because it selects by the key now.
    pub async fn stand(&self) -> Result<Stand> {
        let services = self.list("Service").await?.into_iter().map(|service| {
            let of = |field: &str| service["metadata"][field].clone();
            let text = |field: &str| of(field).as_str().unwrap_or_default().to_owned();
            let revision = if of("name") == "strict" { Value::Null } else { of("resourceVersion") };
            ((text("namespace"), text("name")), json!([of("uid"), service["spec"]["clusterIP"], revision]))
        });
        Ok(services.collect())
    }

    /// What clients go by: every Service, and every Pod that a headless one gives a name. Waits until all of it resolves.
    pub async fn names(&self) -> Result<BTreeSet<String>> {
        let services = self.list("Service").await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut names = BTreeSet::new();
        for service in &services {
            let (name, namespace) = (text(&service["metadata"]["name"]), text(&service["metadata"]["namespace"]));
            names.insert(format!("{name}.{namespace}.svc.cluster.local"));
        }
        for pod in self.list("Pod").await? {
            let (name, namespace) = (text(&pod["metadata"]["name"]), text(&pod["metadata"]["namespace"]));
            let subdomain = text(&pod["spec"]["subdomain"]);
            let governs = |service: &&Value| {
                service["metadata"]["name"] == *subdomain
                    && service["metadata"]["namespace"] == *namespace
                    && service["spec"]["clusterIP"] == "None"
            };
            if services.iter().any(|service| governs(&service)) {
                names.insert(format!("{name}.{subdomain}.{namespace}.svc.cluster.local"));
            }
        }
        for name in &names {
            let resolves = || async { Ok((!self.lab.resolve(name).await?.is_empty()).then_some(())) };
            eventually(&format!("{name} to resolve"), resolves).await?;
        }
        Ok(names)
    }

    /// Does the work while clients resolve every name, over and over.
    ///
    /// # Errors
    /// The work's, or a name that did not resolve.
    pub async fn resolving(&self, names: &BTreeSet<String>, work: impl Future<Output = Result<()>>) -> Result<usize> {
        let mut asked = 0;
        tokio::select! {
            lost = self.first_lost(names, &mut asked) => return Err(lost),
            done = work => done?,
        }
        ensure!(asked > names.len() * 10, "nobody has asked for the names: {asked}");
        Ok(asked)
    }

    /// Asks for all of them, for as long as each is somebody.
    async fn first_lost(&self, names: &BTreeSet<String>, asked: &mut usize) -> Error {
        loop {
            for name in names {
                match self.lab.resolve(name).await {
                    Ok(addresses) if addresses.is_empty() => return anyhow!("{name} is nobody any more"),
                    Ok(_) => *asked += 1,
                    Err(error) => return error.context(name.clone()),
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn get(&self, kind: &str, namespace: &str, name: &str) -> Result<Option<Value>> {
        api::get(&self.lab.client(), kind, namespace, name).await
    }

    async fn post(&self, kind: &str, namespace: &str, object: Value) -> Result<()> {
        let answer = api::post(&self.lab.client(), &api::path(kind, namespace, None), &object, None).await?;
        answer.success().map(drop).with_context(|| object.to_string())
    }

    async fn list(&self, kind: &str) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        for (_, namespace) in &self.places {
            all.extend(api::list(&self.lab.client(), &api::path(kind, namespace, None)).await?);
        }
        Ok(all)
    }
}

/// What the workload asks for.
fn wishes(kind: &str, sort: &str) -> Value {
    let annotated =
        |key: &str, value: &str| json!({"metadata": {"annotations": {format!("singleton-guard.io/{key}"): value}}});
    match sort {
        "strict" => json!({"metadata": {"labels": {MARK: "strict"}}}),
        "named" => annotated("headless-service", "named-books"),
        "own-name" => annotated("headless-service", "own-name"),
        "none" => annotated("headless-service", "none"),
        "blocking" => annotated("disruption", "block"),
        "governed" if kind == "StatefulSet" => json!({"spec": {"serviceName": "governed-headless"}}),
        "theirs" if kind == "StatefulSet" => json!({"spec": {"serviceName": "theirs"}}),
        _ => json!({}),
    }
}

/// What the user brings himself.
fn theirs(sort: &str) -> Option<Value> {
    let (name, spec) = match sort {
        "fronted" => (sort, json!({})),
        "node-port" => (sort, json!({"type": "NodePort"})),
        "balanced" => ("balanced-front", json!({"type": "LoadBalancer"})),
        "theirs" => (sort, json!({"clusterIP": "None"})),
        _ => return None,
    };
    let base = json!({"ports": [{"port": 80, "targetPort": 8080}], "selector": {"app": sort}});
    Some(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": with(&base, spec)}))
}

const KINDS: [&str; 4] = ["StatefulSet", "ReplicaSet", "Deployment", "ReplicationController"];
/// With two of one name they are fifty.
const SORTS: [&str; 12] = [
    "plain",
    "strict",
    "named",
    "own-name",
    "none",
    "blocking",
    "governed",
    "fronted",
    "node-port",
    "balanced",
    "theirs",
    "0-books",
];
/// Longer than the guard waits for the rest of a manifest.
pub const QUIET: Duration = Duration::from_secs(4);
