//! The least that serves an axum router over TLS as singleton-guard does: the same TLS settings, the same certificate,
//! no limits, no metrics, no drain. It is under the servers that singleton-guard is compared with.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use singleton_guard::certs::provider;
use singleton_guard::certs::serving::{Pair, Serving};
use singleton_guard::server::tls_config;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Serves the router that `make` returns until the process is killed. `directory` holds `tls.crt` and `tls.key`.
pub(crate) fn run<F: Future<Output = Result<Router>>>(address: SocketAddr, directory: &Path, make: F) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let tls = tls(directory)?;
        let router = make.await?;
        let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
        loop {
            let (stream, _) = listener.accept().await?;
            let (tls, router) = (tls.clone(), router.clone());
            tokio::spawn(async move {
                stream.set_nodelay(true)?;
                let stream = TokioIo::new(tls.accept(stream).await?);
                http1::Builder::new().serve_connection(stream, TowerToHyperService::new(router)).await?;
                anyhow::Ok(())
            });
        }
    })
}

fn tls(directory: &Path) -> Result<TlsAcceptor> {
    let read = |name| fs::read(directory.join(name)).with_context(|| format!("reading {name}"));
    let pair = Pair::parse(&read("tls.crt")?, &read("tls.key")?, &provider())?;
    let serving = Arc::new(Serving::default());
    serving.swap(&pair, SystemTime::now())?;
    Ok(TlsAcceptor::from(Arc::new(tls_config(provider(), serving)?)))
}
