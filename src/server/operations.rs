//! The second, plain port: for the kubelet's probes and for Prometheus. It says nothing that a Pod of the cluster may
//! not know.

use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::time::timeout;

use super::accept::accept;
use super::readiness::Readiness;
use crate::telemetry::metrics::Metrics;

/// `/livez`, `/readyz` and `/metrics`.
pub fn router(readiness: Readiness, metrics: Metrics) -> Router {
    let gauge = readiness.clone();
    Router::new()
        // Answering at all is the sign of life: a process that cannot reach the API server must not be restarted for it.
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(async move || readyz(&readiness)))
        .route("/metrics", get(async move || metrics_text(&metrics, gauge.is_ready())))
}

/// Serves it, for ever: few connections, each with little time, so that they cannot use up the file descriptors of
/// the webhook.
pub async fn serve(listener: TcpListener, router: Router) {
    let each = |stream| {
        let service = TowerToHyperService::new(router.clone());
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).keep_alive(false);
        async move {
            match timeout(ONE_REQUEST, http.serve_connection(TokioIo::new(stream), service)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(cause = %error, "connection to the operations port ended"),
                Err(_) => tracing::debug!("a connection to the operations port took too long"),
            }
        }
    };
    accept(listener, CONNECTIONS, each).await;
}

/// One line for each condition that is not met.
fn readyz(readiness: &Readiness) -> Response {
    if readiness.is_ready() {
        return "ok\n".into_response();
    }
    let lines: Vec<String> = readiness.missing().iter().map(ToString::to_string).collect();
    (StatusCode::SERVICE_UNAVAILABLE, lines.join("\n") + "\n").into_response()
}

fn metrics_text(metrics: &Metrics, ready: bool) -> Response {
    match metrics.encode(ready) {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// The `OpenMetrics` specification, section "Content type".
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const CONNECTIONS: usize = 512;
/// From the connection to the end of the answer, of which there is one: the kubelet opens a connection for each probe, and
/// Prometheus one for each scrape if it must.
const ONE_REQUEST: Duration = Duration::from_secs(10);
