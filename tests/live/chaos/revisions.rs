//! The checker of revisions: replays every change of a Pod in the order of etcd's revisions, and counts the Pods of each
//! identity after each. Pure: somebody else watches.
//!
//! Nothing may be missing. A revision that does not grow, a change of a Pod that was never seen, a second creation of one
//! that is there, an end of the watch with an error (410 too): each fails the run. What a watch hides otherwise shows in
//! the comparison with a list.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context as _, Result, bail, ensure};
use kube::api::WatchEvent;
use serde::Deserialize;
use singleton_guard::api::key::KEY;

use super::count::{Count, Identity};

/// A Pod, as far as it is looked at.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Pod {
    pub metadata: Metadata,
    spec: Spec,
    status: Status,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata {
    pub namespace: String,
    pub name: String,
    uid: String,
    resource_version: String,
    labels: BTreeMap<String, String>,
    deletion_timestamp: Option<String>,
    deletion_grace_period_seconds: Option<i64>,
    pub owner_references: Vec<serde_json::Value>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    node_name: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Status {
    phase: String,
    conditions: Vec<Condition>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Condition {
    #[serde(rename = "type")]
    type_: String,
    status: String,
}

/// A list of them.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Pods {
    pub metadata: ListMetadata,
    #[serde(default)]
    pub items: Vec<Pod>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ListMetadata {
    pub resource_version: String,
}

/// The picture after the last revision that was seen.
#[derive(Debug)]
pub struct Revisions {
    prefix: String,
    revision: u64,
    pods: HashMap<String, (u64, Identity, Pod)>,
    /// The uid of every Pod that was ever bound, by its node.
    bound: HashMap<String, Vec<String>>,
    pub count: Count,
    /// Why nothing more can be said.
    pub broken: Option<String>,
}

impl Revisions {
    /// Of the namespaces whose names begin with `prefix`, in which there is no Pod at this revision.
    pub fn after(revision: u64, prefix: &str) -> Self {
        let (pods, bound) = (HashMap::new(), HashMap::new());
        Self { prefix: prefix.to_owned(), revision, pods, bound, count: Count::default(), broken: None }
    }

    /// Where a watch goes on.
    pub const fn revision(&self) -> u64 {
        self.revision
    }

    /// The next revision.
    pub fn apply(&mut self, event: WatchEvent<Pod>) -> Result<()> {
        let (pod, form) = match event {
            WatchEvent::Added(pod) => (pod, Form::Added),
            WatchEvent::Modified(pod) => (pod, Form::Modified),
            WatchEvent::Deleted(pod) => (pod, Form::Deleted),
            WatchEvent::Bookmark(_) => return Ok(()),
            WatchEvent::Error(status) => bail!("the watch broke: {} {}", status.code, status.message),
        };
        let Metadata { namespace, name, uid, .. } = &pod.metadata;
        let revision = revision(&pod.metadata.resource_version)?;
        ensure!(revision > self.revision, "the watch went from revision {} to {revision}", self.revision);
        self.revision = revision;
        if !namespace.starts_with(&self.prefix) {
            return Ok(());
        }
        let was_bound = self.pods.get(uid).is_some_and(|(.., before)| before.is_bound());
        if pod.is_bound() && !was_bound {
            self.bound.entry(pod.spec.node_name.clone()).or_default().push(uid.clone());
        }
        let at = format!("revision {revision}");
        let before = self.pods.get(uid).map(|(_, identity, before)| (identity.clone(), before.news(None)));
        match (form, before) {
            (Form::Added, None) => {
                let identity = identity(&pod);
                self.count.begin(&at, &identity, uid, name);
                self.pods.insert(uid.clone(), (revision, identity, pod));
            }
            (Form::Modified, Some((identity, before))) => {
                if let Some(news) = Some(pod.news(None)).filter(|news| *news != before) {
                    self.count.change(&at, uid, &news);
                }
                // The first identity is the one for life, whatever becomes of the labels.
                self.pods.insert(uid.clone(), (revision, identity, pod));
            }
            (Form::Deleted, Some(_)) => {
                self.count.end(&at, uid, &pod.news(Some("gone")));
                self.pods.remove(uid);
            }
            (form, before) => {
                let known = if before.is_some() { "there already" } else { "never seen" };
                bail!("a gap: at {at} Pod {namespace}/{name} ({uid}) is {form:?}, and was {known}");
            }
        }
        Ok(())
    }

    /// What differs from what the API server lists, if something does.
    pub fn differs_from(&self, list: &Pods) -> Result<Option<String>> {
        let ours = list.items.iter().filter(|pod| pod.metadata.namespace.starts_with(&self.prefix));
        let listed: HashMap<&str, u64> = ours
            .map(|pod| Ok((pod.metadata.uid.as_str(), revision(&pod.metadata.resource_version)?)))
            .collect::<Result<_>>()?;
        let seen: HashMap<&str, u64> = self.pods.iter().map(|(uid, (at, ..))| (uid.as_str(), *at)).collect();
        Ok((listed != seen).then(|| format!("listed {listed:?}, seen {seen:?}")))
    }

    /// The Pods that were ever bound to a node, by uid.
    pub fn given_to(&self, node: &str) -> Vec<String> {
        self.bound.get(node).cloned().unwrap_or_default()
    }

    /// The Pods that are there.
    pub fn pods(&self) -> impl Iterator<Item = (&Identity, &Pod)> {
        self.pods.values().map(|(_, identity, pod)| (identity, pod))
    }
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Added,
    Modified,
    Deleted,
}

impl Pod {
    /// Whether it serves, and is not asked to end.
    pub fn is_ready(&self) -> bool {
        self.metadata.deletion_timestamp.is_none() && self.has("Ready")
    }

    /// Whether a condition of this type holds.
    fn has(&self, condition: &str) -> bool {
        self.status.conditions.iter().any(|it| it.type_ == condition && it.status == "True")
    }

    /// Whether a node has it.
    pub fn is_bound(&self) -> bool {
        !self.spec.node_name.is_empty()
    }

    /// What there is to say of it, or of its end.
    pub fn news(&self, end: Option<&str>) -> String {
        let Metadata { deletion_timestamp, deletion_grace_period_seconds: grace, .. } = &self.metadata;
        let within = grace.map(|grace| format!(" within {grace} s")).unwrap_or_default();
        let asked = deletion_timestamp.as_ref().map(|_| format!(", asked to end{within}")).unwrap_or_default();
        let ready = if self.is_ready() { ", ready" } else { "" };
        let disrupted = if self.has("DisruptionTarget") { ", disrupted" } else { "" };
        format!(
            "{}{} on {:?}{ready}{disrupted}{asked}",
            end.map(|it| format!("{it}, was ")).unwrap_or_default(),
            self.status.phase,
            self.spec.node_name
        )
    }
}

/// The key of a strict Pod; for any other what its workload calls it, so that those can be counted too.
fn identity(pod: &Pod) -> Identity {
    let Metadata { namespace, name, labels, .. } = &pod.metadata;
    let key = labels.get(KEY).or_else(|| labels.get("app")).unwrap_or(name);
    Identity { namespace: namespace.clone(), key: key.clone() }
}

/// A resourceVersion as the number that it may be compared as (KEP-5504).
pub fn revision(text: &str) -> Result<u64> {
    text.parse().with_context(|| format!("the resourceVersion {text:?} is no number"))
}
