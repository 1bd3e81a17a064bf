//! A marked workload as the watches read it, reduced at once to what its readers need. Pure.

use std::time::SystemTime;

use serde_json::value::RawValue;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::api::annotation::{Annotations, DISRUPTION, DISRUPTION_ALLOWED_UNTIL, HEADLESS_SERVICE, PUBLISH_NOT_READY};
use crate::api::key::KEY;
use crate::api::kind::{Kind, Kinds, Makes, PodNames, SelectorForm};
use crate::api::mark::{Mark, MarkKey, is_dns_label};
use crate::cluster::seen::{Bounded, LIST_BYTES, Meta, PORTS_BYTES, Seen, TERMS_BYTES, TERMS_MAX};
use crate::cluster::sieve::Keep;
use crate::companions::plan::selector::{Labels, PodLabels, Selector, weight};
use crate::companions::plan::{Owner, POD_NAME, Port, Workload};

/// What is kept of a marked workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marked {
    /// What its companions follow from.
    pub workload: Workload,
    /// The larger of `spec.replicas` and `status.replicas`.
    pub replicas: i64,
    /// The annotation in which a Deployment counts its ReplicaSets: another one means that there is another.
    pub revision: Option<String>,
    /// Whether the mark is (also) our own stamp.
    pub is_stamped: bool,
    /// Of a strict one, how it stands with its Pod.
    pub strict: Option<StrictWorkload>,
}

/// A marked workload that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// Its uid, where that much could be read.
    pub uid: String,
    /// Why it cannot; names no content.
    pub why: &'static str,
}

/// How a strict workload stands with its Pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrictWorkload {
    /// The workload's uid.
    pub uid: String,
    /// The name of its Pod; empty where there is none.
    pub key: String,
    /// Whether it wants one.
    pub wants: bool,
    /// Whether its controller counts one. That of a StatefulSet counts those too that end or have ended.
    pub has: bool,
    /// When its controller was last reminded, by any replica.
    pub reminded: Option<OffsetDateTime>,
}

/// The part of a workload's `spec` that is read.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct WorkloadSpec {
    pub(super) replicas: Option<i64>,
    /// `LabelSelector`, or the plain map of a ReplicationController.
    pub(super) selector: Option<Box<RawValue>>,
    pub(super) service_name: Option<String>,
    pub(super) ordinals: Option<Ordinals>,
    pub(super) template: Option<Template>,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Ordinals {
    start: i64,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct Template {
    metadata: TemplateMetadata,
    spec: PodSpec,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
struct TemplateMetadata {
    labels: Option<Bounded<Labels>>,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
struct PodSpec {
    containers: Option<Bounded<Vec<Container>>>,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
struct Container {
    ports: Option<Vec<Port>>,
}

/// The part of a workload's `status` that is read.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct WorkloadStatus {
    pub(super) replicas: Option<i64>,
}

/// A workload as it is read.
pub type SeenWorkload<'a> = Seen<'a, WorkloadSpec, WorkloadStatus>;

/// What is kept of a workload's metadata as it streams in.
pub(super) fn keep_metadata(kind: Kind, mark: &MarkKey) -> Keep {
    let info = kind.info();
    let annotations = [HEADLESS_SERVICE, PUBLISH_NOT_READY, DISRUPTION, DISRUPTION_ALLOWED_UNTIL, REMINDED];
    let annotations = annotations.into_iter().chain(info.revision);
    let mut metadata = Meta::keep([
        ("labels", Keep::shorts([mark.as_str()])),
        ("annotations", Keep::shorts(annotations)),
        Meta::keep_owners(),
        ("deletionTimestamp", Keep::short()),
    ]);
    // Only ReplicaSets are stamped.
    if info.makes == Makes::PodsForOwner {
        metadata = metadata.and([("managedFields", Keep::items(Keep::shorts(["manager"]), LIST_BYTES))]);
    }
    metadata
}

/// What is kept of a workload as it streams in.
#[must_use]
pub fn keep(kind: Kind, mark: &MarkKey) -> Keep {
    let container = Keep::fields([("ports", Keep::whole(PORTS_BYTES))]);
    let template = Keep::fields([
        ("metadata", Keep::fields([("labels", Keep::whole(TERMS_BYTES))])),
        ("spec", Keep::fields([("containers", Keep::items(container, PORTS_BYTES))])),
    ]);
    let spec = Keep::fields([
        ("replicas", Keep::short()),
        ("selector", Keep::whole(TERMS_BYTES)),
        ("serviceName", Keep::short()),
        ("ordinals", Keep::shorts(["start"])),
        ("template", template),
    ]);
    Keep::fields([("metadata", keep_metadata(kind, mark)), ("spec", spec), ("status", Keep::shorts(["replicas"]))])
}

impl Marked {
    /// Reduces what was read. `stamp` is the field manager of our stamps.
    ///
    /// # Errors
    /// Something that others' work depends on is larger than is read.
    pub fn read(
        seen: SeenWorkload<'_>,
        kind: Kind,
        mark: &MarkKey,
        stamp: &str,
        now: SystemTime,
    ) -> Result<Self, &'static str> {
        let info = kind.info();
        let strict = matches!(Mark::parse(seen.metadata.labels.get(mark.as_str())), Mark::Strict);
        let strict = if strict { Some(StrictWorkload::read(&seen)?) } else { None };
        let Seen { metadata, spec, status } = seen;
        let WorkloadSpec { replicas, selector, service_name, ordinals, template } = spec;
        let Template { metadata: TemplateMetadata { labels }, spec: PodSpec { containers } } =
            template.unwrap_or_default();
        let mut known = within(labels.unwrap_or_default(), "the Pod template has more labels than are read")?;
        let containers = within(containers.unwrap_or_default(), "the containers have more ports than are read")?;
        let selector = match selector {
            None => Some(Selector::of(known.clone())),
            Some(json) => read_selector(json.get(), info.selector),
        };
        let selector = selector.filter(|selector| selector.terms() <= TERMS_MAX).ok_or(SELECTOR)?;
        if known.len() > TERMS_MAX {
            return Err("the Pod template has more labels than are read");
        }
        let name = metadata.name.clone().into_owned();
        if info.pod_names == PodNames::Ordinal {
            let start = ordinals.unwrap_or_default().start;
            // StatefulSetPodNameLabel and PodIndexLabel of apps/v1: the one Pod has exactly these.
            known.insert(POD_NAME.to_owned(), format!("{name}-{start}"));
            known.insert("apps.kubernetes.io/pod-index".to_owned(), start.to_string());
        }
        let controller = metadata.controller()?.map(Owner::from);
        let annotation = |key| metadata.annotations.get(key).map(str::to_owned);
        let managers = metadata.managed_fields.as_ref().within();
        Ok(Self {
            replicas: replicas.unwrap_or(info.replicas.absent).max(status.replicas.unwrap_or(0)),
            revision: info.revision.and_then(annotation),
            is_stamped: managers.is_some_and(|managers| managers.iter().any(|entry| entry.manager == stamp)),
            workload: Workload {
                kind,
                namespace: metadata.namespace.clone().into_owned(),
                name,
                uid: metadata.uid.clone().into_owned(),
                is_deleted: metadata.deletion_timestamp.is_some(),
                controller,
                annotations: annotations(annotation),
                selector,
                key: strict.as_ref().map(|workload| workload.key.clone()).filter(|key| !key.is_empty()),
                pod: PodLabels { known, unknown: info.hash_label },
                ports: containers.into_iter().flat_map(|container| container.ports.unwrap_or_default()).collect(),
                // The API server stores any text here; only one that can be a name is one.
                service_name: service_name.filter(|name| is_dns_label(name)),
                seen: now,
            },
            strict,
        })
    }

    /// About how many bytes of it the workload's owner has chosen the length of.
    #[must_use]
    pub fn weight(&self) -> usize {
        let Workload { annotations, selector, pod, ports, .. } = &self.workload;
        let Annotations { headless_service, publish_not_ready, disruption, disruption_allowed_until } = annotations;
        let texts = [headless_service, publish_not_ready, disruption, disruption_allowed_until]
            .into_iter()
            .flatten()
            .map(String::len);
        let ports = ports.iter().map(|port| size_of::<Port>() + port.name.len());
        selector.weight() + weight(&pod.known) + texts.chain(ports).sum::<usize>()
    }

    /// Whether its Deployment stands for it. Under any other controller it is a singleton of its own, as to the rules.
    #[must_use]
    pub fn is_behind_maker(&self, kinds: Kinds) -> bool {
        let Workload { kind, controller, .. } = &self.workload;
        let makes = |owner: &Owner| owner.kind(kinds).is_some_and(|kind| kind.info().makes == Makes::ReplicaSets);
        kind.info().makes == Makes::PodsForOwner && controller.as_ref().is_some_and(makes)
    }
}

/// Our annotations, by what has the value of each.
fn annotations(value: impl Fn(&'static str) -> Option<String>) -> Annotations<String> {
    Annotations {
        headless_service: value(HEADLESS_SERVICE),
        publish_not_ready: value(PUBLISH_NOT_READY),
        disruption: value(DISRUPTION),
        disruption_allowed_until: value(DISRUPTION_ALLOWED_UNTIL),
    }
}

/// Reads a selector in the form that the kind has.
fn read_selector(json: &str, form: SelectorForm) -> Option<Selector> {
    if form == SelectorForm::Labels {
        return serde_json::from_str(json).ok().map(Selector::of);
    }
    serde_json::from_str(json).ok()
}

impl StrictWorkload {
    /// Of a workload that makes Pods of a key.
    ///
    /// # Errors
    /// The labels of its template are larger than is read.
    pub fn read(Seen { metadata, spec, status }: &SeenWorkload<'_>) -> Result<Self, &'static str> {
        let labels = spec.template.as_ref().and_then(|template| template.metadata.labels.as_ref());
        let key = match labels {
            None => None,
            Some(Bounded::Within(labels)) => labels.get(KEY).cloned(),
            Some(Bounded::Beyond) => return Err("the Pod template has more labels than are read"),
        };
        let reminded = metadata.annotations.get(REMINDED);
        Ok(Self {
            uid: metadata.uid.clone().into_owned(),
            key: key.unwrap_or_default(),
            wants: metadata.deletion_timestamp.is_none() && spec.replicas.unwrap_or(1) > 0,
            has: status.replicas.unwrap_or(0) > 0,
            reminded: reminded.and_then(|said| OffsetDateTime::parse(said, &Rfc3339).ok()),
        })
    }
}

fn within<T>(bounded: Bounded<T>, why: &'static str) -> Result<T, &'static str> {
    bounded.within().ok_or(why)
}

/// When the controller of a ReplicaSet was last reminded.
pub const REMINDED: &str = "singleton-guard.io/reminded";
const SELECTOR: &str = "the selector has more terms than are read";
