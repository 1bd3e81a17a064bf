//! The rules as the API server can hold them by itself, as data: the native floor, which may be switched on, the
//! places of strict singletons, which do not depend on our process, and what only the API server can tell.
//!
//! One [`Place`] is one `ValidatingAdmissionPolicy` with its binding; what it refuses comes from the rules, which state
//! it beside their checks, and the words come from the same catalogue. The chart's templates are generated from here.
//!
//! What a policy sees is less than what we see. The object-level places know all that their rules need. The others
//! know which workloads are marked from parameters that the API server keeps in a cache, which is a moment behind a
//! fresh mark.

use crate::api::kind::{KINDS, Kind, PODS};
use crate::api::mark::MarkKey;
use crate::api::reference::Regarding;
use crate::chart::webhooks::{Condition, Selected, Watched, by_group};
use crate::policy::cel;
use crate::policy::denial::Denial;
use crate::policy::entry::{Place, Refusal, Row};
use crate::policy::rules::RULES;

/// What the parameters of a policy are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    /// Group and version, as in `apps/v1`.
    pub api_version: &'static str,
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
            Self::Scale(kind) => format!("scale-{}", kind.info().resource),
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
            let api_version = if info.group.is_empty() { "v1" } else { "apps/v1" };
            Parameters { api_version, kind: info.name, selected: Selected::Marked }
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
            Self::ScaleBehind | Self::Behind => Some(marked(Kind::Deployment)),
            Self::Eviction => Some(Parameters { api_version: "v1", kind: "Pod", selected: Selected::Keyed }),
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

    /// The resources it watches, by group.
    #[must_use]
    pub fn watched(self) -> Vec<Watched> {
        let kind = match self {
            Self::Scale(kind) => kind.info(),
            Self::ScaleBehind => Kind::ReplicaSet.info(),
            Self::Strict | Self::ServiceRight => return Row::Defaults.watched(),
            Self::StrictBehind => return Row::Owned.watched(),
            Self::Pods => return by_group(POD_WRITES.map(|resource| ("", resource.to_owned())).to_vec()),
            Self::Deletion => return by_group(vec![("", PODS.to_owned())]),
            Self::Eviction => return by_group(vec![("", format!("{PODS}/eviction"))]),
            Self::Workload | Self::Status | Self::Behind => {
                return self.row().map(Row::watched).unwrap_or_default();
            }
        };
        vec![Watched { group: kind.group, version: kind.version, resources: vec![format!("{}/scale", kind.resource)] }]
    }

    /// The conditions without which it is not evaluated: those of the row.
    #[must_use]
    pub fn conditions(self) -> Vec<Condition> {
        let mut conditions = match self {
            Self::Strict | Self::Pods | Self::Deletion | Self::ServiceRight => Vec::new(),
            Self::StrictBehind => {
                vec![Condition { name: "behind-a-deployment", expression: cel::WAS_BEHIND.to_owned() }]
            }
            // So the parameters are looked through for none but such an eviction.
            Self::Eviction => vec![Condition {
                name: "forced",
                expression: "object.?deleteOptions.?gracePeriodSeconds.orValue(30) == 0".to_owned(),
            }],
            _ => self.row().map(Row::conditions).unwrap_or_default(),
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
    pub fn variables(self) -> Vec<(&'static str, String)> {
        let owned_by = |object: &str| {
            format!(
                "{object}.metadata.?ownerReferences.orValue([])\n\
                 .exists(r, r.?controller.orValue(false) && r.uid == params.metadata.uid)"
            )
        };
        let own_before = format!("{} && !{}", cel::WAS_MARKED, cel::WAS_BEHIND);
        let own_after = format!("{} && !{}", cel::IS_MARKED, cel::IS_BEHIND);
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
                let of_its_own = format!("{same}\n&& !{}", cel::IS_BEHIND.replacen("object", "params", 1));
                vec![("before", if kind == Kind::ReplicaSet { of_its_own } else { same.to_owned() })]
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
    pub fn refusals(self) -> Vec<Refusal> {
        RULES.iter().flat_map(|rule| (rule.floor)(self)).collect()
    }

    /// The kind of the object in the words of a refusal: a text, or what stands for it.
    fn kind_name(self) -> &'static str {
        match self {
            Self::Workload | Self::Status | Self::Strict | Self::ServiceRight => "{kind}",
            Self::Scale(kind) => kind.info().name,
            Self::ScaleBehind | Self::Behind | Self::StrictBehind => Kind::ReplicaSet.info().name,
            Self::Pods | Self::Deletion | Self::Eviction => "Pod",
        }
    }

    /// The CEL expression of the object's name.
    const fn object_name(self) -> &'static str {
        match self {
            Self::Deletion => "oldObject.metadata.name",
            Self::Eviction => "request.name",
            _ => "object.metadata.name",
        }
    }
}

impl Refusal {
    /// The CEL expression of the whole message: the webhook's, and the remedy behind it, because a policy that denies
    /// cannot warn.
    #[must_use]
    pub fn message(&self, place: Place) -> String {
        let subject = Regarding {
            group: "",
            kind: place.kind_name(),
            namespace: "{namespace}".to_owned(),
            name: "{name}".to_owned(),
            uid: String::new(),
        };
        // Four characters that the chart replaces, and a key that can be parsed.
        let key = MarkKey::parse("MARK").unwrap_or_default();
        let denial = Denial::new(subject, key, self.violation.clone(), [], None);
        let text = format!("{}; {}", denial.first().line, self.violation.remedy());
        let mut values = vec![
            ("{kind}", "object.kind".to_owned()),
            ("{namespace}", "request.namespace".to_owned()),
            ("{name}", place.object_name().to_owned()),
        ];
        values.extend(self.values.iter().cloned());
        concatenation(&text, &values)
    }

    /// What is shown where the expression cannot be evaluated.
    #[must_use]
    pub fn fallback(&self) -> String {
        format!("{}: {}", self.violation.code(), self.violation.remedy())
    }
}

/// The CEL expression of a text in which some texts stand for values.
pub(crate) fn concatenation(text: &str, values: &[(&'static str, String)]) -> String {
    let quoted = |literal: &str| format!("'{}'", literal.replace('\\', r"\\").replace('\'', r"\'"));
    let mut pieces = Vec::new();
    let mut rest = text;
    let next = |rest: &str| {
        let found = values.iter().filter_map(|(name, value)| rest.find(name).map(|at| (at, *name, value.clone())));
        found.min_by_key(|(at, ..)| *at)
    };
    while let Some((at, name, value)) = next(rest) {
        let (before, after) = rest.split_at(at);
        pieces.extend((!before.is_empty()).then(|| quoted(before)));
        pieces.push(value);
        rest = after.strip_prefix(name).unwrap_or_default();
    }
    pieces.extend((!rest.is_empty()).then(|| quoted(rest)));
    pieces.join("\n+ ")
}

/// The policies of the floor, in the order in which the chart lists them.
#[must_use]
pub fn places() -> Vec<Place> {
    let scales = KINDS.iter().map(|info| Place::Scale(info.kind));
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
