//! Whether a companion is still ours, as its `managedFields` tell, and how we let go of one that is not.
//!
//! Who writes to an object of ours brings his own, and it is his from then on. Only what a person or a tool writes on
//! purpose counts: the spec, and the labels and annotations by which tools know what is theirs. Finalizers, other
//! annotations (those of webhooks and cloud controllers) and the status are written to other people's objects too.
//!
//! What carries our label and has no entry of ours was restored from a backup, and is adopted. Our entry is then the
//! later one, so an earlier one of somebody else counts no more. Times there are whole seconds, so an equal one counts; and so
//! does none, which is what an apply leaves that changes no value.

use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::existing::{Existing, Surroundings, Taken};
use super::ours::{MANAGER_LABEL, field_manager};
use super::step::Step;
use super::words::Companion;
use crate::api::kind::Kind;

/// An entry of `managedFields`: who has written, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hand<'a> {
    /// The field manager.
    pub manager: &'a str,
    /// The subresource that it wrote through; empty for the object itself.
    pub subresource: &'a str,
    /// When it did last, as the API server writes it; empty where it has changed no value.
    pub time: &'a str,
    /// Whether the spec is among what it wrote, or one of [`LABELS`] or [`ANNOTATIONS`].
    pub takes: bool,
}

/// An object that might be ours, as far as that is told from it.
#[derive(Debug, Clone, Copy)]
pub struct Found<'a> {
    /// `metadata.uid`.
    pub uid: &'a str,
    /// `metadata.resourceVersion`.
    pub resource_version: &'a str,
    /// The value of [`MANAGER_LABEL`].
    pub label: Option<&'a str>,
    /// The managing controller's uid, and its place among the owners.
    pub owner: Option<(usize, &'a str)>,
    /// All of `managedFields`, in their order.
    pub hands: &'a [Hand<'a>],
}

/// Whose an object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// It has nothing of ours.
    Theirs,
    /// It is ours; if it has to be adopted, not before the given time.
    Ours(Option<SystemTime>),
    /// It was ours, and somebody else has written to it.
    Taken(Taken),
}

impl Found<'_> {
    /// Whose it is, for who keeps companions under this value of the label.
    #[must_use]
    pub fn whose(&self, managed_by: &str) -> Whose {
        let ours = field_manager(managed_by);
        let is_labelled = self.label == Some(managed_by);
        let whole = || self.hands.iter().filter(|hand| hand.subresource.is_empty());
        let Some(written) = whole().filter(|hand| hand.manager == ours).map(|hand| hand.time).max() else {
            return if is_labelled { Whose::Ours(self.adoptable()) } else { Whose::Theirs };
        };
        let is_later = |hand: &&Hand<'_>| hand.time.is_empty() || hand.time >= written;
        let taking = whole().filter(|hand| hand.takes && hand.manager != ours).filter(is_later);
        match taking.max_by_key(|hand| hand.time) {
            None if is_labelled => Whose::Ours(None),
            taker => {
                let by = taker.map_or("somebody", |hand| hand.manager).to_owned();
                Whose::Taken(Taken { by, patch: self.letting_go(&ours, is_labelled) })
            }
        }
    }

    /// When our entry would be later than any that is there.
    fn adoptable(&self) -> Option<SystemTime> {
        let last = self.hands.iter().filter(|hand| hand.takes).map(|hand| hand.time).max()?;
        OffsetDateTime::parse(last, &Rfc3339).ok().map(|last| SystemTime::from(last) + LATER)
    }

    fn letting_go(&self, ours: &str, is_labelled: bool) -> Value {
        let test = |path: &str, value: &str| json!({"op": "test", "path": path, "value": value});
        let remove = |path: &str| json!({"op": "remove", "path": path});
        let mut steps = vec![test("/metadata/uid", self.uid), test("/metadata/resourceVersion", self.resource_version)];
        if let Some((at, uid)) = self.owner {
            let path = format!("/metadata/ownerReferences/{at}");
            steps.extend([test(&format!("{path}/uid"), uid), remove(&path)]);
        }
        if is_labelled {
            steps.push(remove(&format!("/metadata/labels/{}", MANAGER_LABEL.replace('/', "~1"))));
        }
        // From the end, so that the places before it stay what they are.
        let entries = self.hands.iter().enumerate().rev().filter(|(_, hand)| hand.manager == ours);
        let (last, places) = (self.hands.len() - 1, entries.map(|(at, _)| at).collect::<Vec<_>>());
        if places.len() > last {
            // An empty list would mean that they stay; this means that there are none.
            steps.push(json!({"op": "replace", "path": "/metadata/managedFields", "value": [{}]}));
        } else {
            for at in places {
                let path = format!("/metadata/managedFields/{at}");
                steps.extend([test(&format!("{path}/manager"), ours), remove(&path)]);
            }
        }
        Value::Array(steps)
    }
}

/// What has to be let go of that a workload owns, be it a singleton still or not.
#[must_use]
pub fn let_go(kind: Kind, name: &str, around: &Surroundings<'_>) -> Vec<Step> {
    let services = around.services.iter().filter_map(|service| step(Companion::Service, service, kind, name));
    services.chain(around.budgets.iter().filter_map(|budget| step(Companion::Budget, budget, kind, name))).collect()
}

fn step<S>(companion: Companion, existing: &Existing<S>, kind: Kind, name: &str) -> Option<Step> {
    let taken = existing.taken.as_deref().filter(|_| !existing.is_deleted)?;
    let owner = existing.controller.as_ref().filter(|owner| owner.is(kind, name))?;
    Some(Step::LetGo {
        companion,
        name: existing.name.clone(),
        owner: owner.uid.clone(),
        by: taken.by.clone(),
        patch: taken.patch.clone(),
    })
}

/// The labels by which tools know what is theirs: helm and everybody who keeps to the recommended labels, Argo CD's
/// default (`application.instanceLabelKey`), Flux (kustomize-controller, helm-controller).
pub const LABELS: [&str; 6] = [
    MANAGER_LABEL,
    "app.kubernetes.io/instance",
    "kustomize.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/namespace",
    "helm.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/namespace",
];
/// The annotations: helm's, Argo CD's, and what a client-side apply leaves, which has nothing else to write where the
/// manifest says what is there already.
pub const ANNOTATIONS: [&str; 4] = [
    "meta.helm.sh/release-name",
    "meta.helm.sh/release-namespace",
    "argocd.argoproj.io/tracking-id",
    "kubectl.kubernetes.io/last-applied-configuration",
];
/// A second, and what the clocks of two API servers may differ by.
const LATER: Duration = Duration::from_secs(2);
