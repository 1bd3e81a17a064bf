//! Accepts connections from an open listener, as many as allowed, until it is told to stop; then lets the open ones finish.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::server::graceful::GracefulShutdown;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::connection::Connections;
use super::limits::Limits;
use super::listener::PendingListener;
use super::readiness::Readiness;
use crate::telemetry::metrics::Metrics;

/// The HTTPS server.
pub struct Server {
    pending: PendingListener,
    connections: Arc<Connections>,
}

impl Server {
    /// Serves the router behind a listener. Every answer of a drain asks the client to close its connection.
    #[must_use]
    pub fn new(
        pending: PendingListener,
        tls: Arc<ServerConfig>,
        router: Router,
        readiness: Readiness,
        limits: Limits,
        metrics: Metrics,
    ) -> Self {
        let tls = TlsAcceptor::from(tls);
        Self { pending, connections: Arc::new(Connections { tls, router, readiness, limits, metrics }) }
    }

    /// Runs until `stop` is ready, and then until the open connections have ended or [`Limits::finish`] is over.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let Self { pending, connections } = self;
        let Limits { connections: limit, finish, .. } = connections.limits;
        let graceful = GracefulShutdown::new();
        let each = |stream| {
            let (connections, watcher) = (Arc::clone(&connections), graceful.watcher());
            async move { connections.serve(stream, watcher).await }
        };
        let serve = async {
            if let Some(listener) = pending.listener().await {
                accept(listener, limit, each).await;
            }
        };
        tokio::select! {
            () = serve => {}
            () = stop => {}
        }
        let open = graceful.count();
        if timeout(finish, graceful.shutdown()).await.is_err() {
            tracing::warn!(open, "connections were cut off: they did not end in time");
        }
    }
}

/// Serves each connection in a task of its own, for ever. While as many as the limit are open, the next ones wait in
/// the kernel's queue.
async fn accept<F>(listener: TcpListener, limit: usize, each: impl Fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let slots = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
    // A semaphore that nobody closes always gives its permit.
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let connection = each(stream);
                tokio::spawn(async move {
                    connection.await;
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
pub(super) fn ended_early(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Without file descriptors (EMFILE) accept fails at once, and again: connections have to end first.
pub(super) const PAUSE: Duration = Duration::from_millis(250);
