//! A webhook of the tests' own: any router behind the product's own TLS server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::Result;
use axum::Router;
use singleton_guard::certs::authority::make;
use singleton_guard::certs::provider;
use singleton_guard::certs::serving::{Pair, Serving};
use singleton_guard::server::{Door, Limits, Readiness, Server, tls_config};
use singleton_guard::telemetry::metrics::Metrics;
use tokio::task::JoinHandle;

/// A server that runs until its task is aborted.
pub struct Https {
    /// Where it listens.
    pub address: SocketAddr,
    /// PEM of the authority that vouches for it.
    pub authority: String,
    /// Its task.
    pub task: JoinHandle<()>,
}

/// Serves the router on 127.0.0.1.
pub async fn serve(router: Router) -> Result<Https> {
    let material = make(&["127.0.0.1".to_owned()], SystemTime::now())?;
    let serving = Arc::new(Serving::default());
    serving
        .swap(&Pair::parse(material.leaf.as_bytes(), material.leaf_key.as_bytes(), &provider())?, SystemTime::now())?;
    let (mut door, opened) = Door::listen("127.0.0.1:0".parse()?).await?;
    door.open();
    let tls = Arc::new(tls_config(provider(), serving)?);
    let server = Server::new(opened, tls, router, Readiness::default(), Limits::default(), Metrics::new());
    let task = tokio::spawn(server.serve(std::future::pending()));
    Ok(Https { address: door.address(), authority: material.authority, task })
}
