//! What the API server takes and nobody guards, as data: the mark on a kind that is not ours, and on a Pod template alone.
//! Whoever writes it believes to be guarded, so the API server warns him.
//!
//! One [`WarningPolicy`] is one `ValidatingAdmissionPolicy` that only warns: it refuses nothing, not even where it is broken
//! itself, and asks nobody. The chart's templates are generated from here. Users know these policies as the warnings:
//! the chart's value `warnings.enabled` switches them, and their templates are in its directory `templates/warnings`.

use super::messages::concatenation;
use super::webhooks::{Condition, Plural, Selected, Watched, by_group};
use crate::api::kind::Kinds;
use crate::policy::cel;
use crate::policy::entry::Row;

/// One policy that warns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningPolicy {
    /// The mark on another kind.
    Unguarded,
    /// The mark on the Pod template of one of our kinds, and not on the object itself.
    TemplateOnly,
}

/// One sentence, and when it is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// The CEL condition.
    pub when: String,
    /// The sentence, in which `{kind}` and `{name}` stand for those of the object and `MARK` for the label key of the mark.
    pub says: &'static str,
}

impl WarningPolicy {
    /// The last part of the policy's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unguarded => "unguarded",
            Self::TemplateOnly => "template",
        }
    }

    /// Which objects are of interest.
    #[must_use]
    pub const fn selected(self) -> Selected {
        match self {
            Self::Unguarded => Selected::Marked,
            Self::TemplateOnly => Selected::Unmarked,
        }
    }

    /// The resources it watches, by group; none are all of them.
    #[must_use]
    pub fn watched(self, kinds: Kinds) -> Vec<Watched> {
        match self {
            Self::Unguarded => Vec::new(),
            Self::TemplateOnly => by_group(kinds.that(|_| true).map(|info| Plural::of(info, ""))),
        }
    }

    /// The resources it leaves out: of those the webhooks speak.
    #[must_use]
    pub fn left_out(self, kinds: Kinds) -> Vec<Watched> {
        match self {
            Self::Unguarded => Row::Workload.watched(kinds),
            Self::TemplateOnly => Vec::new(),
        }
    }

    /// The conditions without which nothing is said: the request brings the mark.
    #[must_use]
    pub fn conditions(self) -> Vec<Condition> {
        match self {
            Self::Unguarded => vec![
                Condition {
                    name: "brings-the-mark",
                    expression: format!("{} && ({} || !{})", cel::IS_MARKED, cel::CREATE, cel::WAS_MARKED),
                },
                // A label that a tool puts on everything is on Services and ConfigMaps too, which nobody believes guarded.
                // The Pods of a controller have it from their template.
                Condition {
                    name: "runs-pods",
                    expression: format!(
                        "{IS_POD} ? !{}\n: object.?spec.?replicas.hasValue() || object.?spec.?template.hasValue()",
                        cel::CONTROLLED
                    ),
                },
            ],
            Self::TemplateOnly => vec![
                Condition {
                    name: "brings-the-mark",
                    expression: format!(
                        "{TEMPLATE_IS_MARKED} && !{}\n&& ({} || !{})",
                        cel::IS_MARKED,
                        cel::CREATE,
                        TEMPLATE_IS_MARKED.replacen("object", "oldObject", 1)
                    ),
                },
                // A ReplicaSet has the template of its Deployment, of which it was said.
                Condition { name: "not-controlled", expression: format!("!{}", cel::CONTROLLED) },
            ],
        }
    }

    /// What is said.
    #[must_use]
    pub fn sentences(self) -> Vec<Sentence> {
        match self {
            Self::Unguarded => vec![
                Sentence {
                    when: format!("!({IS_POD})"),
                    says: "nothing guards {kind} {name}: label MARK has no effect on this kind; use a Deployment or StatefulSet",
                },
                Sentence {
                    when: IS_POD.to_owned(),
                    says: "nothing guards Pod {name}: label MARK has no effect on a Pod; put it on a Deployment or StatefulSet",
                },
            ],
            Self::TemplateOnly => vec![Sentence {
                when: "true".to_owned(),
                says: "nothing guards {kind} {name}: label MARK is on its Pod template; put it on its own metadata.labels",
            }],
        }
    }
}

impl Sentence {
    /// The CEL expression of the sentence.
    #[must_use]
    pub fn message(&self) -> String {
        let values = [("{kind}", "object.kind".to_owned()), ("{name}", cel::clip("object.metadata.?name.orValue('')"))];
        concatenation(self.says, &values)
    }

    /// What is said where the expression cannot be evaluated.
    #[must_use]
    pub fn fallback(&self) -> String {
        self.says.replace("{kind} {name}", "this object").replace("Pod {name}", "this Pod")
    }
}

/// All of them.
pub const WARNING_POLICIES: [WarningPolicy; 2] = [WarningPolicy::Unguarded, WarningPolicy::TemplateOnly];

const IS_POD: &str = "request.resource.group == '' && request.resource.resource == 'pods'";
/// Whether the Pod template carries the mark.
const TEMPLATE_IS_MARKED: &str = "object.?spec.?template.?metadata.?labels[?'MARK'].hasValue()";
