//! What no webhook sees, because it sees one object at a time: objects of one set that contradict each other. Pure.
//!
//! What is said here refuses nothing. What the guard itself will say about its companions is not invented: it is the plan
//! that the guard makes ([`crate::companions::plan`]), made of the set.

mod companions;
mod conflicts;
mod effect;
mod singleton;
mod storage;
mod topic;

use std::collections::BTreeSet;

use serde_json::Value;

use super::finding::{At, Finding};
use super::manifest::Manifest;
use crate::api::kind::{Kind, PodNames, Resource};
use crate::settings::Settings;

use singleton::Singleton;
pub use topic::{TOPICS, Topic};

/// What is remembered of the objects seen so far.
#[derive(Debug, Default)]
pub struct Set {
    singletons: Vec<Singleton>,
    stateful: Vec<conflicts::Named>,
    companions: companions::Around,
    /// All workloads of our kinds, marked or not.
    workloads: BTreeSet<(String, Kind, String)>,
    storage: storage::Storage,
    /// What could be said at once.
    said: Vec<Finding>,
}

impl Set {
    /// Adds an object: as it is written, and as it would be stored where it was judged. Whether it is a singleton.
    pub fn add(
        &mut self,
        at: &At<'_, '_>,
        manifest: &Manifest<'_, '_>,
        resource: Resource,
        object: Option<&Value>,
        settings: &Settings,
    ) -> bool {
        self.said.extend(effect::of(at, manifest, resource, object, settings));
        self.companions.add(at, manifest);
        self.storage.add(at, manifest, resource, object, settings);
        let (Resource::Guarded(kind), Some(object)) = (resource, object) else { return false };
        self.workloads.insert((manifest.namespace.to_string(), kind, manifest.name.to_string()));
        if kind.info().pod_names == PodNames::Ordinal {
            self.stateful.extend(conflicts::Named::of(at, manifest, object, settings));
        }
        let singleton = Singleton::of(at, manifest, kind, object, settings, self.singletons.len());
        let is_singleton = singleton.is_some();
        self.singletons.extend(singleton);
        is_singleton
    }

    /// Whether a workload is a singleton; nothing where it is not among the objects.
    #[must_use]
    pub fn is_singleton(&self, namespace: &str, kind: Kind, name: &str) -> Option<bool> {
        let is_there = self.workloads.contains(&(namespace.to_owned(), kind, name.to_owned()));
        let is_it = |it: &Singleton| it.kind == kind && it.subject.namespace == namespace && it.subject.name == name;
        is_there.then(|| self.singletons.iter().any(is_it))
    }

    /// What is said of all of them.
    #[must_use]
    pub fn findings(mut self, settings: &Settings) -> Vec<Finding> {
        let mut findings = std::mem::take(&mut self.said);
        findings.extend(conflicts::shared_keys(&self.singletons));
        findings.extend(conflicts::shared_service_names(&self.stateful));
        findings.extend(self.companions.findings(&self.singletons, settings));
        findings.extend(self.storage.findings());
        findings
    }
}
