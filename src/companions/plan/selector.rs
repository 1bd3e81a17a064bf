//! Which Pods a selector means: the whole of `LabelSelector` (`meta/v1`), as the API server evaluates it.
//!
//! No Pod is looked at: the labels are those of the Pod template, and the few that controllers add.

use std::collections::BTreeMap;
use std::fmt;

use crate::api::json::nullable;

/// Labels by key.
pub type Labels = BTreeMap<String, String>;

/// `LabelSelector`. Empty means every Pod; an absent one means none, so absence is the owner's `Option`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Selector {
    /// Labels that must have exactly these values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "nullable")]
    pub match_labels: Labels,
    /// Further conditions, all of which must hold.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub match_expressions: Vec<Requirement>,
}

/// `LabelSelectorRequirement`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Requirement {
    /// The label it is about.
    pub key: String,
    /// What it demands.
    pub operator: Operator,
    /// The values of `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "nullable")]
    pub values: Vec<String>,
}

/// `LabelSelectorOperator`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub enum Operator {
    /// The label is there, with one of the values.
    In,
    /// The label is not there, or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is not there.
    DoesNotExist,
    /// One that did not exist when this was written. It counts as met: a budget that may be meant for a Pod makes
    /// ours step aside, because two would stop every eviction.
    #[serde(other)]
    Other,
}

/// What is known of a Pod's labels before there is a Pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodLabels {
    /// Labels with their values.
    pub known: Labels,
    /// Labels that are there, with a value that only the controller knows: the hash of a template.
    pub unknown: Option<&'static str>,
}

impl Selector {
    /// A selector that demands exactly these labels.
    #[must_use]
    pub const fn of(match_labels: Labels) -> Self {
        Self { match_labels, match_expressions: Vec::new() }
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn weight(&self) -> usize {
        let conditions = self.match_expressions.iter().map(|Requirement { key, values, .. }| {
            ENTRY + key.len() + values.iter().map(|value| ENTRY + value.len()).sum::<usize>()
        });
        weight(&self.match_labels) + conditions.sum::<usize>()
    }

    /// How many conditions it has.
    #[must_use]
    pub fn terms(&self) -> usize {
        self.match_labels.len() + self.match_expressions.len()
    }

    /// Whether it selects a Pod with these labels. Where a value is unknown: whether it may.
    #[must_use]
    pub fn selects(&self, pod: &PodLabels) -> bool {
        equal(&self.match_labels, pod) && self.match_expressions.iter().all(|requirement| requirement.met_by(pod))
    }

    /// The same as plain equalities, the only thing a Service can express. `In` with one value is an equality.
    #[must_use]
    pub fn equalities(&self) -> Option<Labels> {
        let mut labels = self.match_labels.clone();
        for Requirement { key, operator, values } in &self.match_expressions {
            let [value] = values.as_slice() else { return None };
            if *operator != Operator::In
                || labels.insert(key.clone(), value.clone()).is_some_and(|other| other != *value)
            {
                return None;
            }
        }
        Some(labels)
    }
}

/// About how many bytes labels take.
#[must_use]
pub fn weight(labels: &Labels) -> usize {
    labels.iter().map(|(key, value)| ENTRY + key.len() + value.len()).sum()
}

/// As the parameter `labelSelector` of a list has it.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self.match_labels.iter().map(|(key, value)| format!("{key}={value}"));
        let conditions = self.match_expressions.iter().filter_map(|Requirement { key, operator, values }| {
            let values = values.join(",");
            match operator {
                Operator::In => Some(format!("{key} in ({values})")),
                Operator::NotIn => Some(format!("{key} notin ({values})")),
                Operator::Exists => Some(key.clone()),
                Operator::DoesNotExist => Some(format!("!{key}")),
                // One that is not known cannot be asked for.
                Operator::Other => None,
            }
        });
        f.write_str(&labels.chain(conditions).collect::<Vec<_>>().join(","))
    }
}

impl Requirement {
    fn met_by(&self, pod: &PodLabels) -> bool {
        let is_unknown = pod.unknown == Some(self.key.as_str());
        let value = pod.known.get(&self.key);
        match self.operator {
            Operator::In => is_unknown || value.is_some_and(|value| self.values.contains(value)),
            Operator::NotIn => is_unknown || value.is_none_or(|value| !self.values.contains(value)),
            Operator::Exists => is_unknown || value.is_some(),
            Operator::DoesNotExist => !is_unknown && value.is_none(),
            Operator::Other => true,
        }
    }
}

/// Whether a Service with this selector routes to the Pod. A Service without a selector routes to nothing by itself; one
/// whose selector is unknown may route to it.
#[must_use]
pub fn service_selects(selector: Option<&Labels>, pod: &PodLabels) -> bool {
    selector.is_none_or(|selector| !selector.is_empty() && equal(selector, pod))
}

fn equal(labels: &Labels, pod: &PodLabels) -> bool {
    labels.iter().all(|(key, value)| pod.unknown == Some(key.as_str()) || pod.known.get(key) == Some(value))
}

/// What an entry takes beside its characters: two strings, and its place in the map.
const ENTRY: usize = 64;
