//! The names of companions. They must never change: a running cluster knows the old ones.
//!
//! A Service of ours is never called as people and charts call theirs, which is the workload's own name: theirs would
//! find ours in its way. It is called
//!
//! * `NAME-singleton` for a StatefulSet, whose immutable `serviceName` is filled in without a look at the cluster;
//! * the same for another kind, or `NAME-singleton-KIND` where that name is not free for it: a marked workload of the same
//!   name is of a kind before it (in the order of the table of kinds), or a Service of ours for another workload has it.
//!
//! What was made stays under the name that it has, so no workload takes another's Service away; a StatefulSet that comes
//! after a Deployment of its name finds its own taken, and an Event says so. Earlier versions used the workload's own
//! name; what they have made is kept (`former`).

use std::borrow::Cow;

use super::mark::{MarkKey, is_dns_label};
use crate::api::kind::Kind;
use crate::api::text::{HASH_LENGTH, fnv1a};

/// The name of the Service of the workload with this name.
pub(crate) fn service(name: &str) -> String {
    label(name, SUFFIX)
}

/// The name of the Service of a workload whose kind must not take the name that [`service`] gives.
pub(crate) fn service_of_kind(name: &str, kind: Kind) -> String {
    label(name, &format!("{SUFFIX}-{}", kind.info().suffix))
}

/// The name that earlier versions gave to the Service of a workload: the workload's own name where a Service may be
/// called so, else one derived from it.
pub(crate) fn former(name: &str) -> Cow<'_, str> {
    if is_service_name(name) { Cow::Borrowed(name) } else { Cow::Owned(derived(name, "")) }
}

/// A label of RFC 1035 that no other workload of the namespace gets, whatever its name: it may hold dots, begin with a
/// digit and be 253 characters long. What follows plainly ends in the suffix, what is derived in a dash and a hash.
fn label(name: &str, suffix: &str) -> String {
    let plain = format!("{name}{suffix}");
    if is_service_name(&plain) { plain } else { derived(name, suffix) }
}

fn derived(name: &str, suffix: &str) -> String {
    let mut label = String::from(if name.starts_with(|c: char| c.is_ascii_lowercase()) { "" } else { "s-" });
    label.extend(name.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }));
    label.truncate(LABEL_MAX.saturating_sub(suffix.len() + 1 + HASH_LENGTH));
    format!("{}{suffix}-{:08x}", label.trim_end_matches('-'), fnv1a(name))
}

/// Whether the name of a Service says whose it is: the workload's own name, one that begins with it and a dash, or one
/// derived from it. Under any other name somebody else's clients might look for somebody else.
pub(crate) fn is_own(workload: &str, service: &str) -> bool {
    let rest = service.strip_prefix(workload);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-')) || is_derived(workload, service)
}

/// Whether the Service of a workload of this kind has a name that nobody but us would give it.
pub(crate) fn is_given(workload: &str, kind: Kind, service: &str) -> bool {
    self::service(workload) == service || is_derived(workload, service) || service_of_kind(workload, kind) == service
}

/// Whether it is a name that was derived for a workload of this name, of whichever kind: its hash is the workload's.
fn is_derived(workload: &str, service: &str) -> bool {
    let suffix = service.find(SUFFIX).and_then(|at| service.get(at..)).unwrap_or_default();
    let suffix = suffix.get(..suffix.len().saturating_sub(1 + HASH_LENGTH)).unwrap_or_default();
    derived(workload, suffix) == service
}

/// The name of a workload's budget. It is not the workload's own name: charts call theirs so, and would then find ours
/// in their way. It has the kind in it, because a Deployment and a StatefulSet may have the same name.
pub(crate) fn budget(name: &str, kind: Kind) -> String {
    let suffix = format!("-{}{SUFFIX}", kind.info().suffix);
    let room = SUBDOMAIN_MAX.saturating_sub(suffix.len());
    if name.len() <= room {
        return format!("{name}{suffix}");
    }
    let kept: String = name.chars().take(room - HASH_LENGTH - 1).collect();
    format!("{}-{:08x}{suffix}", kept.trim_end_matches(['-', '.']), fnv1a(name))
}

/// Whether a Service may be called so on every supported version: a DNS label of RFC 1035.
pub(crate) fn is_service_name(name: &str) -> bool {
    is_dns_label(name) && name.starts_with(|c: char| c.is_ascii_lowercase())
}

/// Who keeps the companions of the workloads with this mark. Two guards with different marks may share a cluster: what
/// one has made must not look to the other like the leavings of a singleton that was released. Running clusters know the
/// old values, so they must never change.
#[must_use]
pub fn managed_by(mark: &MarkKey) -> String {
    if *mark == MarkKey::default() { MANAGER.to_owned() } else { format!("{MANAGER}-{:08x}", fnv1a(mark.as_str())) }
}

/// The value of [`managed_by`] with the usual mark.
const MANAGER: &str = "singleton-guard";
const SUFFIX: &str = "-singleton";
/// The longest label of RFC 1035.
const LABEL_MAX: usize = 63;
/// The longest subdomain of RFC 1123, as Kubernetes reads it.
const SUBDOMAIN_MAX: usize = 253;
