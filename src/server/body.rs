//! Reading the body of a review, bounded in size and time.

use std::ops::Deref;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use tokio::time::{Instant, timeout_at};

use super::body_memory::{BodyMemory, Reservation, SMALL};

/// Why there is no body. Each is an HTTP error in plain words: without a body there is no uid to answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// More than the limit.
    #[error("the request body is larger than {limit} bytes: an AdmissionReview of this size is not accepted")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// Other large bodies take all the room there is.
    #[error("there is no room for a body of this size beside those that are being read: try again")]
    NoRoom,
    /// Not complete in time.
    #[error("the request body did not arrive in time")]
    Slow,
    /// The connection or the framing broke.
    #[error("the request body could not be read: {0}")]
    Broken(String),
    /// It is compressed, which the API server never does: a small body could become a large one.
    #[error("the request body has Content-Encoding {0:?}: send it without any")]
    Encoded(String),
}

/// A whole body. The room that it takes is free again when it is dropped.
#[derive(Debug)]
pub(super) struct Whole {
    bytes: Bytes,
    _reservation: Option<Reservation>,
}

impl Deref for Whole {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads the whole body.
///
/// # Errors
/// [`Refused`]. What is too large is never buffered, but it is read on for a while so that the client, which is still
/// writing, gets to read the answer.
pub(super) async fn read(
    request: Request<Body>,
    limit: usize,
    memory: &BodyMemory,
    deadline: Instant,
) -> Result<Whole, Refused> {
    if let Some(encoding) = request.headers().get(header::CONTENT_ENCODING) {
        return Err(Refused::Encoded(String::from_utf8_lossy(encoding.as_bytes()).into_owned()));
    }
    match timeout_at(deadline, collect(request.into_body(), limit, memory, deadline)).await {
        Ok(result) => result,
        Err(_) => Err(Refused::Slow),
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) => StatusCode::BAD_REQUEST,
            Self::Encoded(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        };
        let mut response = (status, format!("{self}\n")).into_response();
        if status == StatusCode::SERVICE_UNAVAILABLE {
            // Then the API server repeats the call, as often as its timeout allows.
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        // The rest of the body may still be on its way.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// A review of a few kilobytes comes as one frame, which is handed on without a copy.
async fn collect(mut body: Body, limit: usize, memory: &BodyMemory, deadline: Instant) -> Result<Whole, Refused> {
    // The API server always says how much comes. A body of unknown length counts as the largest.
    let announced = body.size_hint().upper().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(limit);
    if announced > limit {
        return too_large(body, limit).await;
    }
    let (mut first, mut all, mut reservation) = (Bytes::new(), Vec::new(), None);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refused::Broken(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        let so_far = first.len().max(all.len());
        if data.len() > limit.saturating_sub(so_far) {
            return too_large(body, limit).await;
        }
        if reservation.is_none() && so_far.saturating_add(data.len()) > SMALL {
            // Meanwhile nothing more is read: it waits in the buffers of the kernel.
            reservation = Some(memory.reserve(announced, deadline).await.ok_or(Refused::NoRoom)?);
            if !all.is_empty() {
                all.reserve_exact(announced.saturating_sub(all.len()));
            }
        }
        if so_far == 0 {
            first = data;
            continue;
        }
        if all.is_empty() {
            // With room for all of it, so that it is never held twice.
            all.reserve_exact(if reservation.is_some() { announced } else { SMALL });
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&data);
    }
    Ok(Whole { bytes: if all.is_empty() { first } else { all.into() }, _reservation: reservation })
}

/// Reads on, as long as another two bodies might take.
async fn too_large(mut body: Body, limit: usize) -> Result<Whole, Refused> {
    let mut size = 0_usize;
    while let Some(Ok(frame)) = body.frame().await {
        size = size.saturating_add(frame.data_ref().map_or(0, Bytes::len));
        if size > limit.saturating_mul(2) {
            break;
        }
    }
    Err(Refused::TooLarge { limit })
}
