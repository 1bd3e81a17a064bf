//! One connection: handshake, requests, end. Each part has its own time limit, so a peer that says nothing holds
//! nothing for long.

use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::response::Response;
use http::{HeaderValue, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::Service as _;

use super::limits::Limits;
use super::readiness::Readiness;
use crate::telemetry::metrics::Metrics;

/// What all connections share.
pub(super) struct Connections {
    pub(super) tls: TlsAcceptor,
    pub(super) router: Router,
    pub(super) readiness: Readiness,
    pub(super) limits: Limits,
    pub(super) metrics: Metrics,
}

impl Connections {
    /// Serves one connection to its end. The watcher is told when it is time to finish.
    pub(super) async fn serve(&self, stream: TcpStream, watcher: Watcher) {
        let _open = self.metrics.reviews.connection();
        let accepted = Instant::now();
        // Small answers must not wait for more to come.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(cause = %error, "connection ended before its handshake");
            return;
        }
        match timeout_at(accepted + self.limits.handshake, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => self.requests(stream, watcher, accepted + self.limits.first_request).await,
            Ok(Err(error)) => tracing::debug!(cause = %error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake did not end in time"),
        }
    }

    async fn requests(&self, stream: TlsStream<TcpStream>, watcher: Watcher, first_request: Instant) {
        let asked = AtomicBool::new(false);
        let service = service_fn(|request| {
            asked.store(true, Ordering::Relaxed);
            let answer = self.router.clone().call(request);
            async { answer.await.map(|response| self.closing(response)) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.idle)
            .max_header_size(self.limits.header_bytes)
            .serve_connection(TokioIo::new(stream), service);
        let connection = watcher.watch(connection);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = sleep_until(first_request) => {
                if !asked.load(Ordering::Relaxed) {
                    tracing::debug!("no request came in time");
                    return;
                }
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(cause = %error, "connection ended");
        }
    }

    /// During the drain the client is asked to come again on another connection, which leads it elsewhere.
    fn closing(&self, mut response: Response) -> Response {
        if self.readiness.is_draining() {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}
