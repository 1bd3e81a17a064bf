//! The kinds of workload: which can be singletons, which cannot, and what a request is about.
//!
//! A [`Kind`] is an entry of a table, [`Kinds`], and [`KindInfo`] says all that differs by kind. Nothing outside of this
//! folder asks which kind it is: the decision, what is generated for the chart and what is watched ask for a field of it,
//! and are given the table. `table` has the entries that every cluster serves.

mod custom;
mod info;
mod table;

use super::autoscaler::{AUTOSCALERS, Autoscaler};
pub use custom::{Description, entries};
pub use info::{
    Custom, Kind, KindInfo, Makes, MetricNames, PodNames, ReplicasField, Rollout, SelectorForm, Unmarkable, group_of,
};
pub use table::{PODS, SPEC_REPLICAS};

/// What the resource of a request is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// A kind we guard.
    Guarded(Kind),
    /// A kind that the mark must not be put on.
    Unmarkable(&'static Unmarkable),
    /// An autoscaler: SG003 speaks about it.
    Autoscaler(Autoscaler),
    /// `v1` Pod: the rules of strict singletons speak about it.
    Pod,
    /// Anything else. No rule speaks about it, so it is allowed: an older replica may be asked about a
    /// resource that only a newer chart knows.
    Unknown,
}

/// A table of kinds.
#[derive(Debug, Clone, Copy)]
pub struct Kinds {
    guarded: &'static [Kind],
    unmarkable: &'static [Unmarkable],
}

impl Kinds {
    /// The kinds that every cluster serves.
    pub const BUILT_IN: Self = Self { guarded: &table::GUARDED, unmarkable: &table::UNMARKABLE };

    /// These beside the ones that every cluster serves. The table is made once and stays.
    #[must_use]
    pub fn with(more: impl IntoIterator<Item = Kind>) -> Self {
        let guarded: Vec<_> = Self::BUILT_IN.iter().chain(more).collect();
        Self { guarded: Box::leak(guarded.into_boxed_slice()), ..Self::BUILT_IN }
    }

    /// These alone: a kind of others has webhook configurations of its own.
    #[must_use]
    pub fn only(these: impl IntoIterator<Item = Kind>) -> Self {
        Self { guarded: Box::leak(these.into_iter().collect()), unmarkable: &[] }
    }

    /// The kinds we guard.
    pub fn iter(self) -> impl Iterator<Item = Kind> + Clone {
        self.guarded.iter().copied()
    }

    /// Those of which this holds.
    pub fn that(self, holds: impl Fn(&KindInfo) -> bool) -> impl Iterator<Item = &'static KindInfo> {
        self.iter().map(Kind::info).filter(move |info| holds(info))
    }

    /// The kinds that the mark is refused on.
    #[must_use]
    pub const fn unmarkable(self) -> &'static [Unmarkable] {
        self.unmarkable
    }

    /// Finds the resource that a request names; the version does not matter, the API server has converted the
    /// object to the one our webhook rules name (`matchPolicy: Equivalent`).
    #[must_use]
    pub fn find(self, group: &str, resource: &str) -> Resource {
        if let Some(kind) = self.iter().find(|kind| kind.info().group == group && kind.info().resource == resource) {
            return Resource::Guarded(kind);
        }
        if (group, resource) == ("", PODS) {
            return Resource::Pod;
        }
        let autoscaler =
            AUTOSCALERS.into_iter().find(|kind| (kind.info().group, kind.info().resource) == (group, resource));
        if let Some(autoscaler) = autoscaler {
            return Resource::Autoscaler(autoscaler);
        }
        self.unmarkable
            .iter()
            .find(|kind| kind.group == group && kind.resource == resource)
            .map_or(Resource::Unknown, Resource::Unmarkable)
    }

    /// Those of others.
    pub fn custom(self) -> impl Iterator<Item = (Kind, &'static Custom)> {
        self.iter().filter_map(|kind| Some((kind, kind.info().custom.as_ref()?)))
    }

    /// The kind of this group and name.
    #[must_use]
    pub fn named(self, group: &str, name: &str) -> Option<Kind> {
        self.iter().find(|kind| kind.info().group == group && kind.info().name == name)
    }

    /// The names of the guarded kinds, as in `StatefulSet, ReplicaSet and Deployment`, with this word before the last one.
    #[must_use]
    pub fn names(self, and: &str) -> String {
        let names: Vec<_> = self.iter().map(|kind| kind.info().name).collect();
        match names.as_slice() {
            [first @ .., last] if !first.is_empty() => format!("{} {and} {last}", first.join(", ")),
            names => names.concat(),
        }
    }
}

impl Default for Kinds {
    fn default() -> Self {
        Self::BUILT_IN
    }
}

impl PartialEq for Kinds {
    fn eq(&self, other: &Self) -> bool {
        self.iter().map(Kind::info).eq(other.iter().map(Kind::info))
    }
}

impl Eq for Kinds {}

impl Resource {
    /// `kind` of the object, as in `StatefulSet`.
    #[must_use]
    pub const fn kind_name(self) -> &'static str {
        match self {
            Self::Guarded(kind) => kind.info().name,
            Self::Unmarkable(kind) => kind.name,
            Self::Autoscaler(kind) => kind.info().name,
            Self::Pod => "Pod",
            Self::Unknown => "object",
        }
    }

    /// What it is called in metrics; `other` for what we do not know, so that a label stays bounded.
    #[must_use]
    pub const fn metric_name(self) -> &'static str {
        match self {
            Self::Guarded(kind) => kind.info().metrics.main,
            Self::Unmarkable(kind) => kind.resource,
            Self::Autoscaler(kind) => kind.info().resource,
            Self::Pod => PODS,
            Self::Unknown => "other",
        }
    }

    /// API group and version; of the core group for what we do not know.
    #[must_use]
    pub const fn group_version(self) -> (&'static str, &'static str) {
        match self {
            Self::Guarded(kind) => (kind.info().group, kind.info().version),
            Self::Unmarkable(kind) => (kind.group, kind.version),
            Self::Autoscaler(kind) => (kind.info().group, kind.info().version),
            Self::Pod | Self::Unknown => ("", "v1"),
        }
    }
}
