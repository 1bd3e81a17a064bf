//! The connection to the API server.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use http::{HeaderValue, header};
use kube::client::ClientBuilder;
use kube::config::{InClusterError, KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};
use tower::BoxError;
use tower::util::MapFutureLayer;

use super::Clock;

/// Why there is no connection to the API server. Nothing is sent before the first request, so this is about files and
/// the environment only.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Not in a Pod, or in one without a service account token.
    #[error("no access to the API server: {0}. Run it in a Pod with a ServiceAccount token, or give --kubeconfig")]
    InCluster(#[source] InClusterError),
    /// The kubeconfig file cannot be used.
    #[error("--kubeconfig {path}: {cause}")]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: Box<KubeconfigError>,
    },
    /// Certificates or tokens in the configuration cannot be used.
    #[error("no access to the API server: {}", words(.0))]
    Client(#[source] Box<kube::Error>),
}

/// Makes the client for everything this process asks the API server: with the Pod's own ServiceAccount, or with a
/// kubeconfig file. Every answer sets the clock. Must be called inside a Tokio runtime.
///
/// # Errors
/// [`ConnectError`] names the file or variable.
pub async fn connect(kubeconfig: Option<&Path>, clock: &Clock) -> Result<Client, ConnectError> {
    let mut config = match kubeconfig {
        Some(path) => from_file(path)
            .await
            .map_err(|cause| ConnectError::Kubeconfig { path: path.to_owned(), cause: Box::new(cause) })?,
        None => Config::incluster().map_err(ConnectError::InCluster)?,
    };
    // kube repeats what was answered with 429, 503 or 504 up to fifteen times: an admission request cannot wait, and
    // a compare-and-swap must not be sent again.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT);
    // There is no `read_timeout`: all calls, lists and watches have deadlines of their own, and kube's timer, which it sets
    // anew at every read, wakes the thread once more for each event.
    config.headers.push((header::USER_AGENT, HeaderValue::from_static(USER_AGENT)));
    let clock = clock.clone();
    let listening = MapFutureLayer::new(move |answer| {
        let (clock, asked) = (clock.clone(), Instant::now());
        async move {
            let answer: http::Response<_> = answer.await?;
            clock.heed(answer.headers(), asked);
            Ok::<_, BoxError>(answer)
        }
    });
    let builder = ClientBuilder::try_from(config).map_err(|error| ConnectError::Client(Box::new(error)))?;
    Ok(builder.with_layer(&listening).build())
}

/// What a person needs to know of an error: the API server's own sentence, or the innermost cause.
#[must_use]
pub fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) if !status.message.is_empty() => format!("{} ({})", status.message, status.code),
        error => root_cause(error),
    }
}

/// The innermost error: the outer ones only say that something failed.
pub(crate) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

async fn from_file(path: &Path) -> Result<Config, KubeconfigError> {
    Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &KubeConfigOptions::default()).await
}

/// Every call has a deadline of its own; this bounds what happens in the background after one was missed.
const CONNECT: Duration = Duration::from_secs(5);
const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));
