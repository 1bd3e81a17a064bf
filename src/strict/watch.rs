//! The watches: the Pods that carry a key, and the workloads whose controllers make them: those that are strict, and the
//! ReplicaSets of Deployments, which take the labels of their template on themselves.

use std::time::SystemTime;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::cluster::follow::{Followed, Heard, Seen, WAITING, config, follow};
use crate::policy::holder::{Asked, Holder, State, is_terminal};
use crate::policy::key::KEY;
use crate::policy::kind::{Kind, PODS};
use crate::policy::mark::{MarkKey, STRICT};
use crate::telemetry::metrics::Metrics;

/// What the watches say.
#[derive(Debug)]
pub(super) enum News {
    /// About Pods with a key.
    Pod(Heard<Keyed>),
    /// About strict workloads, by the position of their kind in [`MAKERS`].
    Workload(usize, Heard<Wanting>),
}

/// A Pod with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Keyed {
    pub(super) uid: String,
    node: String,
    pub(super) is_terminal: bool,
    asked: Option<Asked>,
}

/// A strict workload, as far as it wants a Pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanting {
    pub(super) uid: String,
    /// The name of its Pod.
    pub(super) key: String,
    /// Whether it wants one.
    pub(super) wants: bool,
    /// Whether its controller counts one. That of a StatefulSet counts those too that end or have ended.
    pub(super) has: bool,
    /// When its controller was last reminded, by any replica.
    pub(super) reminded: Option<OffsetDateTime>,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodSpec {
    node_name: String,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
struct PodStatus {
    phase: String,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
struct WorkloadSpec {
    replicas: Option<i64>,
    template: Template,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
struct Template {
    metadata: ObjectMeta,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
struct WorkloadStatus {
    replicas: i64,
}

/// Starts all of them. They end when the set is dropped.
pub(super) fn start(
    client: &Client,
    mark: &MarkKey,
    metrics: &Metrics,
    tasks: &mut JoinSet<()>,
) -> mpsc::Receiver<News> {
    let (news, heard) = mpsc::channel(WAITING);
    let followed = |name, names| Followed::new(name, names, metrics, "strict.enabled");
    for (maker, (name, kind)) in MAKERS.into_iter().enumerate() {
        let info = kind.info();
        let workloads = followed(name, (info.group, info.version, info.name, info.resource));
        let strict = config().labels(&if maker == 0 { KEY.to_owned() } else { format!("{mark}={STRICT}") });
        let about = move |heard| News::Workload(maker, heard);
        tasks.spawn(follow(client.clone(), workloads, strict, news.clone(), wanting, about));
    }
    let pods = followed(PODS, ("", "v1", "Pod", PODS));
    tasks.spawn(follow(client.clone(), pods, config().labels(KEY), news, keyed, News::Pod));
    heard
}

fn keyed(seen: Seen<PodSpec, PodStatus>) -> Keyed {
    let ObjectMeta { uid, deletion_timestamp, deletion_grace_period_seconds, finalizers, .. } = seen.metadata;
    let grace = deletion_grace_period_seconds.and_then(|grace| u64::try_from(grace).ok());
    let has_finalizers = finalizers.is_some_and(|finalizers| !finalizers.is_empty());
    let asked = deletion_timestamp.map(|gone_by| Asked::read(gone_by.0.into(), grace, has_finalizers));
    Keyed {
        uid: uid.unwrap_or_default(),
        node: seen.spec.node_name,
        is_terminal: is_terminal(&seen.status.phase),
        asked,
    }
}

fn wanting(mut seen: Seen<WorkloadSpec, WorkloadStatus>) -> Wanting {
    let labels = seen.spec.template.metadata.labels.as_mut();
    let said = seen.metadata.annotations.as_ref().and_then(|annotations| annotations.get(REMINDED));
    Wanting {
        uid: seen.metadata.uid.unwrap_or_default(),
        key: labels.and_then(|labels| labels.remove(KEY)).unwrap_or_default(),
        wants: seen.metadata.deletion_timestamp.is_none() && seen.spec.replicas.unwrap_or(1) > 0,
        has: seen.status.replicas > 0,
        reminded: said.and_then(|said| OffsetDateTime::parse(said, &Rfc3339).ok()),
    }
}

impl Keyed {
    /// Whether another one is to follow it.
    pub(super) const fn goes(&self) -> bool {
        self.is_terminal || self.asked.is_some()
    }

    /// The Pod as the holder of its name.
    pub(super) fn holder(&self, now: SystemTime) -> Holder {
        let state = State::of(self.asked, &self.node, self.is_terminal, now);
        Holder { node: self.node.clone(), is_strict: true, state }
    }
}

/// When the controller of a ReplicaSet was last reminded.
pub(super) const REMINDED: &str = "singleton-guard.io/reminded";
/// Whose controllers make Pods, each with the name of its watch. The first are those that carry the key themselves; a
/// ReplicaSet may be among them and among the strict ones.
pub(super) const MAKERS: [(&str, Kind); 4] = [
    ("replicasets of a key", Kind::ReplicaSet),
    ("strict replicasets", Kind::ReplicaSet),
    ("strict replicationcontrollers", Kind::ReplicationController),
    ("strict statefulsets", Kind::StatefulSet),
];
