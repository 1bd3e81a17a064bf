//! SG005: the mark comes and goes in a request of its own.
//!
//! It may not be taken off in the request that scales up, nor be touched through `/status`, where labels
//! of most kinds can be written but nobody looks. A ReplicaSet's own mark stays while its Deployment carries it: it
//! is what guards the ReplicaSet once it is orphaned. A ReplicaSet that takes an owner without the mark is released
//! too. A release by itself is allowed, and answered with a warning, unless the settings leave it to those who break the
//! glass.

use super::super::cel;
use super::super::change::{Change, Via};
use super::super::code::Code;
use super::super::standing::Standing;
use super::super::violation::{Sg005, Violation};
use super::Rule;
use crate::api::kind::{Kinds, Makes, Resource};
use crate::policy::entry::{Place, Refusal, Row};
use crate::settings::Release;

pub(super) const RULE: Rule = Rule {
    code: Code::Sg005,
    summary: "the mark must not be taken off in the request that scales up, nor from a ReplicaSet while its Deployment carries it, nor touched through `/status`; with `release: break-glass` only those who break the glass may take it off",
    check,
    trigger,
    floor,
};

fn check(change: &Change<'_>, standing: Standing) -> Vec<Violation> {
    let (before, after) = (change.mark_before(), change.mark_after());
    let Some(replicas) = change.replicas_before() else { return Vec::new() };
    match change.via {
        Via::Status if before != after && matches!(change.workload.resource, Resource::Guarded(_)) => {
            let requested = change.to.metadata.labels.get(change.key.as_str()).map(ToOwned::to_owned);
            vec![Sg005::MarkedThroughStatus { requested }.into()]
        }
        Via::Scale | Via::Status => Vec::new(),
        Via::Object => {
            if standing.releases() && change.release == Release::BreakGlass {
                return vec![Sg005::ReleasedWithoutGlass.into()];
            }
            if standing.releases() && change.scales_up() {
                let requested = change.replicas_after().text();
                return vec![Sg005::ReleasedWhileScaling { from: replicas.text(), requested }.into()];
            }
            // Still a singleton without its own mark: then its Deployment carries it.
            let may_be_behind = change.kind().is_some_and(|info| info.makes == Makes::PodsForOwner);
            if may_be_behind && standing.after && before.is_present() && !after.is_present() {
                return vec![Sg005::UnmarkedBehindOwner.into()];
            }
            Vec::new()
        }
    }
}

fn trigger(row: Row, _: Kinds) -> Option<String> {
    match row {
        Row::Workload => Some(cel::unmarks()),
        Row::Status => Some(cel::mark_differs()),
        Row::Owned => Some(format!("{} && {}", cel::UPDATE, cel::CONTROLLER_DIFFERS)),
        _ => None,
    }
}

fn floor(place: Place, kinds: Kinds) -> Vec<Refusal> {
    let released_while_scaling = || {
        Refusal::new(
            Sg005::ReleasedWhileScaling { from: "{from}".to_owned(), requested: "{replicas}".to_owned() },
            format!("variables.before && !variables.after && {} > {}", cel::replicas(kinds), cel::old_replicas(kinds)),
            vec![
                ("{from}", format!("string({})", cel::old_replicas(kinds))),
                ("{replicas}", format!("string({})", cel::replicas(kinds))),
            ],
        )
    };
    match place {
        Place::Workload => vec![released_while_scaling()],
        Place::Behind => vec![
            released_while_scaling(),
            Refusal::new(
                Sg005::UnmarkedBehindOwner,
                // Through `/status` it is refused for the way it came.
                format!("{} && variables.after && request.?subResource.orValue('') == ''", cel::unmarks()),
                Vec::new(),
            ),
        ],
        Place::Status => vec![Refusal::new(
            Sg005::MarkedThroughStatus { requested: Some("{mark}".to_owned()) },
            cel::mark_differs(),
            vec![("\"{mark}\"", cel::or_none(cel::MARK))],
        )],
        _ => Vec::new(),
    }
}
