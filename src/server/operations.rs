//! The second, plain port: for the kubelet's probes and for Prometheus. It says nothing that a Pod of the cluster may
//! not know.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use tokio::net::TcpListener;

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

/// Serves it. Ends only with an error.
///
/// # Errors
/// The listener is broken.
pub async fn serve(listener: TcpListener, router: Router) -> io::Result<SocketAddr> {
    let address = listener.local_addr()?;
    axum::serve(listener, router).await?;
    Ok(address)
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
