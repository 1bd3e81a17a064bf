//! Services and budgets as the watches read them, reduced at once to the plan's own types. What one of a user's is like
//! beyond its selector is not kept, nor who has written to it.

use serde_json::Value;

use crate::cluster::seen::{Bounded, Meta, PORTS_BYTES, Seen, TERMS_BYTES, TERMS_MAX};
use crate::cluster::sieve::Keep;
use crate::companions::plan::selector::{Labels, Selector};
use crate::companions::plan::theirs::{ANNOTATIONS, Found, Hand, LABELS, Whose};
use crate::companions::plan::{BudgetSpec, Existing, MANAGER_LABEL, Owner, Port, ServiceSpec, lets_none_go};

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SeenServiceSpec {
    #[serde(rename = "clusterIP")]
    cluster_ip: String,
    publish_not_ready_addresses: bool,
    selector: Option<Bounded<Labels>>,
    ports: Option<Bounded<Vec<Port>>>,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SeenBudgetSpec {
    selector: Option<Bounded<Selector>>,
    min_available: Option<Value>,
    max_unavailable: Option<Value>,
    unhealthy_pod_eviction_policy: Option<String>,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SeenBudgetStatus {
    observed_generation: i64,
    expected_pods: i64,
}

/// What is kept of a Service as it streams in.
pub(super) fn keep_service() -> Keep {
    keep([
        ("clusterIP", Keep::short()),
        ("publishNotReadyAddresses", Keep::short()),
        ("selector", Keep::whole(TERMS_BYTES)),
        ("ports", Keep::whole(PORTS_BYTES)),
    ])
}

/// What is kept of a budget.
pub(super) fn keep_budget() -> Keep {
    keep([
        ("selector", Keep::whole(TERMS_BYTES)),
        ("minAvailable", Keep::short()),
        ("maxUnavailable", Keep::short()),
        ("unhealthyPodEvictionPolicy", Keep::short()),
    ])
    .and([("status", Keep::shorts(["observedGeneration", "expectedPods"]))])
}

fn keep<const N: usize>(spec: [(&'static str, Keep); N]) -> Keep {
    let metadata = Meta::keep([
        ("labels", Keep::shorts([MANAGER_LABEL])),
        Meta::keep_owners(),
        Meta::keep_managers(&LABELS, &ANNOTATIONS),
        ("deletionTimestamp", Keep::short()),
    ]);
    Keep::fields([("metadata", metadata), ("spec", Keep::fields(spec))])
}

fn reduced<S, T, R>(seen: Seen<'_, S, T>, managed_by: &str, reduce: impl FnOnce(S, bool) -> R) -> Existing<R> {
    let Seen { metadata, spec, .. } = seen;
    let whose = whose(&metadata, managed_by);
    let is_ours = matches!(whose, Whose::Ours(_));
    let kept = |value: &str| if is_ours { value.to_owned() } else { String::new() };
    // Of theirs nothing is ever written, so nothing of it is of use, and a change of it is no news. Ours has one owner.
    let controller = metadata.controller().ok().flatten().filter(|_| whose != Whose::Theirs);
    let (adoptable, taken) = match whose {
        Whose::Theirs => (None, None),
        Whose::Ours(adoptable) => (adoptable, None),
        Whose::Taken(taken) => (None, Some(Box::new(taken))),
    };
    Existing {
        name: metadata.name.to_string(),
        uid: kept(&metadata.uid),
        resource_version: kept(&metadata.resource_version),
        is_deleted: metadata.deletion_timestamp.is_some(),
        is_ours,
        taken,
        adoptable,
        controller: controller.map(Owner::from),
        spec: reduce(spec, is_ours),
    }
}

fn whose(metadata: &Meta<'_>, managed_by: &str) -> Whose {
    let managers = metadata.managed_fields.as_ref().within();
    let hands = managers.into_iter().flatten().map(|entry| Hand {
        manager: &entry.manager,
        subresource: &entry.subresource,
        time: &entry.time,
        takes: entry.fields.is_any(),
    });
    let owners = metadata.owner_references.as_ref().within();
    let mut owners = owners.into_iter().flatten().enumerate();
    let found = Found {
        uid: &metadata.uid,
        resource_version: &metadata.resource_version,
        label: metadata.labels.get(MANAGER_LABEL),
        owner: owners.find(|(_, owner)| owner.is_controller()).map(|(at, owner)| (at, owner.uid.as_ref())),
        hands: &hands.collect::<Vec<_>>(),
    };
    found.whose(managed_by)
}

/// A Service. One whose selector has too many terms may select anything.
pub(super) fn service(seen: Seen<'_, SeenServiceSpec>, managed_by: &str) -> Existing<ServiceSpec> {
    reduced(
        seen,
        managed_by,
        |SeenServiceSpec { cluster_ip, publish_not_ready_addresses, selector, ports }, is_ours| ServiceSpec {
            is_headless: cluster_ip == "None",
            publishes_not_ready: is_ours && publish_not_ready_addresses,
            selector: selector.unwrap_or_default().within().filter(|selector| selector.len() <= TERMS_MAX),
            ports: ports.and_then(Bounded::within).filter(|_| is_ours).unwrap_or_default(),
        },
    )
}

/// A budget. One whose selector has too many terms counts as one that selects everything.
pub(super) fn budget(seen: Seen<'_, SeenBudgetSpec, SeenBudgetStatus>, managed_by: &str) -> Existing<BudgetSpec> {
    let SeenBudgetStatus { observed_generation, expected_pods } = seen.status;
    reduced(seen, managed_by, |spec, is_ours| {
        let SeenBudgetSpec { selector, min_available, max_unavailable, unhealthy_pod_eviction_policy } = spec;
        // Before its Pods were counted once it may be about many.
        let is_counted = !is_ours && observed_generation > 0;
        let lets_none_go = is_counted && lets_none_go(min_available.as_ref(), max_unavailable.as_ref(), expected_pods);
        BudgetSpec {
            lets_none_go,
            selector: selector
                .map(|selector| selector.within().filter(|selector| selector.terms() <= TERMS_MAX).unwrap_or_default()),
            min_available: min_available.filter(|_| is_ours),
            max_unavailable: max_unavailable.filter(|_| is_ours),
            unhealthy_pod_eviction_policy: unhealthy_pod_eviction_policy.filter(|_| is_ours),
        }
    })
}
