//! How requests reach us: the rows of the webhook configuration.
//!
//! One row is one configuration object. Which resources it watches follows from the kinds, and the conditions without
//! which it is not called follow from the rules' triggers and the defaults. The chart's webhook configurations are
//! generated from here, so that while we are down exactly those requests are held up that could be violations.

use super::webhooks::{Condition, Entry, Namespaces, Only, Outage, Plural, Selected, Watched, by_group};
use crate::api::autoscaler::AUTOSCALERS;
use crate::api::kind::{Kinds, Makes, PODS, PodNames};
use crate::policy::entry::Row;
use crate::policy::request::Phase;
use crate::policy::rules::RULES;
use crate::policy::{cel, defaults, exemption};

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
                "completes marked workloads: Recreate for a Deployment, the governing Service of a StatefulSet, the key of a strict one; names the autoscaler of what becomes marked"
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

    /// The resources it watches where these kinds are guarded, by group.
    #[must_use]
    pub fn watched(self, kinds: Kinds) -> Vec<Watched> {
        let all = || kinds.that(|_| true);
        let objects = || all().map(|info| Plural::of(info, ""));
        match self {
            Self::Workload => by_group(objects().chain(kinds.unmarkable().iter().map(Plural::unmarkable))),
            Self::First | Self::Defaults => by_group(objects()),
            Self::Scale => by_group(all().map(|info| Plural::of(info, "/scale"))),
            Self::Status => {
                by_group(kinds.that(|info| info.status_writes_labels).map(|info| Plural::of(info, "/status")))
            }
            Self::Owned => {
                let sets = kinds.that(|info| info.makes == Makes::PodsForOwner);
                by_group(sets.flat_map(|info| ["", "/status"].map(|subresource| Plural::of(info, subresource))))
            }
            Self::Released => {
                let numbered = kinds.that(|info| info.pod_names == PodNames::Ordinal);
                by_group(numbered.map(|info| Plural::of(info, "")))
            }
            Self::Autoscalers => by_group(AUTOSCALERS.map(|kind| Plural::autoscaler(kind.info()))),
            Self::Pods | Self::PodNames => by_group([Plural::core(PODS)]),
        }
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

    /// The conditions of this row where these kinds are guarded, beside the exemptions that all rows share.
    #[must_use]
    pub fn conditions(self, kinds: Kinds) -> Vec<Condition> {
        let writer = exemption::replica_set_writer_condition(kinds);
        match self {
            Self::Workload => {
                let is_set = cel::is(kinds, |info| info.makes == Makes::PodsForOwner);
                let written = is_set.map(|is_set| Condition {
                    name: "not-written-by-controller",
                    expression: format!("{} || {writer}", is_set.replacen("==", "!=", 1)),
                });
                let breaks = Condition { name: "could-break-a-rule", expression: self.triggers(kinds) };
                written.into_iter().chain([breaks]).collect()
            }
            Self::First => {
                // A rollout must finish without us; the ReplicaSet is judged by its Deployment.
                let has_sets = kinds.that(|info| info.makes == Makes::PodsForOwner).next().is_some();
                let behind = has_sets.then(|| Condition {
                    name: "not-behind-a-deployment",
                    expression: format!("!{}", cel::is_or_was_behind(kinds)),
                });
                // While a replica answers, what `workload` is asked about too is judged, counted and told twice.
                let becomes = format!("{} || !{}", cel::CREATE, cel::WAS_MARKED);
                behind.into_iter().chain([Condition { name: "becomes-marked", expression: becomes }]).collect()
            }
            Self::Scale => vec![Condition { name: "scales-above-one", expression: self.triggers(kinds) }],
            Self::Owned => vec![
                Condition { name: "not-written-by-controller", expression: writer },
                Condition { name: "behind-a-deployment", expression: cel::is_or_was_behind(kinds) },
                Condition { name: "could-break-a-rule", expression: self.triggers(kinds) },
            ],
            Self::Status => vec![Condition { name: "mark-changes", expression: self.triggers(kinds) }],
            Self::Defaults => vec![
                Condition {
                    name: "not-being-deleted",
                    expression: "!has(object.metadata.deletionTimestamp)".to_owned(),
                },
                Condition { name: "not-controlled", expression: format!("!{}", cel::CONTROLLED) },
                Condition {
                    name: "something-to-fill-in-or-to-say",
                    expression: any(defaults::triggers(kinds).chain(self.triggers_of_rules(kinds))),
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
                Condition { name: "newly-above-one", expression: self.triggers(kinds) },
            ],
            Self::Pods => Vec::new(),
            Self::PodNames => vec![Condition { name: "name-is-generated", expression: cel::IS_NAMELESS.to_owned() }],
        }
    }

    fn triggers(self, kinds: Kinds) -> String {
        any(self.triggers_of_rules(kinds))
    }

    fn triggers_of_rules(self, kinds: Kinds) -> impl Iterator<Item = String> {
        RULES.iter().filter_map(move |rule| (rule.trigger)(self, kinds))
    }
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
