//! How requests reach us: the rows of the webhook configuration, as data.
//!
//! One row is one configuration object. Which resources it watches follows from the kinds, and the conditions without
//! which it is not called follow from the rules' triggers and the defaults. The chart's webhook configurations are
//! generated from here, so that while we are down exactly those requests are held up that could be violations.
//!
//! A row that cannot tell marked from unmarked before asking us has two entries, alike but for the namespaces they are
//! called in and for what an outage does there. Names of entries never change and entries are never taken out of a
//! row: the process writes into them too, and helm could not drop what it does not own alone.

use crate::api::autoscaler::{AUTOSCALERS, AutoscalerInfo};
use crate::api::kind::{KINDS, PODS, UNMARKABLE};
use crate::policy::entry::Row;
use crate::policy::request::Phase;
use crate::policy::rules::RULES;
use crate::policy::{cel, defaults, exemption};

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

/// Resources of one API group that a row watches.
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

impl Row {
    /// The row's name: the last part of the configuration object's.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Workload => "workload",
            Self::First => "first",
            Self::Scale => "scale",
            Self::Owned => "owned",
            Self::Status => "status",
            Self::Defaults => "defaults",
            Self::Released => "released",
            Self::Autoscalers => "autoscalers",
            Self::Pods => "pods",
            Self::PodNames => "pod-names",
        }
    }

    /// What the row is for, in one sentence.
    #[must_use]
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Workload => {
                "judges the marked workloads themselves, and refuses the mark on kinds that cannot be singletons"
            }
            Self::First => {
                "judges what becomes a singleton in namespaces that hold none yet, so that none is born unseen"
            }
            Self::Scale => "judges scaling above one; a Scale carries no labels, so its parent is looked up",
            Self::Owned => "judges what people do to the ReplicaSet behind a Deployment; the Deployment is looked up",
            Self::Status => "keeps the mark from being written through /status",
            Self::Defaults => {
                "completes marked workloads: Recreate for a Deployment, the governing Service of a StatefulSet, the key of a strict one"
            }
            Self::Autoscalers => {
                "judges autoscalers that could newly scale a singleton above one; what they then scale is judged by the rows above"
            }
            Self::Released => {
                "puts back the serviceName of a released StatefulSet, which the API server would not let go"
            }
            Self::Pods => {
                "says which Pod holds the name of a strict singleton; that there is only one is held by the name"
            }
            Self::PodNames => {
                "names the Pods of strict singletons where no MutatingAdmissionPolicy does (before Kubernetes 1.36)"
            }
        }
    }

    /// Its entries, with the same rules and conditions.
    #[must_use]
    pub const fn entries(self) -> &'static [Entry] {
        match self {
            Self::Workload => &[Entry { name: "workload", namespaces: Namespaces::All, outage: Outage::Refuses }],
            Self::First => {
                &[Entry { name: "first", namespaces: Namespaces::WithoutSingletons, outage: Outage::Refuses }]
            }
            Self::Scale => &[
                Entry { name: "scale", namespaces: Namespaces::WithSingletons, outage: Outage::Refuses },
                Entry { name: "scale-elsewhere", namespaces: Namespaces::WithoutSingletons, outage: Outage::LetsPass },
            ],
            Self::Owned => &[
                Entry { name: "owned", namespaces: Namespaces::WithSingletons, outage: Outage::Refuses },
                Entry { name: "owned-elsewhere", namespaces: Namespaces::WithoutSingletons, outage: Outage::LetsPass },
            ],
            Self::Status => &[Entry { name: "status", namespaces: Namespaces::All, outage: Outage::Refuses }],
            // It is advice in time; what an autoscaler does is refused by the other rows.
            Self::Autoscalers => {
                &[Entry { name: "autoscalers", namespaces: Namespaces::WithSingletons, outage: Outage::LetsPass }]
            }
            // Completing an object is a service, not the guard: nobody waits for it, and the validating rows judge
            // what is there without it.
            Self::Defaults => &[Entry { name: "defaults", namespaces: Namespaces::All, outage: Outage::LetsPass }],
            Self::Released => &[Entry { name: "released", namespaces: Namespaces::All, outage: Outage::LetsPass }],
            Self::Pods => &[Entry { name: "pods", namespaces: Namespaces::All, outage: Outage::LetsPass }],
            Self::PodNames => &[Entry { name: "pod-names", namespaces: Namespaces::All, outage: Outage::LetsPass }],
        }
    }

    /// The phase in which it is called.
    #[must_use]
    pub const fn phase(self) -> Phase {
        match self {
            Self::Workload
            | Self::First
            | Self::Scale
            | Self::Owned
            | Self::Status
            | Self::Autoscalers
            | Self::Pods => Phase::Validate,
            Self::Defaults | Self::Released | Self::PodNames => Phase::Mutate,
        }
    }

    /// The operations it watches.
    #[must_use]
    pub const fn operations(self) -> &'static [&'static str] {
        match self {
            Self::Workload | Self::First | Self::Owned | Self::Autoscalers | Self::Defaults => &["CREATE", "UPDATE"],
            Self::Pods | Self::PodNames => &["CREATE"],
            Self::Scale | Self::Status | Self::Released => &["UPDATE"],
        }
    }

    /// The resources it watches, by group.
    #[must_use]
    pub fn watched(self) -> Vec<Watched> {
        let kinds = KINDS.iter().map(|info| (info.group, info.resource.to_owned()));
        let resources: Vec<(&'static str, String)> = match self {
            Self::Workload => {
                kinds.chain(UNMARKABLE.iter().map(|kind| (kind.group, kind.resource.to_owned()))).collect()
            }
            Self::First | Self::Defaults => kinds.collect(),
            Self::Scale => kinds.map(|(group, resource)| (group, format!("{resource}/scale"))).collect(),
            Self::Status => KINDS
                .iter()
                .filter(|info| info.status_writes_labels)
                .map(|info| (info.group, format!("{}/status", info.resource)))
                .collect(),
            Self::Owned => vec![("apps", "replicasets".to_owned()), ("apps", "replicasets/status".to_owned())],
            Self::Autoscalers => {
                return AUTOSCALERS
                    .iter()
                    .map(|kind| kind.info())
                    .map(|&AutoscalerInfo { group, version, resource, .. }| Watched {
                        group,
                        version,
                        resources: vec![resource.to_owned()],
                    })
                    .collect();
            }
            Self::Released => vec![("apps", "statefulsets".to_owned())],
            Self::Pods | Self::PodNames => vec![("", PODS.to_owned())],
        };
        by_group(resources)
    }

    /// Which objects are of interest.
    #[must_use]
    pub const fn selected(self) -> Selected {
        match self {
            Self::Workload | Self::First | Self::Status | Self::Defaults => Selected::Marked,
            Self::Scale | Self::Owned | Self::Autoscalers | Self::Released => Selected::All,
            Self::Pods | Self::PodNames => Selected::Keyed,
        }
    }

    /// What it is there for, if it is not there always.
    #[must_use]
    pub const fn only_for(self) -> Option<Only> {
        match self {
            Self::Pods | Self::PodNames => Some(Only::Strict),
            Self::Autoscalers => Some(Only::Autoscalers),
            _ => None,
        }
    }

    /// The conditions of this row, beside the exemptions that all rows share.
    #[must_use]
    pub fn conditions(self) -> Vec<Condition> {
        let writer = exemption::replica_set_writer_condition();
        match self {
            Self::Workload => vec![
                Condition {
                    name: "not-written-by-controller",
                    expression: format!("request.resource.resource != 'replicasets' || {writer}"),
                },
                Condition { name: "could-break-a-rule", expression: self.triggers() },
            ],
            Self::First => vec![
                // A rollout must finish without us; the ReplicaSet is judged by its Deployment.
                Condition { name: "not-behind-a-deployment", expression: format!("!{}", cel::BEHIND_DEPLOYMENT) },
                // While a replica answers, what `workload` is asked about too is judged, counted and told twice.
                Condition { name: "becomes-marked", expression: format!("{} || !{}", cel::CREATE, cel::WAS_MARKED) },
            ],
            Self::Scale => vec![Condition { name: "scales-above-one", expression: self.triggers() }],
            Self::Owned => vec![
                Condition { name: "not-written-by-controller", expression: writer },
                Condition { name: "behind-a-deployment", expression: cel::BEHIND_DEPLOYMENT.to_owned() },
                Condition { name: "could-break-a-rule", expression: self.triggers() },
            ],
            Self::Status => vec![Condition { name: "mark-changes", expression: self.triggers() }],
            Self::Defaults => vec![
                Condition {
                    name: "not-being-deleted",
                    expression: "!has(object.metadata.deletionTimestamp)".to_owned(),
                },
                Condition { name: "not-controlled", expression: format!("!{}", cel::CONTROLLED) },
                Condition {
                    name: "something-to-fill-in",
                    expression: any(defaults::TRIGGERS.iter().map(|trigger| trigger())),
                },
            ],
            Self::Released => vec![
                Condition { name: "not-marked", expression: format!("!{} && !{}", cel::IS_MARKED, cel::WAS_MARKED) },
                Condition { name: "service-name-lost", expression: defaults::service_name_lost() },
            ],
            Self::Autoscalers => vec![
                Condition {
                    name: "not-made-by-a-scaled-object",
                    expression:
                        "!object.metadata.?ownerReferences.orValue([]).exists(r, r.?controller.orValue(false)\n\
                         && r.kind == 'ScaledObject' && r.apiVersion.startsWith('keda.sh/'))"
                            .to_owned(),
                },
                Condition { name: "newly-above-one", expression: self.triggers() },
            ],
            Self::Pods => Vec::new(),
            Self::PodNames => vec![Condition { name: "name-is-generated", expression: cel::IS_NAMELESS.to_owned() }],
        }
    }

    fn triggers(self) -> String {
        any(RULES.iter().filter_map(|rule| (rule.trigger)(self)))
    }
}

/// The resources of each group together, in version `v1`.
pub(crate) fn by_group(resources: Vec<(&'static str, String)>) -> Vec<Watched> {
    let mut watched: Vec<Watched> = Vec::new();
    for (group, resource) in resources {
        match watched.iter_mut().find(|watched| watched.group == group) {
            Some(watched) => watched.resources.push(resource),
            None => watched.push(Watched { group, version: "v1", resources: vec![resource] }),
        }
    }
    watched
}

fn any(conditions: impl Iterator<Item = String>) -> String {
    let mut conditions: Vec<_> = conditions.collect();
    match conditions.len() {
        1 => conditions.remove(0),
        _ => conditions.iter().map(|condition| format!("({condition})")).collect::<Vec<_>>().join("\n|| "),
    }
}

/// The rows, in the order in which the chart lists them.
pub const ROWS: [Row; 10] = [
    Row::Workload,
    Row::Scale,
    Row::Owned,
    Row::First,
    Row::Status,
    Row::Autoscalers,
    Row::Pods,
    Row::Defaults,
    Row::Released,
    Row::PodNames,
];
