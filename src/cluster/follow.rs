//! One watch: it lists, follows, and lists again when it has lost the thread. Of each object only what somebody asked for
//! is decoded, and that is reduced at once. What cannot be watched is said once, and tried again with growing pauses.

use std::borrow::Cow;
use std::fmt::Debug;
use std::time::Duration;

use futures_util::{StreamExt as _, pin_mut};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Api, ApiResource};
use kube::core::{DynamicResourceScope, GroupVersionKind};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::telemetry::metrics::Metrics;

/// What a watch says.
#[derive(Debug)]
pub(crate) enum Heard<V> {
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

/// An object with `spec` and `status` as far as `S` and `T` name fields.
#[derive(Debug, Clone, serde::Deserialize)]
pub(crate) struct Seen<S, T = Nothing> {
    pub(crate) metadata: ObjectMeta,
    #[serde(default)]
    pub(crate) spec: S,
    #[serde(default)]
    pub(crate) status: T,
}

/// Nothing of it is read.
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub(crate) struct Nothing {}

/// A resource to be followed.
pub(crate) struct Followed {
    resource: ApiResource,
    /// How the metric calls this watch.
    name: &'static str,
    metrics: Metrics,
    /// What grants the right to it, for who has taken it away.
    granted_by: &'static str,
}

impl Followed {
    /// Names it. The metric says that its watch is not up to date yet.
    pub(crate) fn new(
        name: &'static str,
        (group, version, kind, plural): (&str, &str, &str, &str),
        metrics: &Metrics,
        granted_by: &'static str,
    ) -> Self {
        let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        let followed = Self { resource, name, metrics: metrics.clone(), granted_by };
        followed.synced(false);
        followed
    }

    /// It is up to date, whatever the trouble was.
    fn follows_again(&self, trouble: &mut Option<String>) {
        self.synced(true);
        if trouble.take().is_some() {
            let ApiResource { group, plural, .. } = &self.resource;
            tracing::info!(group, resource = plural, "watching again");
        }
    }

    fn synced(&self, is_synced: bool) {
        self.metrics.synced(self.name, is_synced);
    }
}

/// Follows one kind until nobody listens.
pub(crate) async fn follow<S, T, V, N>(
    client: Client,
    followed: Followed,
    config: watcher::Config,
    news: mpsc::Sender<N>,
    reduce: impl Fn(Seen<S, T>) -> V,
    about: impl Fn(Heard<V>) -> N,
) where
    S: Clone + Debug + Default + DeserializeOwned + Send + 'static,
    T: Clone + Debug + Default + DeserializeOwned + Send + 'static,
{
    let resource = &followed.resource;
    let api: Api<Seen<S, T>> = Api::all_with(client, resource);
    let events = watcher(api, config).default_backoff();
    pin_mut!(events);
    let (mut trouble, mut was_whole) = (None, false);
    loop {
        // While nothing changes a watch says nothing, also where it has gone on after trouble from where it was. Who tries
        // in vain would be heard of by then.
        let patience = if trouble.is_some() && was_whole { SILENCE } else { Duration::MAX };
        let event = match timeout(patience, events.next()).await {
            Ok(Some(event)) => event,
            Ok(None) => return,
            Err(_) => {
                followed.follows_again(&mut trouble);
                continue;
            }
        };
        let heard = match event {
            Ok(watcher::Event::Init) => Heard::Begin,
            Ok(watcher::Event::InitApply(object)) => Heard::Listed(object.key(), reduce(object)),
            Ok(watcher::Event::InitDone) => Heard::End,
            Ok(watcher::Event::Apply(object)) => Heard::Set(object.key(), reduce(object)),
            Ok(watcher::Event::Delete(object)) => Heard::Unset(object.key()),
            Err(error) => {
                let cause = error.to_string();
                let hint = if is_forbidden(&error) {
                    format!(
                        "the ClusterRole needs a rule with the verbs list and watch on it; the chart grants them with {}",
                        followed.granted_by
                    )
                } else {
                    String::new()
                };
                if trouble.as_ref() != Some(&cause) {
                    tracing::warn!(group = resource.group, resource = resource.plural, cause, hint, "cannot watch");
                }
                trouble = Some(cause);
                followed.synced(false);
                continue;
            }
        };
        if matches!(heard, Heard::End | Heard::Set(..) | Heard::Unset(..)) {
            was_whole = true;
            followed.follows_again(&mut trouble);
        } else if matches!(heard, Heard::Begin) {
            was_whole = false;
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

/// A connection that is dead without saying so is noticed after this time, and that is how long a change could stay
/// unseen; the renewal costs one request.
pub(crate) fn config() -> watcher::Config {
    watcher::Config::default().timeout(WATCH_SECONDS)
}

impl<S, T> Seen<S, T> {
    /// Namespace and name.
    pub(crate) fn key(&self) -> (String, String) {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        (text(&self.metadata.namespace), text(&self.metadata.name))
    }
}

impl<S, T> Resource for Seen<S, T> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }

    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }

    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }

    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

const WATCH_SECONDS: u32 = 30;
/// More than one attempt in vain takes: the client waits 180 s for an answer, and a watch up to 60 s between attempts.
const SILENCE: Duration = Duration::from_secs(300);
/// Only a panic ends one of several watches. Then all begin again, when it has been read in the log.
pub(crate) const AFTER_A_PANIC: Duration = Duration::from_secs(30);
/// Enough for a page of a list; then the watch waits, not the memory.
pub(crate) const WAITING: usize = 512;
