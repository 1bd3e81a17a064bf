//! Who and what is never judged: an exempt namespace, whoever breaks the glass, the controllers that write the
//! ReplicaSets of a Deployment (but not through `/scale`), and our own Deployment with its ReplicaSets.
//!
//! Conditions in the webhook configurations keep such requests from being sent to us at all, and hold while we are down
//! too. The one on the controllers is made from here; the other three are in the chart's `_webhook.tpl`. If such a
//! request is sent all the same, the process does not judge it either, except one about our own Deployment, which it
//! does not know. The policies by which a strict singleton has one Pod hold even for who breaks the glass.
//!
//! Nothing here can be set by a tenant: namespaces are named in the settings, users and groups come from the API
//! server's own authentication.

use super::request::{Request, Subresource};
use crate::api::kind::{Custom, Kind, Kinds, Makes, Resource};
use crate::api::object::Object;
use crate::settings::Settings;

/// Whether no rule applies to this request.
#[must_use]
pub fn applies(request: &Request<'_>, settings: &Settings) -> bool {
    settings.exempts(&request.namespace)
        || request.groups.iter().any(|group| group == BREAK_GLASS)
        || (owns_replica_sets(&request.user)
            && matches!(request.resource, Resource::Guarded(kind) if kind.info().makes == Makes::PodsForOwner)
            && request.subresource != Subresource::Scale)
        || settings.kinds.custom().any(|(kind, custom)| is_makers_write(request, kind, custom, settings.kinds))
}

/// Whether the controller of this kind writes a ReplicaSet that is its own before and after.
fn is_makers_write(request: &Request<'_>, kind: Kind, custom: &Custom, kinds: Kinds) -> bool {
    let Resource::Guarded(of) = request.resource else { return false };
    let its = |object: &Object<'_>| object.metadata.maker(kinds) == Some(kind);
    of.info().makes == Makes::PodsForOwner
        && request.subresource != Subresource::Scale
        && custom.controller_user == Some(&*request.user)
        && request.object.as_deref().is_some_and(its)
        && request.old_object.as_deref().is_none_or(its)
}

/// The CEL condition under which the writer of a ReplicaSet is judged, where these kinds make them.
#[must_use]
pub fn replica_set_writer_condition(kinds: Kinds) -> String {
    let of_others = kinds.custom().filter_map(|(_, custom)| custom.controller_user);
    let users: Vec<_> = REPLICA_SET_WRITERS.into_iter().chain(of_others).map(|user| format!("'{user}'")).collect();
    format!("!(request.userInfo.username in [{}])", users.join(", "))
}

fn owns_replica_sets(user: &str) -> bool {
    REPLICA_SET_WRITERS.contains(&user)
}

/// The group that breaks the glass: used by explicit impersonation, recorded in the API server's audit log.
pub const BREAK_GLASS: &str = "singleton-guard:break-glass";

/// The controllers that make, scale, adopt and release ReplicaSets for a Deployment. Their own writes are never
/// judged: the Deployment was. The last one is what all of them are called in a cluster whose controller-manager
/// runs without `--use-service-account-credentials`.
pub const REPLICA_SET_WRITERS: [&str; 4] = [
    "system:serviceaccount:kube-system:deployment-controller",
    "system:serviceaccount:kube-system:replicaset-controller",
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:kube-controller-manager",
];
