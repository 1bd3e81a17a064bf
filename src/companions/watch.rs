//! The watches: each lists, follows, and lists again when it has lost the thread; all of them end in one channel. What
//! cannot be watched is said once, and tried again with growing pauses.

use std::time::SystemTime;

use futures_util::{StreamExt as _, pin_mut};
use kube::api::{Api, ApiResource};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, core::GroupVersionKind};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::seen::{Marked, Seen, SeenBudgetSpec, SeenServiceSpec, WorkloadSpec, WorkloadStatus};
use crate::policy::companions::{BudgetSpec, Existing, ServiceSpec};
use crate::policy::kind::{KINDS, Kind};
use crate::policy::mark::MarkKey;
use crate::telemetry::metrics::Metrics;

/// What a watch says about one kind of object.
#[derive(Debug)]
pub(super) enum Heard<V> {
    /// A list begins.
    Begin,
    /// An object of the list.
    Listed((String, String), V),
    /// The list is whole.
    End,
    /// An object is new or has changed.
    Set((String, String), V),
    /// An object is gone, or no longer selected.
    Unset((String, String)),
}

/// What the watches say.
#[derive(Debug)]
pub(super) enum News {
    /// About marked workloads of a kind.
    Workload(Kind, Heard<Marked>),
    /// About Services.
    Service(Heard<Existing<ServiceSpec>>),
    /// About budgets.
    Budget(Heard<Existing<BudgetSpec>>),
}

/// Whether the watch of one resource is up to date, for the metric.
struct Synced {
    resource: &'static str,
    metrics: Metrics,
}

impl Synced {
    fn set(&self, is_synced: bool) {
        self.metrics.synced(self.resource, is_synced);
    }
}

/// Starts all of them. They end when the set is dropped.
pub(super) fn start(
    client: &Client,
    mark: &MarkKey,
    metrics: &Metrics,
    tasks: &mut JoinSet<()>,
) -> mpsc::Receiver<News> {
    let (news, heard) = mpsc::channel(WAITING);
    for info in KINDS {
        let resource = watched(info.group, info.version, info.name, info.resource, metrics);
        let marked = config().labels(mark.as_str());
        let kind = info.kind;
        let reduce = move |seen: Seen<WorkloadSpec, WorkloadStatus>| seen.marked(kind, SystemTime::now());
        tasks.spawn(follow(client.clone(), resource, marked, news.clone(), reduce, move |heard| {
            News::Workload(kind, heard)
        }));
    }
    let services = watched("", "v1", "Service", "services", metrics);
    let reduce = Seen::<SeenServiceSpec>::service;
    tasks.spawn(follow(client.clone(), services, config(), news.clone(), reduce, News::Service));
    let budgets = watched("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", metrics);
    let reduce = Seen::<SeenBudgetSpec>::budget;
    tasks.spawn(follow(client.clone(), budgets, config(), news, reduce, News::Budget));
    heard
}

/// Follows one kind until nobody listens.
async fn follow<S, T, V>(
    client: Client,
    (resource, synced): (ApiResource, Synced),
    config: watcher::Config,
    news: mpsc::Sender<News>,
    reduce: impl Fn(Seen<S, T>) -> V,
    about: impl Fn(Heard<V>) -> News,
) where
    S: Clone + std::fmt::Debug + Default + DeserializeOwned + Send + 'static,
    T: Clone + std::fmt::Debug + Default + DeserializeOwned + Send + 'static,
{
    let api: Api<Seen<S, T>> = Api::all_with(client, &resource);
    let events = watcher(api, config).default_backoff();
    pin_mut!(events);
    let mut trouble = None;
    while let Some(event) = events.next().await {
        let heard = match event {
            Ok(watcher::Event::Init) => Heard::Begin,
            Ok(watcher::Event::InitApply(object)) => Heard::Listed(object.key(), reduce(object)),
            Ok(watcher::Event::InitDone) => Heard::End,
            Ok(watcher::Event::Apply(object)) => Heard::Set(object.key(), reduce(object)),
            Ok(watcher::Event::Delete(object)) => Heard::Unset(object.key()),
            Err(error) => {
                let cause = error.to_string();
                let hint = if is_forbidden(&error) {
                    "the ClusterRole needs a rule with the verbs list and watch on it; the chart grants them with companions.enabled"
                } else {
                    ""
                };
                if trouble.as_ref() != Some(&cause) {
                    tracing::warn!(group = resource.group, resource = resource.plural, cause, hint, "cannot watch");
                }
                trouble = Some(cause);
                synced.set(false);
                continue;
            }
        };
        // While nothing changes a watch says nothing; after trouble the next list or object shows that it follows again.
        if matches!(heard, Heard::End | Heard::Set(..)) {
            synced.set(true);
        }
        if trouble.is_some() && matches!(heard, Heard::End | Heard::Set(..)) {
            tracing::info!(group = resource.group, resource = resource.plural, "watching again");
            trouble = None;
        }
        if news.send(about(heard)).await.is_err() {
            return;
        }
    }
}

fn is_forbidden(error: &watcher::Error) -> bool {
    let (watcher::Error::InitialListFailed(kube::Error::Api(status))
    | watcher::Error::WatchStartFailed(kube::Error::Api(status))
    | watcher::Error::WatchFailed(kube::Error::Api(status))
    | watcher::Error::WatchError(status)) = error
    else {
        return false;
    };
    status.is_forbidden()
}

fn watched(group: &str, version: &str, kind: &str, plural: &'static str, metrics: &Metrics) -> (ApiResource, Synced) {
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    let synced = Synced { resource: plural, metrics: metrics.clone() };
    synced.set(false);
    (resource, synced)
}

/// A connection that is dead without saying so is noticed after this time, and that is how long a user's new budget
/// could stay unseen; the renewal costs one request.
fn config() -> watcher::Config {
    watcher::Config::default().timeout(WATCH_SECONDS)
}

const WATCH_SECONDS: u32 = 30;
/// Enough for a page of a list; then the watch waits, not the memory.
const WAITING: usize = 512;
