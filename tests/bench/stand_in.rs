//! Stands in for the API server, over TLS: a cluster where nothing ever happens. Every object it is asked for is the
//! one parent that the reviews name, every list is empty, every watch is silent. It is there to be asked, not to be
//! right.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use anyhow::Result;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::RawQuery;
use axum::response::{IntoResponse, Response};
use http::Uri;
use http::header::CONTENT_TYPE;
use hyper::body::Frame;

use super::reviews;

/// Every path.
pub(crate) fn router() -> Result<Router> {
    let parent = Bytes::from(reviews::parent()?);
    let answer = async move |uri: Uri, RawQuery(query): RawQuery| answer(&uri, query.as_deref(), parent.clone());
    Ok(Router::new().fallback(answer))
}

fn answer(uri: &Uri, query: Option<&str>, parent: Bytes) -> Response {
    let json = [(CONTENT_TYPE, "application/json")];
    if query.is_some_and(|query| query.split('&').any(|pair| pair.starts_with("watch="))) {
        (json, Body::new(Silence)).into_response()
    } else if is_object(uri.path()) {
        (json, parent).into_response()
    } else {
        (json, EMPTY).into_response()
    }
}

/// Whether the path names one object, as all that are asked for here do: `.../namespaces/NAMESPACE/RESOURCE/NAME`.
fn is_object(path: &str) -> bool {
    path.split_once("/namespaces/").is_some_and(|(_, rest)| rest.split('/').count() == 3)
}

/// The body of a watch without events.
struct Silence;

impl hyper::body::Body for Silence {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Pending
    }
}

/// Also for lists of metadata: clients look at the items. The revision is later than that of any review, so the freshness
/// proof finds that nothing has changed since.
const EMPTY: &str = r#"{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/v1","metadata":{"resourceVersion":"1000000000"},"items":[]}"#;
