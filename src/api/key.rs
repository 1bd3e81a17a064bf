//! The key of a strict singleton: a label of its Pod template whose value is the name of its one Pod. The API server
//! stores at most one Pod of a name, so the name is the lock.
//!
//! Two workloads of a namespace with the same key are one singleton. A key that is given must never change: a running
//! cluster knows the old one.

use std::borrow::Cow;

use super::kind::{Kind, PodNames};
use super::mark::is_dns_label;
use super::object::Object;
use super::replicas::Replicas;
use super::text::{HASH_LENGTH, fnv1a};

/// The key that a workload gets which brings none. With the kind, because a Deployment and a ReplicaSet of one name are
/// two singletons; for a StatefulSet it is the name that its controller gives its Pod.
#[must_use]
pub fn derived(kind: Kind, object: &Object<'_>) -> Option<String> {
    let name = object.metadata.name.as_ref();
    // One that is still to be generated.
    if name.is_empty() {
        return None;
    }
    let suffix = match kind.info().pod_names {
        PodNames::Ordinal => return Some(pod_of_stateful_set(object)),
        PodNames::Key(suffix) => suffix,
        PodNames::Unknown => return None,
    };
    let room = LABEL_MAX - suffix.len();
    if is_dns_label(name) && name.len() <= room {
        return Some(format!("{name}{suffix}"));
    }
    let mut label: String =
        name.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }).collect();
    label.truncate(room - HASH_LENGTH - 1);
    Some(format!("{}-{:08x}{suffix}", label.trim_matches('-'), fnv1a(name)))
}

/// The name of a StatefulSet's first Pod, which with one replica is its only one: `<name>-<spec.ordinals.start>`.
#[must_use]
pub fn pod_of_stateful_set(object: &Object<'_>) -> String {
    format!("{}-{}", object.metadata.name, start(object).text())
}

/// Where the numbers of a StatefulSet's Pods begin (KEP-3335).
#[must_use]
pub fn start<'a>(object: &'a Object<'_>) -> Replicas<'a> {
    object.spec.ordinals.as_ref().map(|ordinals| ordinals.start).unwrap_or_default().or(0)
}

/// Whether a Pod may be called so and a label may have this value.
#[must_use]
pub fn is_key(text: &str) -> bool {
    is_dns_label(text)
}

/// A key as a text for a message, where there is one.
pub(crate) fn owned(key: Option<&Cow<'_, str>>) -> Option<String> {
    key.map(|key| key.clone().into_owned())
}

/// The label, on the Pod template and so on the Pod.
pub const KEY: &str = "singleton-guard.io/key";
/// RFC 1123; the longest value of a label is as long.
const LABEL_MAX: usize = 63;
