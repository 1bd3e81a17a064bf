//! The names of companions. They must never change: a running cluster knows the old ones.

use std::borrow::Cow;

use super::Workload;
use super::wish::is_service_name;
use crate::policy::text::{HASH_LENGTH, fnv1a};

/// A Service's name: the workload's own where a Service may be called so (RFC 1035 label), else one derived from it that
/// no other workload of the namespace derives: names may hold dots, begin with a digit and be 253 characters long.
pub(crate) fn service_label(name: &str) -> Cow<'_, str> {
    if is_service_name(name) {
        return Cow::Borrowed(name);
    }
    let mut label = String::from(if name.starts_with(|c: char| c.is_ascii_lowercase()) { "" } else { "s-" });
    label.extend(name.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }));
    label.truncate(LABEL_MAX - HASH_LENGTH - 1);
    Cow::Owned(format!("{}-{:08x}", label.trim_end_matches('-'), fnv1a(name)))
}

/// Whether the name of a Service says whose it is: the workload's own name, one that begins with it and a dash, or the label
/// derived from it. Under any other name somebody else's clients might look for somebody else.
pub(crate) fn is_own(workload: &str, service: &str) -> bool {
    let rest = service.strip_prefix(workload);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-')) || is_derived(workload, service)
}

/// Whether a Service has a name that nobody but us would give it.
pub(super) fn is_derived(workload: &str, service: &str) -> bool {
    service != workload && service_label(workload) == service
}

/// A budget's name. Not the workload's own: charts call theirs so, and would then find ours in their way. With the
/// kind, because a Deployment and a StatefulSet may have the same name.
pub(super) fn budget(workload: &Workload) -> String {
    let suffix = format!("-{}-singleton", workload.kind.info().name.to_ascii_lowercase());
    let name = &workload.name;
    let room = SUBDOMAIN_MAX.saturating_sub(suffix.len());
    if name.len() <= room {
        return format!("{name}{suffix}");
    }
    let kept: String = name.chars().take(room - HASH_LENGTH - 1).collect();
    format!("{}-{:08x}{suffix}", kept.trim_end_matches(['-', '.']), fnv1a(name))
}

/// RFC 1035.
const LABEL_MAX: usize = 63;
/// RFC 1123, as Kubernetes reads it.
const SUBDOMAIN_MAX: usize = 253;
