//! Events on the workload (`events.k8s.io/v1`): what was made, what was not and why, what is open.
//!
//! An Event's name follows from what it says, so two replicas that say the same make one Event, and what is repeated
//! counts up in it.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use http::Method;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use serde_json::json;

use super::FIELD_MANAGER;
use super::call::{CallError, call};
use crate::policy::kind::Kind;

/// Who an Event is about.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) kind: Kind,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) uid: String,
}

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Saying {
    /// One word, as `kubectl describe` shows it.
    pub(super) reason: &'static str,
    /// One line for people.
    pub(super) note: String,
    /// Whether somebody should look.
    pub(super) is_warning: bool,
    /// Whether it is a state rather than something that happened: then it does not count up.
    pub(super) is_state: bool,
}

/// Says things.
pub(super) struct Voice {
    client: Client,
    instance: String,
    counts: Mutex<HashMap<String, u32>>,
}

impl Voice {
    /// `instance` names this replica.
    pub(super) fn new(client: Client, instance: String) -> Self {
        Self { client, instance, counts: Mutex::default() }
    }

    /// An Event that cannot be written is only a line in the log: nothing depends on it.
    pub(super) async fn say(&self, about: &About, saying: &Saying) {
        let About { namespace, name, .. } = about;
        tracing::info!(namespace, name, reason = saying.reason, note = saying.note, "companions");
        match self.publish(about, saying).await {
            Ok(()) | Err(CallError::Terminating | CallError::NotFound) => {}
            Err(error) => tracing::warn!(namespace, name, cause = %error, "cannot write an Event"),
        }
    }

    async fn publish(&self, about: &About, saying: &Saying) -> Result<(), CallError> {
        let name = event_name(about, saying);
        let count = self.count(&name);
        let info = about.kind.info();
        let group = if info.group.is_empty() { String::new() } else { format!("{}/", info.group) };
        let now = MicroTime(Timestamp::now());
        let event = json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": about.namespace},
            "eventTime": now,
            "reportingController": REPORTER,
            "reportingInstance": self.instance,
            "action": "KeepCompanions",
            "reason": saying.reason,
            "type": if saying.is_warning { "Warning" } else { "Normal" },
            "note": saying.note.chars().take(NOTE_MAX).collect::<String>(),
            "regarding": {
                "apiVersion": format!("{group}{}", info.version),
                "kind": info.name,
                "namespace": about.namespace,
                "name": about.name,
                "uid": about.uid,
            },
        });
        let collection = format!("/apis/events.k8s.io/v1/namespaces/{}/events", about.namespace);
        let path = format!("{collection}?fieldManager={FIELD_MANAGER}");
        match call(&self.client, Method::POST, &path, Some(("application/json", &event))).await {
            Err(CallError::Exists) if saying.is_state => Ok(()),
            Err(CallError::Exists) => {
                let series = json!({"series": {"count": count.max(2), "lastObservedTime": now}});
                let path = format!("{collection}/{name}?fieldManager={FIELD_MANAGER}");
                call(&self.client, Method::PATCH, &path, Some(("application/merge-patch+json", &series)))
                    .await
                    .map(drop)
            }
            other => other.map(drop),
        }
    }

    /// How often this replica has said it.
    fn count(&self, name: &str) -> u32 {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        // Events live for an hour; a table that only grows would not end.
        if counts.len() >= COUNTS_MAX {
            counts.clear();
        }
        let count = counts.entry(name.to_owned()).or_default();
        *count = count.saturating_add(1);
        *count
    }
}

/// The workload's name as far as it fits, and a hash of all that is said.
fn event_name(about: &About, saying: &Saying) -> String {
    let mut hasher = DefaultHasher::new();
    (&about.uid, saying.reason, &saying.note).hash(&mut hasher);
    let kept: String = about.name.chars().take(WORKLOAD_NAME_MAX).collect();
    format!("{}.{:016x}", kept.trim_end_matches(['-', '.']), hasher.finish())
}

const REPORTER: &str = "singleton-guard.io/companions";
/// `Event.note` of `events.k8s.io/v1`: at most 1 kB.
const NOTE_MAX: usize = 1000;
/// A DNS subdomain, less a dot and 16 digits.
const WORKLOAD_NAME_MAX: usize = 230;
const COUNTS_MAX: usize = 4096;
