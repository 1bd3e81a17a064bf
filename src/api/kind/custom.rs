//! Kinds of others that a configuration names: entries of the table that are made at start.
//!
//! Of such a kind no more is known than what is written down there. So it has no rollout that could be judged, its Pods have
//! names that we do not know, and the native floor does not hold it: a policy whose parameters are of a kind that the API
//! server cannot find refuses everything that it matches (kubernetes/kubernetes#122658).

use super::info::{Custom, Kind, KindInfo, Makes, MetricNames, PodNames, ReplicasField, SelectorForm};
use crate::api::text::{HASH_LENGTH, fnv1a};

/// A kind as it is described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// API group.
    pub group: String,
    /// API version.
    pub version: String,
    /// Plural resource name.
    pub resource: String,
    /// `kind` of the object.
    pub kind: String,
    /// Where the desired number of Pods is, as in `spec.replicas`.
    pub replicas_path: String,
    /// What it means where it is absent.
    pub replicas_absent: i64,
    /// The user that its controller is.
    pub controller_user: Option<String>,
    /// Whether it makes ReplicaSets, and not Pods.
    pub owns_replica_sets: bool,
    /// Whether it has a Pod template at `spec.template`.
    pub has_template: bool,
}

/// The entries of these kinds, behind so many others. Their order does not depend on the one of the list, because it decides
/// about names.
#[must_use]
pub fn entries(mut descriptions: Vec<Description>, behind: usize) -> Vec<Kind> {
    descriptions.sort_by(|a, b| (&a.group, &a.resource).cmp(&(&b.group, &b.resource)));
    let orders = (0..).skip(behind);
    orders.zip(descriptions).map(|(order, description)| Kind::new(description.entry(order))).collect()
}

impl Description {
    fn entry(self, order: u16) -> KindInfo {
        let full = format!("{}.{}", self.resource, self.group);
        let every = format!("every {}.{}", self.kind.to_lowercase(), self.group);
        KindInfo {
            order,
            suffix: kept(suffix(&self.kind, &self.group)),
            metrics: MetricNames {
                scale: kept(format!("{full}/scale")),
                status: kept(format!("{full}/status")),
                main: kept(full),
                every: Some(kept(every)),
            },
            name: kept(self.kind),
            group: kept(self.group),
            version: kept(self.version),
            resource: kept(self.resource),
            replicas: ReplicasField { path: kept(self.replicas_path), absent: self.replicas_absent },
            // The strategy of custom resources restores the labels (`statusStrategy.PrepareForUpdate` of apiextensions).
            status_writes_labels: false,
            makes: if self.owns_replica_sets { Makes::ReplicaSets } else { Makes::Pods },
            rollout: None,
            pod_names: PodNames::Unknown,
            selector: SelectorForm::LabelSelector,
            hash_label: None,
            revision: None,
            custom: Some(Custom { controller_user: self.controller_user.map(kept), has_template: self.has_template }),
        }
    }
}

/// What the names of companions end with: short enough for a Service, which has 63 characters.
fn suffix(kind: &str, group: &str) -> String {
    let whole = format!("{}-{}", kind.to_lowercase(), group.replace('.', "-"));
    if whole.len() <= SUFFIX_MAX {
        return whole;
    }
    let short: String = whole.chars().take(SUFFIX_MAX - HASH_LENGTH - 1).collect();
    format!("{}-{:08x}", short.trim_end_matches('-'), fnv1a(&whole))
}

/// A text for as long as the process runs: a table is made at start, and whenever the file is read again.
fn kept(text: String) -> &'static str {
    text.leak()
}

const SUFFIX_MAX: usize = 32;
