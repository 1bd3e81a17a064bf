//! Saying something about an object. An Event's name follows from what it says, so replicas that say the same make one
//! Event, and what is repeated counts up in its series.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::Method;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};

use crate::api::reference::Regarding;
use crate::cluster::call::{CallError, call};

/// What an Event says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Saying {
    /// One word, as `kubectl describe` shows it.
    pub reason: &'static str,
    /// One line for people.
    pub note: String,
    /// Whether somebody should look.
    pub is_warning: bool,
    /// Whether it is a state rather than something that happened: then it does not count up.
    pub is_state: bool,
}

/// One part of this process, speaking.
#[derive(Clone)]
pub struct Voice {
    client: Client,
    controller: &'static str,
    action: &'static str,
    instance: String,
    /// Whether it was said that the right to write Events is missing.
    mute: Arc<AtomicBool>,
}

impl Voice {
    /// `controller` and `action` are the Events' `reportingController` and `action`; `instance` names this replica.
    #[must_use]
    pub fn new(client: Client, controller: &'static str, action: &'static str, instance: String) -> Self {
        Self { client, controller, action, instance, mute: Arc::default() }
    }

    /// Says it once. A failure is only a line in the log.
    pub async fn say(&self, about: &Regarding, saying: &Saying) {
        if let Err(error) = self.publish(about, saying, 1).await {
            self.failed(about, &error);
        }
    }

    /// A line in the log about an Event that could not be written; about a missing right only one.
    pub(crate) fn failed(&self, about: &Regarding, error: &CallError) {
        let Regarding { namespace, name, .. } = about;
        match error {
            // The object goes, and what there is to say about it goes with it.
            CallError::Terminating | CallError::NotFound => {}
            CallError::Forbidden(cause) => {
                if !self.mute.swap(true, Ordering::Relaxed) {
                    tracing::error!(cause, rule = RULE, "a right is missing; without this rule there are no Events");
                }
            }
            error => tracing::warn!(namespace, name, cause = %error, "cannot write an Event"),
        }
    }

    /// Says it as something that has happened so many times.
    ///
    /// # Errors
    /// What the API server, or the way to it, has against it.
    pub(crate) async fn publish(&self, about: &Regarding, saying: &Saying, times: u32) -> Result<(), CallError> {
        let name = event_name(about, saying);
        let collection = format!("/apis/events.k8s.io/v1/namespaces/{}/events", about.namespace);
        let path = format!("{collection}?fieldManager={FIELD_MANAGER}");
        let event = self.event(&name, about, saying, times);
        match call(&self.client, Method::POST, &path, Some(("application/json", &event))).await {
            Err(CallError::Exists) if saying.is_state => Ok(()),
            Err(CallError::Exists) => self.count_up(&format!("{collection}/{name}"), times).await,
            other => other.map(drop),
        }
    }

    /// Compare-and-swap, because other replicas count in the same Event. All but the series of an Event is immutable.
    async fn count_up(&self, path: &str, times: u32) -> Result<(), CallError> {
        let path = format!("{path}?fieldManager={FIELD_MANAGER}");
        let mut outcome = Ok(());
        for _ in 0..ATTEMPTS {
            // A patch that changes nothing writes nothing and answers with the object: reading takes no other right.
            let stored = self.patch(&path, &json!({})).await?;
            let count = stored.pointer("/series/count").and_then(Value::as_u64).unwrap_or(1);
            let count = count.saturating_add(times.into()).min(COUNT_MAX);
            let version = stored.pointer("/metadata/resourceVersion");
            let series = json!({"count": count, "lastObservedTime": MicroTime(Timestamp::now())});
            outcome =
                self.patch(&path, &json!({"metadata": {"resourceVersion": version}, "series": series})).await.map(drop);
            if !matches!(outcome, Err(CallError::Changed(_))) {
                break;
            }
        }
        outcome
    }

    async fn patch(&self, path: &str, change: &Value) -> Result<Value, CallError> {
        let answer = call(&self.client, Method::PATCH, path, Some(("application/merge-patch+json", change))).await?;
        serde_json::from_slice(&answer.body).map_err(|error| CallError::Trouble(error.to_string()))
    }

    fn event(&self, name: &str, about: &Regarding, saying: &Saying, times: u32) -> Value {
        let now = MicroTime(Timestamp::now());
        let group = if about.group.is_empty() { String::new() } else { format!("{}/", about.group) };
        let series = (times > 1).then(|| json!({"count": times, "lastObservedTime": now}));
        json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": about.namespace},
            "eventTime": now,
            "reportingController": self.controller,
            "reportingInstance": self.instance,
            "action": self.action,
            "reason": saying.reason,
            "type": if saying.is_warning { "Warning" } else { "Normal" },
            "note": cut(&saying.note),
            "series": series,
            "regarding": {
                "apiVersion": format!("{group}{}", about.version),
                "kind": about.kind,
                "namespace": about.namespace,
                "name": about.name,
                "uid": about.uid,
            },
        })
    }
}

/// As many whole characters as fit.
fn cut(note: &str) -> &str {
    let ends = note.char_indices().map(|(at, character)| at + character.len_utf8());
    let end = ends.take_while(|end| *end <= NOTE_MAX).last().unwrap_or_default();
    note.get(..end).unwrap_or_default()
}

/// The object's name as far as it fits, and a hash of all that is said.
fn event_name(about: &Regarding, saying: &Saying) -> String {
    let mut hasher = DefaultHasher::new();
    (&about.uid, saying.reason, &saying.note).hash(&mut hasher);
    let kept: String = about.name.chars().take(OBJECT_NAME_MAX).collect();
    format!("{}.{:016x}", kept.trim_end_matches(['-', '.']), hasher.finish())
}

const FIELD_MANAGER: &str = "singleton-guard-events";
/// `Event.note` of `events.k8s.io/v1`: at most 1 kB, in bytes (`NoteLengthLimit`). What others say may be long, and in any
/// script.
const NOTE_MAX: usize = 1024;
/// A DNS subdomain, less a dot and 16 digits.
const OBJECT_NAME_MAX: usize = 230;
/// What it takes to write Events, as a rule of RBAC.
const RULE: &str = "apiGroups: [\"events.k8s.io\"], resources: [events], verbs: [create, patch]";
/// `EventSeries.count` is an int32.
const COUNT_MAX: u64 = 0x7fff_ffff;
/// Each lost race means that somebody else has counted.
const ATTEMPTS: usize = 3;
