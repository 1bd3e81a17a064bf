//! One call to the API server, and what can come of it, sorted by what is to be done about it.

use std::time::Duration;

use axum::body::Bytes;
use http::{Method, Request, StatusCode, header};
use kube::Client;
use kube::client::Body;
use kube::core::Status;
use serde_json::Value;
use tokio::time::timeout;

use super::exchange::{self, Trouble};
use super::words;
use crate::policy::lookup::Unknown;

/// An answer of 2xx.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Whether an object was created (201).
    pub(crate) is_created: bool,
    /// The body.
    pub(crate) body: Bytes,
}

/// What went wrong.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum CallError {
    /// 404: the object, or its namespace, is not there.
    #[error("it does not exist")]
    NotFound,
    /// 409 on a precondition: it is not what was seen any more.
    #[error("it has changed meanwhile: {0}")]
    Changed(String),
    /// 409 of a create: there is one already.
    #[error("it exists already")]
    Exists,
    /// 409 of an apply: a field belongs to somebody else.
    #[error("{0}")]
    FieldTaken(String),
    /// The namespace is being deleted.
    #[error("the namespace is being deleted")]
    Terminating,
    /// 403 of RBAC: a right is missing.
    #[error("{0}")]
    Forbidden(String),
    /// Any other 403, 400 and 422: a quota, a policy, another webhook or the API itself has something against it. The
    /// same call may succeed once they have changed.
    #[error("{0}")]
    Refused(String),
    /// Anything else: the server is slow, busy, away.
    #[error("{0}")]
    Trouble(String),
}

/// Makes the call, with a deadline of its own.
pub(crate) async fn call(
    client: &Client,
    method: Method,
    path: &str,
    content: Option<(&str, &Value)>,
) -> Result<Answer, CallError> {
    let builder = Request::builder().method(method).uri(path).header(header::ACCEPT, "application/json");
    let request = match content {
        Some((type_, body)) => {
            builder.header(header::CONTENT_TYPE, type_).body(Body::from(body.to_string().into_bytes()))
        }
        None => builder.body(Body::empty()),
    };
    let request = request.map_err(|error| CallError::Refused(error.to_string()))?;
    let (status, body) = in_time(exchange::whole(client, request)).await?.map_err(CallError::Trouble)?;
    if status.is_success() {
        return Ok(Answer { is_created: status == StatusCode::CREATED, body });
    }
    Err(sorted(status, &body))
}

/// Waits for an answer as long as any call waits for its own.
///
/// # Errors
/// There was no answer in that time.
pub(crate) async fn in_time<T>(answer: impl Future<Output = T>) -> Result<T, CallError> {
    let too_late = |_| CallError::Trouble(format!("no answer within {} s", DEADLINE.as_secs()));
    timeout(DEADLINE, answer).await.map_err(too_late)
}

/// Sorts what went wrong with a list.
impl From<Trouble> for CallError {
    fn from(trouble: Trouble) -> Self {
        if trouble.is_forbidden() { Self::Forbidden(trouble.to_string()) } else { Self::Trouble(trouble.to_string()) }
    }
}

/// Sorts what went wrong with a look at an object.
impl From<Unknown> for CallError {
    fn from(unknown: Unknown) -> Self {
        match unknown {
            Unknown::Refused { code: 403, message } => Self::Forbidden(message),
            unknown => Self::Trouble(unknown.to_string()),
        }
    }
}

/// Sorts what went wrong with a read through kube: a missing right is told from any other trouble.
impl From<kube::Error> for CallError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if status.is_forbidden() => Self::Forbidden(status.message.clone()),
            error => Self::Trouble(words(&error)),
        }
    }
}

fn sorted(code: StatusCode, body: &[u8]) -> CallError {
    let status = serde_json::from_slice::<Status>(body).ok();
    let causes = status.as_ref().and_then(|status| status.details.as_ref()).map(|details| details.causes.as_slice());
    let has_cause = |reason: &str| causes.is_some_and(|causes| causes.iter().any(|cause| cause.reason == reason));
    let reason = status.as_ref().map(|status| status.reason.as_str()).unwrap_or_default();
    let kind = status.as_ref().and_then(|status| status.details.as_ref()).map(|details| details.kind.as_str());
    let message = match &status {
        Some(status) if !status.message.is_empty() => status.message.clone(),
        _ => code.canonical_reason().unwrap_or("no reason given").to_owned(),
    };
    match code {
        StatusCode::NOT_FOUND => CallError::NotFound,
        StatusCode::CONFLICT if has_cause("FieldManagerConflict") => CallError::FieldTaken(message),
        StatusCode::CONFLICT if reason == "AlreadyExists" => CallError::Exists,
        // Many writes at once lose the race for the quota, whose conflict this is (kubernetes#67761).
        StatusCode::CONFLICT if kind == Some("resourcequotas") => CallError::Trouble(message),
        StatusCode::CONFLICT => CallError::Changed(message),
        StatusCode::FORBIDDEN if has_cause("NamespaceTerminating") => CallError::Terminating,
        // No reason tells them apart; this is how the API server says it for every authorizer (`forbiddenMessage`).
        StatusCode::FORBIDDEN if message.contains("User \"") && message.contains("\" cannot ") => {
            CallError::Forbidden(message)
        }
        StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            CallError::Refused(message)
        }
        _ => CallError::Trouble(message),
    }
}

/// The content type of a server-side apply; JSON is YAML.
pub(crate) const APPLY: &str = "application/apply-patch+yaml";
const DEADLINE: Duration = Duration::from_secs(10);
