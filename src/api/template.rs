//! The few fields of a Pod template that the rules of strict singletons read. It is parsed only where they matter: of
//! other workloads it is only ever compared, which costs nothing.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::json::object;
use super::key::KEY;
use super::labels::Labels;
use super::object::Object;
use super::replicas::Replicas;

/// `PodTemplateSpec`, as far as we read it.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct Template<'a> {
    #[serde(borrow, deserialize_with = "object")]
    metadata: Metadata<'a>,
    #[serde(borrow, deserialize_with = "object")]
    spec: Spec<'a>,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
struct Metadata<'a> {
    #[serde(borrow)]
    labels: Option<Labels<'a>>,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec<'a> {
    #[serde(borrow)]
    termination_grace_period_seconds: Replicas<'a>,
}

impl<'a> Template<'a> {
    /// Reads the template of a workload. One that cannot be read is as good as an empty one: it has no key.
    #[must_use]
    pub fn of(workload: &Object<'a>) -> Self {
        let json = workload.spec.template.map(RawValue::get);
        json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
    }

    /// The key that its Pods carry.
    #[must_use]
    pub fn key(&self) -> Option<Cow<'_, str>> {
        self.metadata.labels.as_ref()?.get(KEY).map(Cow::Borrowed)
    }

    /// Whether there is a map of labels that one could be added to.
    #[must_use]
    pub fn has_labels(&self) -> bool {
        self.metadata.labels.is_some()
    }

    /// Whether a Pod of it is told to end without being waited for: every deletion would be a forced one.
    #[must_use]
    pub fn ends_at_once(&self) -> bool {
        self.spec.termination_grace_period_seconds == Replicas::Count(0)
    }
}
