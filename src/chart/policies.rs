//! The rules as the API server can hold them by itself, as data: the native floor, which may be switched on, the
//! places of strict singletons, which do not depend on our process, and what only the API server can tell.
//!
//! One [`Place`] is one `ValidatingAdmissionPolicy` with its binding; what it refuses comes from the rules, which state
//! it beside their checks, and the words come from the same catalogue. The chart's templates are generated from here.
//!
//! What a policy sees is less than what we see. The object-level places know all that their rules need. The others
//! know which workloads are marked from parameters that the API server keeps in a cache, which is a moment behind a
//! fresh mark.

use super::webhooks::{Condition, Plural, Selected, Watched, by_group};
use crate::api::kind::{Kind, Kinds, Makes, PODS};
use crate::policy::cel;
use crate::policy::entry::{Place, Refusal, Row};
use crate::policy::rules::RULES;

/// What the parameters of a policy are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// Group and version, as in `apps/v1`.
    pub api_version: String,
    /// Kind.
    pub kind: &'static str,
    /// Which of them.
    pub selected: Selected,
}

impl Place {
    /// The last part of the policy's name.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Workload => "workload".to_owned(),
            Self::Status => "status".to_owned(),
            Self::Scale(kind) => format!("scale-{}", kind.info().metrics.main),
            Self::ScaleBehind => "scale-owned".to_owned(),
            Self::Behind => "owned".to_owned(),
            Self::Strict => "strict".to_owned(),
            Self::StrictBehind => "strict-owned".to_owned(),
            Self::Pods => "strict-pods".to_owned(),
            Self::Deletion => "strict-deletion".to_owned(),
            Self::Eviction => "strict-eviction".to_owned(),
            Self::ServiceRight => "service-right".to_owned(),
        }
    }

    /// The webhook configuration that judges the same requests while we are up, if one does.
    #[must_use]
    pub const fn row(self) -> Option<Row> {
        match self {
            Self::Workload | Self::Strict | Self::ServiceRight => Some(Row::Workload),
            Self::Status => Some(Row::Status),
            Self::Scale(_) | Self::ScaleBehind => Some(Row::Scale),
            Self::Behind => Some(Row::Owned),
            Self::StrictBehind | Self::Pods | Self::Deletion | Self::Eviction => None,
        }
    }

    /// Whether it is one of the floor, and not of strict singletons or companions.
    #[must_use]
    pub const fn is_floor(self) -> bool {
        !matches!(
            self,
            Self::Strict | Self::StrictBehind | Self::Pods | Self::Deletion | Self::Eviction | Self::ServiceRight
        )
    }

    /// What the parameters are, where there are any.
    #[must_use]
    pub fn parameters(self) -> Option<Parameters> {
        let marked = |kind: Kind| {
            let info = kind.info();
            Parameters { api_version: info.api_version(), kind: info.name, selected: Selected::Marked }
        };
        match self {
            Self::Workload
            | Self::Status
            | Self::Strict
            | Self::StrictBehind
            | Self::Pods
            | Self::Deletion
            | Self::ServiceRight => None,
            Self::Scale(kind) => Some(marked(kind)),
            Self::ScaleBehind | Self::Behind => Some(marked(Kind::DEPLOYMENT)),
            Self::Eviction => Some(Parameters { api_version: "v1".to_owned(), kind: "Pod", selected: Selected::Keyed }),
        }
    }

    /// The operations it watches.
    #[must_use]
    pub fn operations(self) -> &'static [&'static str] {
        match self {
            Self::Pods => &["CREATE", "UPDATE"],
            Self::StrictBehind => &["UPDATE"],
            Self::Deletion => &["DELETE"],
            Self::Eviction => &["CREATE"],
            _ => self.row().map(Row::operations).unwrap_or_default(),
        }
    }

    /// Which objects are of interest.
    #[must_use]
    pub fn selected(self) -> Selected {
        match self {
            Self::Strict => Selected::Strict,
            Self::StrictBehind | Self::Pods | Self::Deletion => Selected::Keyed,
            // An Eviction carries no labels of its Pod.
            Self::Eviction => Selected::All,
            _ => self.row().map_or(Selected::All, Row::selected),
        }
    }

    /// The resources it watches where these kinds are guarded, by group.
    #[must_use]
    pub fn watched(self, kinds: Kinds) -> Vec<Watched> {
        let scale = |kind: Kind| by_group([Plural::of(kind.info(), "/scale")]);
        match self {
            Self::Scale(kind) => scale(kind),
            Self::ScaleBehind => scale(Kind::REPLICA_SET),
            Self::Strict | Self::ServiceRight => Row::Defaults.watched(kinds),
            Self::StrictBehind => Row::Owned.watched(kinds),
            Self::Pods => by_group(POD_WRITES.map(Plural::core)),
            Self::Deletion => by_group([Plural::core(PODS)]),
            Self::Eviction => by_group([Plural::core(&format!("{PODS}/eviction"))]),
            Self::Workload | Self::Status | Self::Behind => {
                self.row().map(|row| row.watched(kinds)).unwrap_or_default()
            }
        }
    }

    /// The conditions without which it is not evaluated: those of the row.
    #[must_use]
    pub fn conditions(self, kinds: Kinds) -> Vec<Condition> {
        let mut conditions = match self {
            Self::Strict | Self::Pods | Self::Deletion | Self::ServiceRight => Vec::new(),
            Self::StrictBehind => {
                vec![Condition { name: "behind-a-deployment", expression: cel::was_behind(kinds) }]
            }
            // So the parameters are looked through for none but such an eviction.
            Self::Eviction => vec![Condition {
                name: "forced",
                expression: "object.?deleteOptions.?gracePeriodSeconds.orValue(30) == 0".to_owned(),
            }],
            _ => self.row().map(|row| row.conditions(kinds)).unwrap_or_default(),
        };
        // That a ReplicaSet loses its own mark is seen by the row of the workloads, which knows no Deployments here.
        if let Some(last) = conditions.last_mut().filter(|_| self == Self::Behind) {
            last.expression.push_str("\n|| ");
            last.expression.push_str(&cel::unmarks());
        }
        conditions
    }

    /// What its refusals call by a name.
    #[must_use]
    pub fn variables(self, kinds: Kinds) -> Vec<(&'static str, String)> {
        let owned_by = |object: &str| {
            format!(
                "{object}.metadata.?ownerReferences.orValue([])\n\
                 .exists(r, r.?controller.orValue(false) && r.uid == params.metadata.uid)"
            )
        };
        let own_before = format!("{} && !{}", cel::WAS_MARKED, cel::was_behind(kinds));
        let own_after = format!("{} && !{}", cel::IS_MARKED, cel::is_behind(kinds));
        match self {
            Self::Workload => {
                vec![("before", format!("{} && {own_before}", cel::UPDATE)), ("after", own_after)]
            }
            Self::Status
            | Self::Strict
            | Self::StrictBehind
            | Self::Pods
            | Self::Deletion
            | Self::Eviction
            | Self::ServiceRight => Vec::new(),
            Self::Scale(kind) => {
                let same = "params.metadata.uid == oldObject.?metadata.?uid.orValue('')";
                let of_its_own = format!("{same}\n&& !{}", cel::is_behind(kinds).replacen("object", "params", 1));
                vec![("before", if kind.info().makes == Makes::PodsForOwner { of_its_own } else { same.to_owned() })]
            }
            // The Deployment controller calls a ReplicaSet after its Deployment and the hash in its selector.
            Self::ScaleBehind => vec![(
                "before",
                "oldObject.?status.?selector.orValue('').split(',').exists(term, term.startsWith('pod-template-hash=')\n\
                 && request.name == params.metadata.name + '-' + term.substring(18))"
                    .to_owned(),
            )],
            Self::Behind => vec![
                ("behind", format!("{} && {}", cel::UPDATE, owned_by("oldObject"))),
                ("before", format!("variables.behind || {} && {own_before}", cel::UPDATE)),
                ("after", format!("{} || {own_after}", owned_by("object"))),
            ],
        }
    }

    /// What it refuses, in the order in which it is reported.
    #[must_use]
    pub fn refusals(self, kinds: Kinds) -> Vec<Refusal> {
        RULES.iter().flat_map(|rule| (rule.floor)(self, kinds)).collect()
    }

    /// The kind of the object in the words of a refusal: a text, or what stands for it.
    pub(super) fn kind_name(self) -> &'static str {
        match self {
            Self::Workload | Self::Status | Self::Strict | Self::ServiceRight => "{kind}",
            Self::Scale(kind) => kind.info().name,
            Self::ScaleBehind | Self::Behind | Self::StrictBehind => Kind::REPLICA_SET.info().name,
            Self::Pods | Self::Deletion | Self::Eviction => "Pod",
        }
    }

    /// The CEL expression of the object's name.
    pub(super) const fn object_name(self) -> &'static str {
        match self {
            Self::Deletion => "oldObject.metadata.name",
            Self::Eviction => "request.name",
            _ => "object.metadata.name",
        }
    }
}

/// The policies of the floor for these kinds, in the order in which the chart lists them.
#[must_use]
pub fn places(kinds: Kinds) -> Vec<Place> {
    let scales = kinds.iter().filter(|kind| kind.info().has_floor()).map(Place::Scale);
    [Place::Workload, Place::Status].into_iter().chain(scales).chain([Place::ScaleBehind, Place::Behind]).collect()
}

/// The policies of strict singletons.
pub const STRICT_PLACES: [Place; 5] =
    [Place::Strict, Place::StrictBehind, Place::Pods, Place::Deletion, Place::Eviction];

/// The policies of companions.
pub const COMPANION_PLACES: [Place; 1] = [Place::ServiceRight];

/// Where the labels of a Pod can be written. A Binding's labels become the Pod's (KEP-4742).
const POD_WRITES: [&str; 6] =
    [PODS, "pods/status", "pods/ephemeralcontainers", "pods/resize", "pods/binding", "bindings"];
