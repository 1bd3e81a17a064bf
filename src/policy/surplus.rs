//! The Pods that a new singleton has too many: whether its controller will end them, which the rule SG001 asks, and what its
//! user is told about that.
//!
//! A ReplicaSet, a ReplicationController and a StatefulSet always end what is more than `spec.replicas`, whatever a
//! StatefulSet's update strategy says; only one that is being deleted is scaled by nobody.
//!
//! A Deployment does so unless it stands still (kubernetes/kubernetes, `pkg/controller/deployment`). When `spec.replicas`
//! differs from what its ReplicaSets say was desired, its controller scales before it goes on with any rollout; it scales
//! the only ReplicaSet that wants Pods, or by a rolling update all of them in proportion, but by `Recreate` not several
//! (`scale` in `sync.go`), and comes back to the same place for ever. So a rollout must not be under way where the request
//! changes `spec.replicas`, nor where `Recreate` is stored: it may stand still already. What is stored counts only if
//! the controller has seen it. Where it cannot stand still, the rule SG002 keeps it from surging.

use super::cel;
use super::change::Change;
use super::rollout::is_paused;
use super::violation::{Sg001, Violation};
use crate::api::kind::{Kinds, Rollout};
use crate::api::object::{Object, Strategy, same_json};
use crate::policy::entry::Refusal;

/// How Pods end that a new singleton has too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// All of them, and no other comes.
    All,
    /// All but one.
    Others,
    /// The others once the first is Ready.
    AfterTheFirst,
    /// Those of an older Pod template before a newer one starts or goes on.
    OlderFirst,
}

impl Ending {
    /// How they end where nothing keeps them; `None` where there is only one.
    pub(super) fn of(change: &Change<'_>) -> Option<Self> {
        let from = change.from.as_deref().filter(|_| may_be(change))?;
        let is_rolled = || is_rolling(change, from) || !same_json(from.spec.template, change.to.spec.template);
        let is_ordered = || {
            let policy = change.to.spec.pod_management_policy;
            policy.is_none_or(|policy| policy.get() != "\"Parallel\"")
        };
        Some(match change.rollout() {
            _ if !change.replicas_after().exceeds(0) => Self::All,
            Some(Rollout::UpdateStrategy) if is_ordered() => Self::AfterTheFirst,
            Some(Rollout::Strategy) if is_rolled() => Self::OlderFirst,
            _ => Self::Others,
        })
    }
}

/// Whether there may be more Pods than one.
pub(super) fn may_be(change: &Change<'_>) -> bool {
    change.replicas_before().is_some_and(|replicas| replicas.exceeds(1))
        || change.from.as_ref().is_some_and(|from| from.status.replicas.exceeds(1))
}

/// What keeps its controller from ending them.
pub(super) fn stays(change: &Change<'_>) -> Option<Violation> {
    let from = change.from.as_deref().filter(|_| may_be(change))?;
    if change.to.metadata.deletion_timestamp.is_some() {
        return Some(Sg001::MarkedWhileDeleted.into());
    }
    if change.rollout() != Some(Rollout::Strategy) {
        return None;
    }
    if is_paused(&change.to) {
        return Some(Sg001::MarkedWhilePaused.into());
    }
    let text = |count: Option<&serde_json::value::RawValue>| count.map_or("0", |count| count.get()).to_owned();
    let (generation, observed) = (text(from.metadata.generation), text(from.status.observed_generation));
    if generation != observed {
        return Some(Sg001::MarkedUnseen { generation, observed }.into());
    }
    let recreates = |object: &Object<'_>| object.spec.strategy.as_ref().is_some_and(Strategy::recreates);
    if !recreates(&change.to) || !is_rolling(change, from) {
        return None;
    }
    if recreates(from) {
        return Some(Sg001::MarkedWhileRecreated.into());
    }
    let (before, requested) = (change.replicas_before()?, change.replicas_after());
    let rolled = || Sg001::MarkedWhileRolled { from: before.text(), requested: requested.text() }.into();
    (before != requested).then(rolled)
}

/// Whether a rollout of a Deployment is under way, as `kubectl rollout status` sees it: Pods of the newest template lack, or
/// there are others. (That there are no others is not enough: a quota may keep back the Pods of an older ReplicaSet.)
fn is_rolling(change: &Change<'_>, from: &Object<'_>) -> bool {
    let updated = from.status.updated_replicas.or(0);
    from.status.replicas.increases_from(updated)
        || change.replicas_before().is_some_and(|desired| desired.increases_from(updated))
}

/// [`may_be`] in CEL, of an object that exists.
pub(super) fn may_be_cel(kinds: Kinds) -> String {
    format!("({} > 1 || {} > 1)", cel::old_replicas(kinds), cel::OLD_RUNNING)
}

/// [`stays`] in CEL, of a workload that becomes a singleton.
pub(super) fn stays_cel(kinds: Kinds) -> Vec<Refusal> {
    let found = |violation, when: String, values| {
        let when = format!("{} && {when}", may_be_cel(kinds));
        Refusal { violation, when, values }
    };
    let deleted =
        found(Sg001::MarkedWhileDeleted.into(), "has(object.metadata.deletionTimestamp)".to_owned(), Vec::new());
    let rolled = cel::is(kinds, |info| info.rollout == Some(Rollout::Strategy));
    let Some((is_rolled, is_paused)) = rolled.zip(cel::is_paused(kinds)) else { return vec![deleted] };
    let (generation, observed) =
        ("oldObject.metadata.?generation.orValue(0)", "oldObject.?status.?observedGeneration.orValue(0)");
    let recreates = |object: &str| format!("{object}.spec.?strategy.?type.orValue('') == 'Recreate'");
    let rolling = format!(
        "{is_rolled} && {recreates}\n\
         && ({running} > {UPDATED} || {desired} > {UPDATED})",
        recreates = recreates("object"),
        running = cel::OLD_RUNNING,
        desired = cel::old_replicas(kinds),
    );
    let (from, replicas) = (&cel::old_replicas(kinds), &cel::replicas(kinds));
    let value = |place: &'static str, number: &str| (place, format!("string({number})"));
    vec![
        deleted,
        found(Sg001::MarkedWhilePaused.into(), is_paused, Vec::new()),
        found(
            Sg001::MarkedUnseen { generation: "{generation}".to_owned(), observed: "{observed}".to_owned() }.into(),
            format!("{is_rolled}\n&& {generation} != {observed}"),
            vec![value("{generation}", generation), value("{observed}", observed)],
        ),
        found(Sg001::MarkedWhileRecreated.into(), format!("{rolling} && {}", recreates("oldObject")), Vec::new()),
        found(
            Sg001::MarkedWhileRolled { from: "{from}".to_owned(), requested: "{replicas}".to_owned() }.into(),
            format!("{rolling} && {replicas} != {from}"),
            vec![value("{from}", from), value("{replicas}", replicas)],
        ),
    ]
}

const UPDATED: &str = "oldObject.?status.?updatedReplicas.orValue(0)";
