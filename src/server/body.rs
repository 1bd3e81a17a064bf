//! Reading the body of a review, bounded in size and time.

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, timeout_at};

/// Why there is no body. Each is an HTTP error in plain words: without a body there is no uid to answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// More than the limit.
    #[error("the request body is larger than {limit} bytes: an AdmissionReview of this size is not accepted")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
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

/// Reads the whole body.
///
/// # Errors
/// [`Refused`]. What is too large is never buffered, but it is read on for a while so that the client, which is still
/// writing, gets to read the answer.
pub(super) async fn read(request: Request<Body>, limit: usize, deadline: Instant) -> Result<Bytes, Refused> {
    if let Some(encoding) = request.headers().get(header::CONTENT_ENCODING) {
        return Err(Refused::Encoded(String::from_utf8_lossy(encoding.as_bytes()).into_owned()));
    }
    match timeout_at(deadline, collect(request.into_body(), limit)).await {
        Ok(result) => result,
        Err(_) => Err(Refused::Slow),
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken(_) => StatusCode::BAD_REQUEST,
            Self::Encoded(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        };
        let mut response = (status, format!("{self}\n")).into_response();
        // The rest of the body may still be on its way.
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// A review of a few kilobytes comes as one frame, which is handed on without a copy.
async fn collect(mut body: Body, limit: usize) -> Result<Bytes, Refused> {
    let mut first = Bytes::new();
    let mut all = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refused::Broken(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        let so_far = first.len().max(all.len());
        if data.len() > limit.saturating_sub(so_far) {
            discard(body, limit).await;
            return Err(Refused::TooLarge { limit });
        }
        if so_far == 0 {
            first = data;
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&data);
    }
    Ok(if all.is_empty() { first } else { all.into() })
}

/// Reads on, up to another `limit` bytes.
async fn discard(mut body: Body, limit: usize) {
    let mut size = 0_usize;
    while let Some(Ok(frame)) = body.frame().await {
        size = size.saturating_add(frame.data_ref().map_or(0, Bytes::len));
        if size > limit {
            return;
        }
    }
}
