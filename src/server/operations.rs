//! The second, plain port: for the kubelet's probes and for Prometheus. It says nothing that a Pod of the cluster may
//! not know.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tower::Service as _;

use super::accept::{PAUSE, ended_early};
use super::readiness::Readiness;
use super::slots::{Reclaimed, Slot, Slots};
use crate::telemetry::exposition::Exposition;
use crate::telemetry::metrics::Metrics;

/// `/livez`, `/readyz` and `/metrics`.
pub fn router(readiness: Readiness, metrics: Metrics) -> Router {
    let gauge = readiness.clone();
    Router::new()
        // Answering at all is the sign of life: a process that cannot reach the API server must not be restarted for it.
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(async move || readyz(&readiness)))
        .route("/metrics", get(async move |headers: HeaderMap| metrics_text(&metrics, gauge.is_ready(), &headers)))
}

/// Listens there, with as long a queue as the kernel allows: while many come at once, a probe that found it full would
/// come again a second later at the earliest (the retransmission of a SYN).
///
/// # Errors
/// The port is taken, or the address is not one of this machine.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(QUEUE)
}

/// Serves it, for ever. It never stops accepting, whatever peers do: a probe must not wait for somebody who says nothing.
pub async fn serve(listener: TcpListener, router: Router) {
    let slots = Slots::new(CONNECTIONS);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let Some((slot, reclaimed)) = slots.take().await else { return };
                tokio::spawn(converse(stream, router.clone(), slot, reclaimed));
            }
            Err(error) if ended_early(&error) => {}
            // There are no descriptors left, and they may be ours.
            Err(_) if slots.make_room() => sleep(MOMENT).await,
            Err(error) => {
                tracing::error!(cause = %error, "no connection to the operations port can be accepted; trying again");
                sleep(PAUSE).await;
            }
        }
    }
}

/// One request and its answer. Nothing stays of a connection that is cut off, in the kernel neither.
async fn converse(mut stream: TcpStream, router: Router, slot: Slot, reclaimed: Reclaimed) {
    let headers = Instant::now() + HEADERS;
    let exchange = async {
        match timeout_at(headers, stream.readable()).await {
            // Only a peer that has said something is worth the memory.
            Ok(Ok(())) => Box::pin(exchange(&mut stream, router, &slot, headers)).await,
            Ok(Err(_)) | Err(_) => false,
        }
    };
    let is_complete = tokio::select! {
        is_complete = exchange => is_complete,
        () = reclaimed.by_another() => false,
    };
    if !is_complete {
        tracing::debug!("a connection to the operations port was cut off");
        let _it_ends_anyhow = stream.set_zero_linger();
    }
}

/// Whether it came to its end.
async fn exchange(stream: &mut TcpStream, router: Router, slot: &Slot, headers: Instant) -> bool {
    let service = service_fn(|request| {
        slot.asks();
        router.clone().call(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(headers.duration_since(Instant::now()));
    http.max_header_size(HEADER_BYTES).keep_alive(false);
    match timeout(ONE_REQUEST, http.serve_connection(TokioIo::new(stream), service)).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::debug!(cause = %error, "connection to the operations port ended");
            !error.is_timeout()
        }
        Err(_) => false,
    }
}

/// One line for each condition that is not met.
fn readyz(readiness: &Readiness) -> Response {
    if readiness.is_ready() {
        return "ok\n".into_response();
    }
    let lines: Vec<String> = readiness.missing().iter().map(ToString::to_string).collect();
    (StatusCode::SERVICE_UNAVAILABLE, lines.join("\n") + "\n").into_response()
}

fn metrics_text(metrics: &Metrics, ready: bool, headers: &HeaderMap) -> Response {
    let form = Exposition::asked_for(headers);
    match metrics.encode(ready, form) {
        Ok(text) => ([(header::CONTENT_TYPE, form.content_type())], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// Open connections. The kubelet has one for each probe; the rest is for whoever comes uninvited, so that an honest peer is
/// not among the oldest before its request has come.
const CONNECTIONS: usize = 2048;
/// The kernel takes no more than `net.core.somaxconn`, which is 4096.
const QUEUE: u32 = 4096;
/// From the connection to the end of its request's headers. A probe has a second for everything, by default.
const HEADERS: Duration = Duration::from_secs(1);
/// Those of a probe have some 150 bytes, those of Prometheus some 400; the rest is room for a token.
const HEADER_BYTES: usize = 8 << 10;
/// From the connection to the end of the answer, of which there is one: the kubelet opens a connection for each probe, and
/// Prometheus one for each scrape if it must.
const ONE_REQUEST: Duration = Duration::from_secs(10);
/// Until a connection that was asked to give way has ended.
const MOMENT: Duration = Duration::from_millis(1);
