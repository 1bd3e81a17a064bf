//! Puts the process together: builds everything once, starts the tasks that must not end, and ends in good order.

mod error;
mod tasks;

use std::future::pending;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use futures_util::FutureExt as _;
use kube::Client;
use tokio::net::TcpListener;
use tokio::runtime::{self, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::api::reference::Regarding;
use crate::args::Serve;
use crate::autoscalers::Watcher;
use crate::certs::authority::{canonical, service_names};
use crate::certs::controller::{Provided, Source};
use crate::certs::lifetimes::Lifetimes;
use crate::certs::serving::Serving;
use crate::certs::{Directory, SecretRef, SelfSigned, WebhookConfiguration, WebhookConfigurationKind, provider};
use crate::cluster::{ApiServer, Clock, Gate, connect};
use crate::companions::Controller as Companions;
use crate::configuration::{self, Current, OwnPod, Reloader};
use crate::events::{Denials, IsKnown, Recorder};
use crate::freshness::Freshness;
use crate::index::Index;
use crate::namespaces;
use crate::server::{
    GatedListener, Handler, Limits, PendingListener, Readiness, Server, operations, router, tls_config,
};
use crate::settings::Settings;
use crate::telemetry::log;
use crate::telemetry::metrics::Metrics;
use crate::{certs, strict};
use tasks::{Signals, Tasks};

pub use error::RunError;

/// Serves until SIGTERM or SIGINT, then drains.
///
/// # Errors
/// [`RunError`]: something given is wrong, or a task that must not end has ended.
pub fn serve(arguments: &Serve) -> Result<(), RunError> {
    let level = log::start(arguments.log_format, &arguments.log_level)?;
    let metrics = Metrics::new();
    let reload = if let Some(path) = &arguments.config {
        let (bytes, settings) = configuration::read(path)?;
        Some(Reloader::new(path.clone(), bytes, settings, level, metrics.clone()))
    } else {
        // There is nothing that could fail to be read.
        metrics.configuration.is_in_force(true);
        None
    };
    raise_descriptors();
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|cause| RunError::System { what: "cannot start threads", cause })?;
    runtime.block_on(run(arguments, reload, metrics))
}

async fn run(arguments: &Serve, reload: Option<Reloader>, metrics: Metrics) -> Result<(), RunError> {
    let mut signals = Signals::new()?;
    let (readiness, (stop, stopped)) = (Readiness::default(), oneshot::channel());
    let mut tasks = start(arguments, reload, metrics, &readiness, stopped).await?;
    tokio::select! {
        ended = tasks.first_to_end() => return Err(RunError::TaskEnded(ended)),
        () = signals.next() => {}
    }
    readiness.drain();
    tracing::info!(seconds = arguments.drain_seconds, "not ready any more; answering until nothing comes");
    tokio::select! {
        ended = tasks.first_to_end() => return Err(RunError::TaskEnded(ended)),
        () = sleep(Duration::from_secs(arguments.drain_seconds)) => {}
        () = signals.next() => {}
    }
    drop(stop);
    let ended = tasks.first_to_end().await;
    tracing::info!("stopped");
    if ended == "webhook" { Ok(()) } else { Err(RunError::TaskEnded(ended)) }
}

/// Builds everything, and starts all tasks. The webhook's alone ends: when `stopped` is dropped or told.
async fn start(
    arguments: &Serve,
    reload: Option<Reloader>,
    metrics: Metrics,
    readiness: &Readiness,
    stopped: oneshot::Receiver<()>,
) -> Result<Tasks, RunError> {
    let (provider, serving, clock) = (provider(), Arc::new(Serving::default()), Clock::default());
    let client = connect(arguments.kubeconfig.as_deref(), &clock).await?;
    let follower = follower()?;
    let following = following(arguments, &follower, &clock).await?;
    let mut tasks = Tasks { follower, set: JoinSet::new(), names: Vec::new() };

    let source = source(arguments, &client)?;
    let (listener, pending) = webhook_listener(arguments).await?;
    let certificate =
        certs::Controller::new(source, Arc::clone(&serving), Arc::clone(&provider), metrics.clone(), readiness)
            .opening(listener);
    let tls = Arc::new(tls_config(provider, serving)?);
    let listener = operations_listener(arguments)?;
    tasks.start("operations", operations::serve(listener, operations::router(readiness.clone(), metrics.clone())));
    tasks.start("certificate", certificate.run());

    let settings = reload.as_ref().map_or_else(|| Settings::default().into(), Reloader::current);
    if let Some(reload) = reload {
        tasks.start("configuration", reload.recording(own_pod(arguments, &client)).run());
    }
    let kinds = settings.get().kinds;
    let instance = arguments.instance.clone().unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned());
    let (index, index_upkeep) = Index::new(following.clone(), settings.clone(), metrics.clone(), clock.clone());
    tasks.follow("index", index_upkeep.run());
    let companions =
        Companions::new(following.clone(), index.clone(), settings.clone(), metrics.clone(), instance.clone());
    tasks.follow("companions", companions.timed(clock.clone()).run());
    let strict =
        strict::Controller::new(following.clone(), index.clone(), settings.clone(), metrics.clone(), instance.clone());
    tasks.follow("strict", strict.run());
    let (autoscalers, watcher) =
        Watcher::new(following.clone(), index.clone(), settings.clone(), metrics.clone(), instance.clone());
    tasks.follow("autoscalers", watcher.run());
    if let Some(namespaces) = namespaces_upkeep(arguments, &following, index.clone(), settings.clone()) {
        tasks.follow("namespaces", namespaces.run());
    }
    let (freshness, freshness_upkeep) = Freshness::new(following, settings.clone(), metrics.clone());
    tasks.follow("freshness", freshness_upkeep.run());
    let recorder = Recorder::new(client.clone(), "singleton-guard.io/admission", "Deny", instance);
    let (denials, writer) = Denials::new(client.clone(), kinds, recorder, is_known(&index), metrics.clone());
    tasks.start("denials", writer.run());

    let handler = Handler::new(settings, ApiServer::new(client, Gate::default(), kinds), metrics.clone());
    let handler = handler.recording(denials).proving(freshness).knowing(index, autoscalers).timed(clock);
    let limits = Limits::default();
    let webhook = router(handler, readiness.clone(), limits);
    let server = Server::new(pending, tls, webhook, readiness.clone(), limits, metrics);
    tasks.start("webhook", server.serve(stopped.map(drop)));
    Ok(tasks)
}

/// The client by which the cluster is followed: its connections are served where it is used.
async fn following(arguments: &Serve, follower: &Handle, clock: &Clock) -> Result<Client, RunError> {
    let (kubeconfig, clock) = (arguments.kubeconfig.clone(), clock.clone());
    let connected = follower.spawn(async move { connect(kubeconfig.as_deref(), &clock).await });
    Ok(connected.await.map_err(|cause| RunError::System { what: "cannot start a client", cause: cause.into() })??)
}

/// Each connection is a descriptor. The soft limit that a Pod gets is often 1024, so that `select(2)` keeps working in
/// programs that use it; Go raises it at start, and so do we, as far as it may be.
fn raise_descriptors() {
    if let Err(error) = rlimit::increase_nofile_limit(DESCRIPTORS) {
        tracing::warn!(cause = %error, "the number of open connections stays low");
    }
}

/// What we are, and say about ourselves; nothing outside of a Pod.
fn own_pod(arguments: &Serve, client: &Client) -> Option<OwnPod> {
    let (namespace, name) = (arguments.namespace.clone()?, arguments.instance.clone()?);
    let uid = arguments.pod_uid.clone().unwrap_or_default();
    let pod = Regarding { group: "", version: "v1", kind: "Pod", namespace, name: name.clone(), uid };
    let recorder = Recorder::new(client.clone(), "singleton-guard.io/configuration", "ReadConfiguration", name);
    Some(OwnPod { pod, recorder })
}

fn source(arguments: &Serve, client: &Client) -> Result<Source, RunError> {
    let of = |kind| move |name: &String| WebhookConfiguration { kind, name: name.clone() };
    let validating = arguments.validating_configuration.iter().map(of(WebhookConfigurationKind::Validating));
    let mutating = arguments.mutating_configuration.iter().map(of(WebhookConfigurationKind::Mutating));
    let configurations = validating.chain(mutating).collect();
    if let Some(directory) = &arguments.certificate_directory {
        let directory = Directory::new(directory.clone());
        return Ok(Source::Provided(Provided { directory, trusted_in: Some((client.clone(), configurations)) }));
    }
    let given = |value: &Option<String>, flag| value.clone().ok_or(RunError::Missing(flag));
    let namespace = given(&arguments.namespace, "namespace")?;
    let mut names = service_names(&given(&arguments.service, "service")?, &namespace);
    names.extend(arguments.certificate_name.iter().map(|name| canonical(name)));
    Ok(Source::SelfSigned(SelfSigned {
        client: client.clone(),
        secret: SecretRef { namespace, name: given(&arguments.certificate_secret, "certificate-secret")? },
        names,
        configurations,
        lifetimes: Lifetimes::new(arguments.authority_life, arguments.certificate_life)?,
    }))
}

/// None without configurations: they are somebody else's.
fn namespaces_upkeep(
    arguments: &Serve,
    client: &Client,
    index: Index,
    settings: Current,
) -> Option<namespaces::Upkeep> {
    let of = |name: &String| WebhookConfiguration { kind: WebhookConfigurationKind::Validating, name: name.clone() };
    let configurations: Vec<_> = arguments.validating_configuration.iter().map(of).collect();
    let own = arguments.namespace.clone().filter(|_| !configurations.is_empty())?;
    Some(namespaces::Upkeep::new(client.clone(), index, settings, own, configurations))
}

async fn webhook_listener(arguments: &Serve) -> Result<(GatedListener, PendingListener), RunError> {
    let address = SocketAddr::new(arguments.bind_address, arguments.port);
    GatedListener::listen(address).await.map_err(|cause| RunError::Listen { flag: "port", address, cause })
}

/// Whether the index has a marked workload of this uid.
fn is_known(index: &Index) -> IsKnown {
    let index = index.clone();
    Arc::new(move |about| index.has(about))
}

fn operations_listener(arguments: &Serve) -> Result<TcpListener, RunError> {
    let (flag, address) = ("operations-port", SocketAddr::new(arguments.bind_address, arguments.operations_port));
    let failed = |cause| RunError::Listen { flag, address, cause };
    let listener = operations::listen(address).map_err(failed)?;
    // Port 0 is any free one.
    let address = listener.local_addr().map_err(failed)?;
    tracing::info!(%address, flag, "listening");
    Ok(listener)
}

/// Where the cluster is followed: one thread, because each event is little work that need not be spread over threads. It
/// ends with the process.
fn follower() -> Result<Handle, RunError> {
    let failed = |cause| RunError::System { what: "cannot start a thread", cause };
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("follower".to_owned())
        .spawn(move || runtime.block_on(pending::<()>()))
        .map_err(failed)?;
    Ok(handle)
}

/// [`Limits::connections`], those of the operations port, and room for everything else.
const DESCRIPTORS: u64 = 8192;
