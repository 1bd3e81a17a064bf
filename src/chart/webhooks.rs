//! What the webhook configurations and the policies of the chart are made of, as data.
//!
//! A row that cannot tell marked from unmarked before asking us has two entries, alike but for the namespaces they are
//! called in and for what an outage does there. Names of entries never change and entries are never taken out of a
//! row: the process writes into them too, and helm could not drop what it does not own alone.

use crate::api::autoscaler::AutoscalerInfo;
use crate::api::kind::{KindInfo, Unmarkable};

/// Which objects a row, or a policy, is about, before or after the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selected {
    /// All: a Scale has no labels, and a ReplicaSet is judged by its Deployment's.
    All,
    /// Those that carry the mark.
    Marked,
    /// Those that do not.
    Unmarked,
    /// Those whose mark is `strict`.
    Strict,
    /// Those that carry the key of a strict singleton.
    Keyed,
}

/// One webhook of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Its name, as in `scale`; the API server knows it as `scale.singleton-guard.io`. It is part of the product:
    /// kubectl, events, audit log and metrics carry it.
    pub name: &'static str,
    /// Where it is called.
    pub namespaces: Namespaces,
    /// What becomes of a request that it is called for while no replica answers.
    pub outage: Outage,
}

/// The namespaces in which an entry is called, as far as the process has said which hold singletons. Until then every
/// entry is called in all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespaces {
    /// All.
    All,
    /// Those that hold a singleton.
    WithSingletons,
    /// All others.
    WithoutSingletons,
}

/// What an outage does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// It is refused (`failurePolicy: Fail`, unless the chart is told otherwise).
    Refuses,
    /// It passes (`failurePolicy: Ignore`).
    LetsPass,
}

/// What a row is there for alone, and is left out without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// Strict singletons.
    Strict,
    /// Autoscalers, where they are judged.
    Autoscalers,
}

/// Resources of one version of an API group that a row watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Plural names, with their subresource where there is one.
    pub resources: Vec<String>,
}

/// A CEL condition without which the webhook is not called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Its name.
    pub name: &'static str,
    /// The expression; `MARK` stands for the label key of the mark.
    pub expression: String,
}

impl Entry {
    /// The webhook's whole name.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}.singleton-guard.io", self.name)
    }
}

/// A resource, or the subresource of one.
pub(crate) struct Plural {
    group: &'static str,
    version: &'static str,
    name: String,
}

impl Plural {
    /// A resource of the core group.
    pub(crate) fn core(name: &str) -> Self {
        Self { group: "", version: "v1", name: name.to_owned() }
    }

    /// The objects of a kind, or this of them, as in `/scale`.
    pub(crate) fn of(info: &KindInfo, subresource: &str) -> Self {
        Self { group: info.group, version: info.version, name: format!("{}{subresource}", info.resource) }
    }

    /// The autoscalers of a kind.
    pub(crate) fn autoscaler(info: &AutoscalerInfo) -> Self {
        Self { group: info.group, version: info.version, name: info.resource.to_owned() }
    }

    /// The objects of a kind that the mark is refused on.
    pub(crate) fn unmarkable(kind: &Unmarkable) -> Self {
        Self { group: kind.group, version: kind.version, name: kind.resource.to_owned() }
    }
}

/// The resources of each group together.
pub(crate) fn by_group(resources: impl IntoIterator<Item = Plural>) -> Vec<Watched> {
    let mut all: Vec<Watched> = Vec::new();
    for Plural { group, version, name } in resources {
        match all.iter_mut().find(|watched| (watched.group, watched.version) == (group, version)) {
            Some(watched) => watched.resources.push(name),
            None => all.push(Watched { group, version, resources: vec![name] }),
        }
    }
    all
}
