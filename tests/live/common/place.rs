//! A namespace to try companions in, and chance.

use anyhow::Result;
use http::Method;
use proptest::prelude::Rng as _;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::{Value, json};

use crate::common::api::{self, Answer};
use crate::common::{eventually, new_namespace};
use crate::lab::Lab;
use crate::spec::case::{MARK, User, complete, with};

/// A namespace of its own.
pub struct Place<'a> {
    pub lab: &'a Lab,
    pub namespace: String,
}

impl<'a> Place<'a> {
    pub async fn new(lab: &'a Lab) -> Result<Self> {
        Ok(Self { lab, namespace: new_namespace(lab).await? })
    }

    /// A marked workload with one replica.
    pub async fn create(&self, kind: &str, name: &str, overlay: Value) -> Result<Value> {
        let base = json!({"kind": kind, "metadata": {"name": name, "labels": {MARK: "true"}}, "spec": {"replicas": 1}});
        self.make(complete(&with(&base, overlay), &self.namespace)).await
    }

    pub async fn make(&self, object: Value) -> Result<Value> {
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        api::post(&self.lab.client(), &self.path(&kind, None), &object, None).await?.success()
    }

    pub async fn patch(&self, kind: &str, name: &str, body: Value) -> Result<Value> {
        api::merge(&self.lab.client(), &self.path(kind, Some(name)), &body, None).await?.success()
    }

    pub async fn annotate(&self, kind: &str, name: &str, annotations: Value) -> Result<Value> {
        self.patch(kind, name, json!({"metadata": {"annotations": annotations}})).await
    }

    pub async fn delete(&self, kind: &str, name: &str) -> Result<()> {
        // Said, because for a ReplicationController the API server's own default is to orphan.
        let options = Some(("application/json", json!({"propagationPolicy": "Background"}).to_string()));
        let path = self.path(kind, Some(name));
        api::call(&self.lab.client(), Method::DELETE, &path, options, None).await?.success().map(drop)
    }

    /// Asks for the eviction of a Pod.
    pub async fn evict(&self, pod: &str, options: &Value, user: Option<&User>) -> Result<Answer> {
        let eviction = json!({
            "apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": self.namespace},
            "deleteOptions": options,
        });
        let path = format!("{}/eviction", self.path("Pod", Some(pod)));
        api::post(&self.lab.client(), &path, &eviction, user).await
    }

    pub async fn get(&self, kind: &str, name: &str) -> Result<Option<Value>> {
        api::find(&self.lab.client(), &self.path(kind, Some(name))).await
    }

    pub async fn list(&self, kind: &str) -> Result<Vec<Value>> {
        api::list(&self.lab.client(), &self.path(kind, None)).await
    }

    /// The list itself, with its revision.
    pub async fn collection(&self, kind: &str) -> Result<Value> {
        api::read(&self.lab.client(), &self.path(kind, None)).await?.success()
    }

    pub async fn sets(&self) -> Result<Vec<Value>> {
        self.list("ReplicaSet").await
    }

    /// Waits for the Service.
    pub async fn service(&self, name: &str) -> Result<Value> {
        eventually(&format!("Service {name} in {}", self.namespace), || self.get("Service", name)).await
    }

    /// Waits for the budget.
    pub async fn budget(&self, name: &str) -> Result<Value> {
        eventually(&format!("PodDisruptionBudget {name} in {}", self.namespace), || {
            self.get("PodDisruptionBudget", name)
        })
        .await
    }

    /// The notes of the Events with this reason.
    pub async fn events(&self, reason: &str) -> Result<Vec<String>> {
        let events = self.list("Event").await?;
        let about = events.iter().filter(|event| event["reason"] == reason);
        Ok(about.map(|event| event["note"].as_str().unwrap_or_default().to_owned()).collect())
    }

    /// The writes of companions' controllers in the audit log, with their answers; Events apart. Since the namespace
    /// began to go, if it does.
    pub fn writes(&self) -> Result<Vec<String>> {
        let log = std::fs::read_to_string(self.lab.logs().join("audit.log"))?;
        let entries = log.lines().filter(|line| line.contains(&self.namespace));
        let entries: Vec<Value> = entries.filter_map(|line| serde_json::from_str(line).ok()).collect();
        let done = |entry: &&Value| entry["stage"] == "ResponseComplete";
        let deleted = entries.iter().filter(done).position(|entry| {
            entry["verb"] == "delete"
                && entry["objectRef"]["resource"] == "namespaces"
                && entry["objectRef"]["name"] == self.namespace.as_str()
        });
        let manager =
            |uri: &str| uri.split_once("fieldManager=").is_some_and(|(_, name)| name.ends_with("-companions"));
        let ours = |entry: &&Value| {
            entry["objectRef"]["namespace"] == self.namespace.as_str()
                && entry["requestURI"].as_str().is_some_and(manager)
        };
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let tried = entries.iter().filter(done).skip(deleted.unwrap_or(0)).filter(ours);
        Ok(tried
            .map(|entry| {
                let [resource, name] = ["resource", "name"].map(|field| text(&entry["objectRef"][field]));
                let [at, verb] = ["stageTimestamp", "verb"].map(|field| text(&entry[field]));
                format!("{at} {verb} {resource}/{name} {}", entry["responseStatus"]["code"])
            })
            .collect())
    }

    /// A command of kubectl in this namespace, which must succeed.
    pub async fn kubectl(&self, arguments: &[&str], input: &str) -> Result<()> {
        let arguments = [&["-n", &self.namespace], arguments].concat();
        self.lab.kubectl_with_input(&arguments, input).await?.success().map(drop)
    }

    pub async fn until(&self, what: &str, probe: impl AsyncFn() -> Result<bool>) -> Result<()> {
        eventually(&format!("{what} in {}", self.namespace), || async { Ok(probe().await?.then_some(())) }).await
    }

    pub fn path(&self, kind: &str, name: Option<&str>) -> String {
        api::path(kind, &self.namespace, name)
    }
}

/// The name of our Service, where nobody has named it.
pub fn service_name(workload: &str) -> String {
    format!("{workload}-singleton")
}

/// The name of our budget.
pub fn budget_name(workload: &str, kind: &str) -> String {
    format!("{workload}-{}-singleton", kind.to_lowercase())
}

/// Where chance comes from.
pub fn chance() -> TestRunner {
    TestRunner::new(Config { rng_seed: RngSeed::Random, ..Config::default() })
}

/// A number below another.
pub fn pick(chance: &mut TestRunner, below: usize) -> usize {
    usize::try_from(chance.rng().next_u32()).unwrap_or_default() % below
}

/// `minAvailable` of a budget that blocks whatever Pods there are.
pub const MORE_THAN_ALL: i32 = i32::MAX;
/// The kinds that have companions.
pub const KINDS: [&str; 4] = ["StatefulSet", "ReplicaSet", "Deployment", "ReplicationController"];
