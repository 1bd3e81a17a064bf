//! Records Events about objects, as client-go's `EventRecorder` does. An Event's name follows from what it says, so replicas that say the same make one
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

/// What an Event says, beside which object it is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Event {
    /// One word, as `kubectl describe` shows it.
    pub reason: &'static str,
    /// One line for people.
    pub note: String,
    /// Whether somebody should look.
    pub is_warning: bool,
    /// Whether it is a state rather than something that happened: then it does not count up.
    pub is_state: bool,
}

/// Records the Events of one part of this process.
#[derive(Clone)]
pub struct Recorder {
    client: Client,
    controller: &'static str,
    action: &'static str,
    instance: String,
    /// Whether the log has said already that the right to write Events is missing.
    mute: Arc<AtomicBool>,
}

impl Recorder {
    /// `controller` and `action` are the Events' `reportingController` and `action`; `instance` names this replica.
    #[must_use]
    pub fn new(client: Client, controller: &'static str, action: &'static str, instance: String) -> Self {
        Self { client, controller, action, instance, mute: Arc::default() }
    }

    /// Records something that has happened once. A failure is only a line in the log.
    pub async fn record(&self, about: &Regarding, event: &Event) {
        if let Err(error) = self.publish(about, event, 1).await {
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

    /// Records something that has happened so many times.
    ///
    /// # Errors
    /// What the API server, or the way to it, has against it.
    pub(crate) async fn publish(&self, about: &Regarding, event: &Event, times: u32) -> Result<(), CallError> {
        let name = event_name(about, event);
        let collection = format!("/apis/events.k8s.io/v1/namespaces/{}/events", about.namespace);
        let path = format!("{collection}?fieldManager={FIELD_MANAGER}");
        let body = self.body(&name, about, event, times);
        match call(&self.client, Method::POST, &path, Some(("application/json", &body))).await {
            Err(CallError::Exists) if event.is_state => Ok(()),
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

    fn body(&self, name: &str, about: &Regarding, event: &Event, times: u32) -> Value {
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
            "reason": event.reason,
            "type": if event.is_warning { "Warning" } else { "Normal" },
            "note": cut(&event.note),
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
fn event_name(about: &Regarding, event: &Event) -> String {
    let mut hasher = DefaultHasher::new();
    (&about.uid, event.reason, &event.note).hash(&mut hasher);
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
