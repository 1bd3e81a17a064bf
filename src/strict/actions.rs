//! The steps, carried out: one or two calls each.

use std::time::SystemTime;

use http::Method;
use kube::Client;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::FIELD_MANAGER;
use crate::api::reference::{PodRef, Regarding};
use crate::cluster::call::{CallError, call};
use crate::events::{Event, Recorder};
use crate::index::marked::REMINDED;
use crate::policy::holder::Holder;

/// One step for one workload.
#[derive(Debug)]
pub(super) enum Action {
    /// The Pod of this uid has ended; it may have been asked to before.
    Delete { pod: PodRef<'static>, uid: String, was_asked: bool },
    /// The name seems to be free. If it is not, that is to be said, or was before.
    Remind { about: Regarding, pod: PodRef<'static>, tell: bool },
    /// Somebody else has it, which is to be said with this note.
    Tell { about: Regarding, note: String },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The controller was reminded, at this time.
    Reminded(OffsetDateTime),
    /// Somebody else has the name. Whether that was said now.
    Blocked { told: bool },
    /// Anything else, also a failure, which is in the log.
    Done,
}

impl Action {
    pub(super) async fn run(self, client: &Client, recorder: &Recorder) -> Outcome {
        match self {
            Self::Delete { pod, uid, was_asked } => {
                match delete(client, &pod, &uid, was_asked).await {
                    Ok(()) => {
                        tracing::info!(namespace = %pod.namespace, pod = %pod.name, "deleted a Pod that has ended");
                    }
                    Err(error) => trouble(&pod, "cannot delete a Pod that has ended", &error),
                }
                Outcome::Done
            }
            Self::Remind { about, pod, tell: is_due } => match holder(client, &pod).await {
                Ok(Some(holder)) if holder.is_strict => Outcome::Done,
                // The watch has not seen it because it carries no key.
                Ok(Some(holder)) if is_due => tell(recorder, &about, holder.blocks(&pod.name, SystemTime::now())).await,
                Ok(Some(_)) => Outcome::Blocked { told: false },
                Ok(None) => match remind(client, &about).await {
                    Ok(at) => Outcome::Reminded(at),
                    Err(error) => {
                        trouble(&pod, "cannot remind the controller that waits for a Pod's name", &error);
                        Outcome::Done
                    }
                },
                Err(error) => {
                    trouble(&pod, "cannot see who has a Pod's name", &error);
                    Outcome::Done
                }
            },
            Self::Tell { about, note } => tell(recorder, &about, note).await,
        }
    }
}

async fn tell(recorder: &Recorder, about: &Regarding, note: String) -> Outcome {
    let Regarding { kind, namespace, name, .. } = about;
    tracing::warn!(kind, namespace, name, note, "a strict singleton is blocked");
    recorder.record(about, &Event { reason: "SingletonBlocked", note, is_warning: true, is_state: true }).await;
    Outcome::Blocked { told: true }
}

/// A quorum read.
async fn holder(client: &Client, pod: &PodRef<'_>) -> Result<Option<Holder>, CallError> {
    match call(client, Method::GET, &path(pod), None).await {
        Ok(answer) => Holder::read(&answer.body, SystemTime::now())
            .map(Some)
            .map_err(|error| CallError::Trouble(error.to_string())),
        Err(CallError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Of this uid or not at all. The API server deletes a Pod that has ended at once; only one that was asked to end before
/// needs to be told, and SG011 lets that through because it has ended.
async fn delete(client: &Client, pod: &PodRef<'_>, uid: &str, was_asked: bool) -> Result<(), CallError> {
    let (grace, preconditions) = (was_asked.then_some(0), json!({"uid": uid}));
    let options = json!({
        "apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": grace, "preconditions": preconditions,
    });
    match call(client, Method::DELETE, &path(pod), Some(("application/json", &options))).await {
        // Another replica was faster.
        Ok(_) | Err(CallError::NotFound | CallError::Changed(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// An annotation on a ReplicaSet, which makes its controller look at it again. The others' controllers are told of
/// the end of a Pod that had been theirs, and else try again by themselves, after 1 000 s at most; to remind them would
/// take the right to change any StatefulSet.
async fn remind(client: &Client, about: &Regarding) -> Result<OffsetDateTime, CallError> {
    let now = OffsetDateTime::now_utc().truncate_to_second();
    if about.kind != "ReplicaSet" {
        return Ok(now);
    }
    let Regarding { namespace, name, uid, .. } = about;
    let path = format!("/apis/apps/v1/namespaces/{namespace}/replicasets/{name}?fieldManager={FIELD_MANAGER}");
    let body = json!({"metadata": {"uid": uid, "annotations": {REMINDED: now.format(&Rfc3339).ok()}}});
    match call(client, Method::PATCH, &path, Some(("application/merge-patch+json", &body))).await {
        Ok(_) | Err(CallError::NotFound | CallError::Changed(_)) => Ok(now),
        Err(error) => Err(error),
    }
}

fn path(pod: &PodRef<'_>) -> String {
    format!("/api/v1/namespaces/{}/pods/{}", pod.namespace, pod.name)
}

fn trouble(pod: &PodRef<'_>, what: &'static str, error: &CallError) {
    let (namespace, name) = (&pod.namespace, &pod.name);
    tracing::warn!(%namespace, pod = %name, cause = %error, "{what}");
}
