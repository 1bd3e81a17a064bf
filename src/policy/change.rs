//! A request, whatever its form, reduced to one change: of which workload, from what, to what, by which way.
//!
//! The rules see nothing else: create, apply, patch, replace and scale are one thing to them.

use std::borrow::Cow;

use super::request::Subresource;
use crate::api::annotation::{Allowed, Consent};
use crate::api::kind::{KindInfo, Kinds, Makes, Resource, Rollout};
use crate::api::mark::{Mark, MarkKey};
use crate::api::object::{Object, Status, same_json};
use crate::api::reference::Regarding;
use crate::api::replicas::Replicas;
use crate::settings::{Mode, Release};

/// What somebody wants to do to one workload.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// The workload.
    pub workload: Workload<'a>,
    /// The way the request came.
    pub via: Via,
    /// The object as it is; absent when it is created.
    pub from: Option<Box<Object<'a>>>,
    /// The object as it will be.
    pub to: Box<Object<'a>>,
    /// The kinds that are guarded.
    pub kinds: Kinds,
    /// The label key of the mark.
    pub key: MarkKey,
    /// By which time, and how far ahead, consent to a disruption is judged.
    pub consent: Consent,
    /// What a workload may ask of its companions.
    pub allowed: Allowed,
    /// Who may take the mark off.
    pub release: Release,
    /// What a broken rule comes to.
    pub mode: Mode,
    /// Whether `strict` means more than `enabled`.
    pub strict: bool,
}

/// The workload that a request is about; for a Scale its parent.
#[derive(Debug, Clone)]
pub struct Workload<'a> {
    /// Its kind.
    pub resource: Resource,
    /// Its namespace.
    pub namespace: Cow<'a, str>,
    /// Its name.
    pub name: Cow<'a, str>,
}

/// The way a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// The object itself.
    Object,
    /// Its `/scale`.
    Scale,
    /// Its `/status`: the spec cannot change, labels and owners may.
    Status,
}

impl Change<'_> {
    /// The workload, as answers and Events name it.
    #[must_use]
    pub fn subject(&self) -> Regarding {
        let Workload { resource, namespace, name } = &self.workload;
        let (group, version) = resource.group_version();
        Regarding {
            group,
            version,
            kind: resource.kind_name(),
            namespace: namespace.to_string(),
            name: name.to_string(),
            uid: self.to.metadata.uid.to_string(),
        }
    }

    /// What there is to know of its kind, if it is a guarded one.
    #[must_use]
    pub const fn kind(&self) -> Option<&'static KindInfo> {
        match self.workload.resource {
            Resource::Guarded(kind) => Some(kind.info()),
            Resource::Unmarkable(_) | Resource::Autoscaler(_) | Resource::Pod | Resource::Unknown => None,
        }
    }

    /// How its Pods are replaced.
    #[must_use]
    pub fn rollout(&self) -> Option<Rollout> {
        self.kind()?.rollout
    }

    /// The mark before the change; absent when the object is created.
    #[must_use]
    pub fn mark_before(&self) -> Mark<'_> {
        self.from.as_ref().map_or(Mark::Absent, |object| object.mark(&self.key))
    }

    /// The mark after the change.
    #[must_use]
    pub fn mark_after(&self) -> Mark<'_> {
        self.to.mark(&self.key)
    }

    /// Whether the object itself is written, and will be strict.
    #[must_use]
    pub fn is_strict(&self) -> bool {
        self.can_be_strict() && self.via == Via::Object && self.mark_after() == Mark::Strict
    }

    /// Whether it is strict so far.
    #[must_use]
    pub fn was_strict(&self) -> bool {
        self.can_be_strict() && self.mark_before() == Mark::Strict
    }

    fn can_be_strict(&self) -> bool {
        self.strict && self.kind().is_none_or(KindInfo::can_be_strict)
    }

    /// Whether it is a new ReplicaSet of a Deployment, with the labels and the template that it was given there: the
    /// Deployment was judged.
    #[must_use]
    pub fn is_of_deployment(&self) -> bool {
        let may_be_behind = self.kind().is_some_and(|info| info.makes == Makes::PodsForOwner);
        self.from.is_none() && may_be_behind && self.to.metadata.maker(self.kinds).is_some()
    }

    /// Whether the Pod template comes to count, or is another one: the requests after which a Pod may be made of it that
    /// could not be before.
    #[must_use]
    pub fn brings_template(&self) -> bool {
        let same = |from: &Object<'_>| same_json(from.spec.template, self.to.spec.template);
        !self.is_of_deployment() && self.from.as_ref().is_none_or(|from| !self.was_strict() || !same(from))
    }

    /// Desired replicas before the change; `None` when the object is created.
    #[must_use]
    pub fn replicas_before(&self) -> Option<Replicas<'_>> {
        self.from.as_ref().map(|object| object.spec.replicas.or(self.absent_replicas()))
    }

    /// Desired replicas after the change.
    #[must_use]
    pub fn replicas_after(&self) -> Replicas<'_> {
        self.to.spec.replicas.or(self.absent_replicas())
    }

    /// Whether the request asks for more replicas than are desired now. A new object asks for all of its own.
    #[must_use]
    pub fn scales_up(&self) -> bool {
        self.replicas_before().is_none_or(|before| self.replicas_after().increases_from(before))
    }

    /// Whether there may be a Pod: one is desired, or the controller still counts one, or knows one that ends.
    #[must_use]
    pub fn may_have_pod(&self) -> bool {
        let counted = |status: &Status<'_>| status.replicas.exceeds(0) || status.terminating_replicas.exceeds(0);
        self.replicas_before().is_some_and(|replicas| replicas.exceeds(0))
            || self.from.as_ref().is_some_and(|object| counted(&object.status))
    }

    /// What the kind says of a workload; a Scale leaves 0 out (`omitempty` in `autoscaling/v1`).
    fn absent_replicas(&self) -> i64 {
        match self.via {
            Via::Scale => 0,
            Via::Object | Via::Status => self.kind().map_or(1, |info| info.replicas.absent),
        }
    }
}

impl From<Subresource> for Via {
    fn from(subresource: Subresource) -> Self {
        match subresource {
            Subresource::Scale => Self::Scale,
            Subresource::Status => Self::Status,
            Subresource::Main | Subresource::Other => Self::Object,
        }
    }
}
