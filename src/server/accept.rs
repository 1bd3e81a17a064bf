//! Accepts connections, as many as allowed, until it is told to stop; then lets the open ones finish.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::server::graceful::GracefulShutdown;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::connection::Connections;
use super::limits::Limits;
use super::readiness::Readiness;
use crate::telemetry::metrics::Metrics;

/// The HTTPS server.
pub struct Server {
    listener: TcpListener,
    connections: Arc<Connections>,
}

impl Server {
    /// Serves the router on the listener. Every answer of a drain asks the client to close its connection.
    #[must_use]
    pub fn new(
        listener: TcpListener,
        tls: Arc<ServerConfig>,
        router: Router,
        readiness: Readiness,
        limits: Limits,
        metrics: Metrics,
    ) -> Self {
        let tls = TlsAcceptor::from(tls);
        Self { listener, connections: Arc::new(Connections { tls, router, readiness, limits, metrics }) }
    }

    /// Runs until `stop` is ready, and then until the open connections have ended or [`Limits::finish`] is over.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let Self { listener, connections } = self;
        let graceful = GracefulShutdown::new();
        tokio::select! {
            () = accept(listener, &connections, &graceful) => {}
            () = stop => {}
        }
        let open = graceful.count();
        if timeout(connections.limits.finish, graceful.shutdown()).await.is_err() {
            tracing::warn!(open, "connections were cut off: they did not end in time");
        }
    }
}

/// Never ends. A connection waits in the kernel's queue while as many are open as allowed.
async fn accept(listener: TcpListener, connections: &Arc<Connections>, graceful: &GracefulShutdown) {
    let slots = Arc::new(Semaphore::new(connections.limits.connections.min(Semaphore::MAX_PERMITS)));
    // A semaphore that nobody closes always gives its permit.
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (connections, watcher) = (Arc::clone(connections), graceful.watcher());
                tokio::spawn(async move {
                    connections.serve(stream, watcher).await;
                    drop(slot);
                });
            }
            Err(error) if ended_early(&error) => {}
            Err(error) => {
                tracing::error!(cause = %error, "no connection can be accepted; trying again");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Whether only the one connection that was to be accepted is gone (accept(2)).
fn ended_early(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Without file descriptors (EMFILE) accept fails at once, and again: connections have to end first.
const PAUSE: Duration = Duration::from_millis(250);
