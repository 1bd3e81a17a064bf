//! One GET of one object, metadata only where that is enough, and what can come of it.

use axum::body::Bytes;
use http::{Request, StatusCode, header};
use kube::Client;
use kube::client::Body;
use kube::core::Status;

use super::exchange;
use crate::api::kind::{Kinds, PODS};
use crate::api::reference::{ObjectRef, PodRef, Regarding};
use crate::policy::lookup::{Metadata, Unknown};

/// Gets the object's `PartialObjectMetadata` as bytes; none if there is no object of that name.
///
/// Without the parameter `resourceVersion` this is a quorum read: what it shows is not older than the request
/// (Kubernetes API concepts, "Resource versions").
///
/// # Errors
/// Every way to fail is a different [`Unknown`].
pub(crate) async fn get(client: &Client, object: &ObjectRef<'_>) -> Result<Option<Bytes>, Unknown> {
    let ObjectRef { kind, namespace, name, .. } = object;
    look(client, namespace, name, kind.info().object(namespace, name), PARTIAL_OBJECT_METADATA).await
}

/// Gets a whole Pod as bytes, because its node is not in its metadata; none if there is no Pod of that name. This is a
/// quorum read, as [`get`] is.
///
/// # Errors
/// Every way to fail is a different [`Unknown`].
pub(super) async fn pod(client: &Client, pod: &PodRef<'_>) -> Result<Option<Bytes>, Unknown> {
    let PodRef { namespace, name } = pod;
    let path = format!("/api/v1/namespaces/{namespace}/{PODS}/{name}");
    look(client, namespace, name, path, "application/json").await
}

/// Whether the object of this name has this uid, by its metadata.
///
/// # Errors
/// Every way to fail is a different [`Unknown`].
pub(crate) async fn has_uid(client: &Client, about: &Regarding, kinds: Kinds) -> Result<bool, Unknown> {
    let Regarding { group, kind, namespace, name, uid, .. } = about;
    let path = match kinds.named(group, kind) {
        Some(kind) => kind.info().object(namespace, name),
        None if group.is_empty() && *kind == "Pod" => format!("/api/v1/namespaces/{namespace}/{PODS}/{name}"),
        // There is no right to read any other.
        None => return Ok(false),
    };
    let Some(body) = look(client, namespace, name, path, PARTIAL_OBJECT_METADATA).await? else { return Ok(false) };
    let metadata = Metadata::read(&body).map_err(|error| Unknown::Unreadable(error.to_string()))?;
    Ok(metadata.uid() == uid)
}

async fn look(
    client: &Client,
    namespace: &str,
    name: &str,
    path: String,
    accept: &str,
) -> Result<Option<Bytes>, Unknown> {
    // The names come from a request, and must not reach another path.
    if !is_name(namespace) || !is_name(name) {
        return Ok(None);
    }
    let request = Request::get(path)
        .header(header::ACCEPT, accept)
        .body(Body::empty())
        .map_err(|error| Unknown::Unreachable(error.to_string()))?;
    let (status, body) = exchange::whole(client, request).await.map_err(Unknown::Unreachable)?;
    if status == StatusCode::OK { Ok(Some(body)) } else { failure(status, &body, name) }
}

/// Reads an answer that is not 200. Not found counts only if the API server says that this very object was not: a 404
/// of anything in between must not make an owner disappear.
fn failure(code: StatusCode, body: &[u8], name: &str) -> Result<Option<Bytes>, Unknown> {
    let status = serde_json::from_slice::<Status>(body).ok();
    let says_not_found = status.as_ref().is_some_and(|status| {
        status.is_not_found() && status.details.as_ref().is_some_and(|details| details.name == name)
    });
    if code == StatusCode::NOT_FOUND && says_not_found {
        return Ok(None);
    }
    let message = match status {
        Some(status) if !status.message.is_empty() => status.message,
        _ => code.canonical_reason().unwrap_or("no reason given").to_owned(),
    };
    Err(Unknown::Refused { code: code.as_u16(), message })
}

/// Whether the text consists of the characters of DNS subdomains (RFC 1123), which the names of workloads and Pods are.
fn is_name(text: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(alphanumeric) && text.chars().all(|c| alphanumeric(c) || c == '-' || c == '.')
}

pub(crate) const PARTIAL_OBJECT_METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
