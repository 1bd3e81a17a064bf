//! What the API server knows of marked workloads: one watch a kind, and a list from the store itself. Metadata only, and
//! of the marked ones only.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, pin_mut};
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::PartialObjectMeta;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::view::{Heard, Name};
use crate::cluster::resource;
use crate::policy::kind::{KINDS, KindInfo};
use crate::policy::mark::MarkKey;

/// Which kind, by its position in the registry, and what is said about it.
pub(super) type News = (usize, Heard);

/// Starts all watches. They end when the set is dropped.
pub(super) fn start(client: &Client, mark: &MarkKey, tasks: &mut JoinSet<()>) -> mpsc::Receiver<News> {
    let (news, heard) = mpsc::channel(WAITING);
    for (kind, info) in KINDS.iter().enumerate() {
        tasks.spawn(follow(kind, api(client, info), mark.clone(), news.clone()));
    }
    heard
}

/// The namespaces that hold a marked workload at this moment. Without a resourceVersion the list is not older than the
/// request (Kubernetes API concepts, "Resource versions").
///
/// # Errors
/// The API server's.
pub(super) async fn now(client: &Client, mark: &MarkKey) -> Result<BTreeSet<String>, kube::Error> {
    let mut namespaces = BTreeSet::new();
    for info in KINDS {
        let marked = api(client, info).list(&ListParams::default().labels(mark.as_str())).await?;
        namespaces.extend(marked.into_iter().filter_map(|object| object.namespace()));
    }
    Ok(namespaces)
}

/// Follows one kind until nobody listens.
async fn follow(kind: usize, api: Api<Metadata>, mark: MarkKey, news: mpsc::Sender<News>) {
    let config = watcher::Config::default().labels(mark.as_str()).timeout(WATCH_SECONDS);
    let events = watcher(api, config).default_backoff();
    pin_mut!(events);
    let mut trouble = None;
    while let Some(event) = events.next().await {
        let heard = match event {
            Ok(watcher::Event::Init) => Heard::Begin,
            Ok(watcher::Event::InitApply(object)) => Heard::Listed(name(&object)),
            Ok(watcher::Event::InitDone) => Heard::End,
            Ok(watcher::Event::Apply(object)) => Heard::Set(name(&object)),
            Ok(watcher::Event::Delete(object)) => Heard::Unset(name(&object)),
            Err(error) => {
                let cause = error.to_string();
                if trouble.as_ref() != Some(&cause) {
                    tracing::warn!(cause, "cannot watch marked workloads; the list of namespaces stays as it is");
                }
                trouble = Some(cause);
                continue;
            }
        };
        if matches!(heard, Heard::End | Heard::Set(_)) {
            trouble = None;
        }
        if news.send((kind, heard)).await.is_err() {
            return;
        }
    }
}

fn api(client: &Client, info: &KindInfo) -> Api<Metadata> {
    Api::all_with(client.clone(), &resource(info))
}

fn name(object: &Metadata) -> Name {
    (object.namespace().unwrap_or_default(), object.name_any())
}

type Metadata = PartialObjectMeta<DynamicObject>;

/// A connection that is dead without saying so is noticed after this time, and that is how long a namespace could stay
/// unlisted; the renewal costs one request.
const WATCH_SECONDS: u32 = 30;
/// Enough for a page of a list; then the watch waits, not the memory.
const WAITING: usize = 512;
