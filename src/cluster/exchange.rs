//! One exchange with the API server: a GET whose answer streams in, for lists and watches, or a request and its whole answer.

use std::time::Duration;

use axum::body::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use kube::Client;
use kube::client::Body;
use kube::core::Status;
use tokio::time::timeout;

use super::sieve::Malformed;
use super::{root_cause, words};

/// Why a list or a watch came to nothing, or is over before its time.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Trouble {
    #[error("the API server could not be reached ({0})")]
    Unreachable(String),
    #[error("the API server refused it with {code} ({message})")]
    Refused { code: u16, message: String },
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("the answer ended before its end")]
    Cut,
    #[error("nothing was heard for {} s, not even that nothing happened", .0.as_secs())]
    Quiet(Duration),
    /// The thread is lost: what comes next is not what followed.
    #[error("{0}")]
    Lost(String),
}

impl Trouble {
    /// Whether it takes a right that is missing.
    pub(crate) const fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused { code: 403, .. })
    }

    /// Whether there is no such resource.
    pub(crate) const fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { code: 404, .. })
    }

    /// Whether what was known up to now may still be continued: the connection is gone, nothing else.
    pub(crate) const fn is_of_the_connection(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Cut | Self::Quiet(_) => true,
            // Gone: the revision is forgotten.
            Self::Refused { code, .. } => *code != 410,
            Self::Malformed(_) | Self::Lost(_) => false,
        }
    }
}

/// Asks, and waits until the answer begins.
pub(crate) async fn get(client: &Client, path: &str, accept: &str) -> Result<Response<Body>, Trouble> {
    let request = Request::get(path)
        .header(header::ACCEPT, accept)
        .body(Body::empty())
        .map_err(|error| Trouble::Unreachable(error.to_string()))?;
    let answer = timeout(BEGIN, client.send(request)).await;
    let answer = answer.map_err(|_| Trouble::Unreachable(format!("no answer within {} s", BEGIN.as_secs())))?;
    let response = answer.map_err(|error| Trouble::Unreachable(words(&error)))?;
    let code = response.status();
    if code.is_success() {
        return Ok(response);
    }
    let body = timeout(BEGIN, Limited::new(response.into_body(), STATUS_MAX).collect()).await;
    let body = body.ok().and_then(Result::ok).map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let message = serde_json::from_slice::<Status>(&body).map(|status| status.message).unwrap_or_default();
    Err(Trouble::Refused { code: code.as_u16(), message })
}

/// Asks, and waits for the whole answer, whatever its code is.
///
/// # Errors
/// There was none: in words.
pub(crate) async fn whole(client: &Client, request: Request<Body>) -> Result<(StatusCode, Bytes), String> {
    let response = client.send(request).await.map_err(|error| words(&error))?;
    let code = response.status();
    let body = Limited::new(response.into_body(), BODY_MAX).collect().await;
    Ok((code, body.map_err(|error| root_cause(error.as_ref()))?.to_bytes()))
}

/// Hands out the body piece by piece, as long as the next one comes within `patience`.
pub(crate) async fn pieces(
    body: &mut Body,
    patience: Duration,
    mut each: impl FnMut(&[u8]) -> Result<(), Trouble>,
) -> Result<(), Trouble> {
    while let Some(frame) = timeout(patience, body.frame()).await.map_err(|_| Trouble::Quiet(patience))? {
        let frame = frame.map_err(|error| Trouble::Unreachable(root_cause(&error)))?;
        if let Ok(data) = frame.into_data() {
            each(&data)?;
        }
    }
    Ok(())
}

/// Longer than any healthy API server takes to begin.
pub(crate) const BEGIN: Duration = Duration::from_secs(15);
/// The API server's limit for an object is 3 MiB.
const BODY_MAX: usize = 4 << 20;
/// A `Status` is a few hundred bytes.
const STATUS_MAX: usize = 64 << 10;
