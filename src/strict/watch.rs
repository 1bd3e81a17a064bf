//! The watches of the Pods that carry a key, and of the ReplicaSets that do so without a mark of their own: those of strict
//! Deployments, which take the labels of their template on themselves.

use std::sync::Arc;
use std::time::SystemTime;

use kube::Client;
use tokio::task::JoinSet;

use crate::api::key::KEY;
use crate::api::kind::{Kind, PODS};
use crate::api::mark::MarkKey;
use crate::cluster::feed::{Feed, Reduce};
use crate::cluster::follow::Followed;
use crate::cluster::list::Asked;
use crate::cluster::seen::{LIST_BYTES, Meta, Seen};
use crate::cluster::sieve::Keep;
use crate::cluster::store::{Kept, Store};
use crate::index::marked::{SeenWorkload, StrictWorkload, WorkloadSpec, WorkloadStatus, keep};
use crate::policy::holder::{Asked as AskedToEnd, Holder, State, is_terminal};
use crate::telemetry::metrics::Metrics;

/// A Pod with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyedPod {
    pub(super) uid: String,
    node: String,
    pub(super) is_terminal: bool,
    asked: Option<AskedToEnd>,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodSpec {
    node_name: String,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct PodStatus {
    phase: String,
}

/// The Pods with a key, and the ReplicaSets with one.
pub(super) type Stores = (Arc<Store<(), KeyedPod>>, Arc<Store<(), StrictWorkload>>);

/// Starts both. They end when the set is dropped.
pub(super) fn start(client: &Client, mark: &MarkKey, metrics: &Metrics, tasks: &mut JoinSet<()>) -> Stores {
    let (pods, sets) = (Store::new([()]), Store::new([()]));
    let followed = |name, collection, keep| {
        let list = Asked { collection, selector: KEY.to_owned(), metadata_only: false, keep };
        Followed::new(client, list, name, metrics, "strict.enabled")
    };
    let feed = Feed { store: Arc::clone(&sets), of: (), reduce: Sets };
    tasks.spawn(followed(SETS, Kind::REPLICA_SET.info().collection(), keep(Kind::REPLICA_SET, mark)).follow(feed));
    let feed = Feed { store: Arc::clone(&pods), of: (), reduce: Pods };
    tasks.spawn(followed(PODS, format!("/api/v1/{PODS}"), keep_pod()).follow(feed));
    (pods, sets)
}

fn keep_pod() -> Keep {
    let metadata = Meta::keep([
        ("deletionTimestamp", Keep::short()),
        ("deletionGracePeriodSeconds", Keep::short()),
        ("finalizers", Keep::whole(LIST_BYTES)),
    ]);
    let (spec, status) = (Keep::fields([("nodeName", Keep::short())]), Keep::fields([("phase", Keep::short())]));
    Keep::fields([("metadata", metadata), ("spec", spec), ("status", status)])
}

/// Reads Pods.
struct Pods;
/// Reads ReplicaSets.
struct Sets;

impl Reduce for Pods {
    type Spec = PodSpec;
    type Status = PodStatus;
    type Value = KeyedPod;

    fn read(&self, Seen { metadata, spec, status }: Seen<'_, PodSpec, PodStatus>) -> Result<KeyedPod, &'static str> {
        let Meta { uid, deletion_timestamp, deletion_grace_period_seconds: grace, finalizers, .. } = metadata;
        let grace = grace.and_then(|grace| u64::try_from(grace).ok());
        // Too many to be read are some.
        let has_finalizers = !finalizers.within().is_some_and(|finalizers| finalizers.is_empty());
        Ok(KeyedPod {
            uid: uid.into_owned(),
            node: spec.node_name,
            is_terminal: is_terminal(&status.phase),
            asked: deletion_timestamp.map(|gone_by| AskedToEnd::parse(&gone_by, grace, has_finalizers)),
        })
    }
}

impl Reduce for Sets {
    type Spec = WorkloadSpec;
    type Status = WorkloadStatus;
    type Value = StrictWorkload;

    fn read(&self, seen: SeenWorkload<'_>) -> Result<StrictWorkload, &'static str> {
        StrictWorkload::read(&seen)
    }
}

impl Kept for KeyedPod {}
impl Kept for StrictWorkload {}

impl KeyedPod {
    /// Whether another one is to follow it.
    pub(super) const fn goes(&self) -> bool {
        self.is_terminal || self.asked.is_some()
    }

    /// The Pod as the holder of its name.
    pub(super) fn holder(&self, now: SystemTime) -> Holder {
        let state = State::of(self.asked, &self.node, self.is_terminal, now);
        Holder { node: self.node.clone(), is_strict: true, state, controller: String::new() }
    }
}

const SETS: &str = "replicasets of a key";
/// What is watched, as the metric calls it.
pub(super) const NAMES: [&str; 2] = [SETS, PODS];
