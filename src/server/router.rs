//! The two paths that the API server calls. A `Router`, so that a test needs no socket.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderValue, Request, StatusCode, header};
use tokio::time::Instant;

use super::body;
use super::body_memory::BodyMemory;
use super::deadline::Deadline;
use super::handler::Handler;
use super::limits::Limits;
use super::readiness::Readiness;
use crate::cluster::Cluster;
use crate::policy::request::Phase;

/// `POST /validate` and `POST /mutate`. Two paths and no more: the API server keeps a pool of connections for each.
pub fn router<C: Cluster>(handler: Handler<C>, readiness: Readiness, limits: Limits) -> Router {
    let memory = BodyMemory::new(limits.bodies_bytes);
    let app = Arc::new(AppState { handler, readiness, limits, memory });
    Router::new()
        .route("/validate", post(async |State(app): Shared<C>, request| app.answer(Phase::Validate, request).await))
        .route("/mutate", post(async |State(app): Shared<C>, request| app.answer(Phase::Mutate, request).await))
        .with_state(app)
}

/// What both paths share.
struct AppState<C> {
    handler: Handler<C>,
    readiness: Readiness,
    limits: Limits,
    memory: BodyMemory,
}

impl<C: Cluster> AppState<C> {
    async fn answer(&self, phase: Phase, request: Request<Body>) -> Response {
        if !self.readiness.is_able() {
            return unavailable();
        }
        let _under_way = self.handler.metrics().reviews.review();
        let started = Instant::now();
        let deadline = Deadline::new(request.uri().query(), started);
        let due = deadline.body(self.limits.body);
        let body = match body::read(request, self.limits.body_bytes, &self.memory, due).await {
            Ok(body) => body,
            Err(refused) => {
                tracing::warn!(cause = %refused, "a request without a usable body");
                return refused.into_response();
            }
        };
        match self.handler.answer(phase, &body, started, deadline).await {
            Ok(answer) => json(answer),
            Err(unreadable) => {
                tracing::warn!(cause = %unreadable, "a request that cannot be answered");
                (StatusCode::BAD_REQUEST, format!("{unreadable}\n")).into_response()
            }
        }
    }
}

type Shared<C> = State<Arc<AppState<C>>>;

fn json(answer: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(answer));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The API server repeats a call that is answered with 503 and `Retry-After`, up to ten times within its timeout; a
/// new connection may lead it to another replica.
fn unavailable() -> Response {
    let headers = [(header::RETRY_AFTER, "1"), (header::CONNECTION, "close")];
    (StatusCode::SERVICE_UNAVAILABLE, headers, "not ready: see /readyz on the operations port\n").into_response()
}
