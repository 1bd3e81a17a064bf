//! The steps of a plan, carried out. Each names what it was planned for, so that nothing is done to anything else.

use http::Method;
use kube::Client;
use serde_json::json;

use crate::cluster::call::{APPLY, CallError, call};
use crate::companions::plan::{Companion, Step, Why, field_manager};

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    /// It was made; by us, and not a moment before by another replica.
    Created,
    /// It was there and has been changed.
    Changed,
    /// It is gone.
    Removed,
    /// It is somebody else's.
    LetGo,
    /// Another replica, or a user, was first. The watch will tell.
    Overtaken,
    /// It is not to be had.
    Skipped(Why),
}

impl Written {
    /// In one word, for a metric.
    pub(super) const fn result(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::LetGo => "let-go",
            Self::Overtaken => "overtaken",
            Self::Skipped(_) => "skipped",
        }
    }
}

/// Carries out one step in a namespace.
///
/// # Errors
/// What may be otherwise next time.
pub(super) async fn write(
    client: &Client,
    namespace: &str,
    managed_by: &str,
    step: &Step,
) -> Result<Written, CallError> {
    match step {
        Step::Apply { companion, name, body, exists } => {
            let path = format!("{}?fieldManager={}", path(*companion, namespace, name), field_manager(managed_by));
            match call(client, Method::PATCH, &path, Some((APPLY, body))).await {
                Ok(answer) if answer.is_created && !exists => Ok(Written::Created),
                Ok(_) if *exists => Ok(Written::Changed),
                Err(CallError::FieldTaken(message)) => Ok(Written::Skipped(Why::FieldTaken { message })),
                // Not found: the namespace itself is gone.
                Ok(_)
                | Err(CallError::Changed(_) | CallError::Exists | CallError::Terminating | CallError::NotFound) => {
                    Ok(Written::Overtaken)
                }
                Err(error) => Err(error),
            }
        }
        Step::LetGo { companion, name, patch, .. } => {
            let path = format!("{}?fieldManager={}", path(*companion, namespace, name), field_manager(managed_by));
            match call(client, Method::PATCH, &path, Some(("application/json-patch+json", patch))).await {
                Ok(_) => Ok(Written::LetGo),
                Err(CallError::Refused(message)) if message == DOES_NOT_APPLY => Ok(Written::Overtaken),
                Err(CallError::NotFound | CallError::Changed(_) | CallError::Terminating) => Ok(Written::Overtaken),
                Err(error) => Err(error),
            }
        }
        Step::Remove { companion, name, uid, resource_version, .. } => {
            let options = json!({
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "propagationPolicy": "Background",
                "preconditions": {"uid": uid, "resourceVersion": resource_version},
            });
            let path = path(*companion, namespace, name);
            match call(client, Method::DELETE, &path, Some(("application/json", &options))).await {
                Ok(_) => Ok(Written::Removed),
                Err(CallError::NotFound | CallError::Changed(_) | CallError::Terminating) => Ok(Written::Overtaken),
                Err(error) => Err(error),
            }
        }
    }
}

/// The verb and the resource of a step, as a rule of RBAC has them.
pub(super) const fn right(step: &Step) -> (&'static str, &'static str, &'static str) {
    let (companion, verb) = match step {
        Step::Apply { companion, exists: true, .. } | Step::LetGo { companion, .. } => (companion, "patch"),
        Step::Apply { companion, .. } => (companion, "create, patch"),
        Step::Remove { companion, .. } => (companion, "delete"),
    };
    match companion {
        Companion::Service => ("", "services", verb),
        Companion::Budget => ("policy", "poddisruptionbudgets", verb),
    }
}

fn path(companion: Companion, namespace: &str, name: &str) -> String {
    match companion {
        Companion::Service => format!("/api/v1/namespaces/{namespace}/services/{name}"),
        Companion::Budget => format!("/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets/{name}"),
    }
}

/// How the API server says, with 422, that a JSON patch does not apply, as where a test in it fails
/// (`NewGenericServerResponse` of apimachinery, `pkg/api/errors`); a policy or a webhook has words of its own.
const DOES_NOT_APPLY: &str = "the server rejected our request due to an error in our request";
