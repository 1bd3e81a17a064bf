//! SG006: the mark has a value that means something, on a kind that can keep the promise.
//!
//! Judged when the value is written. A bad value that is stored already (the guard was installed later) counts as
//! `"true"`, and the object stays editable. `"strict"` is reserved: it is refused until it can be kept, because a
//! promise that is accepted and not kept is worse than none. A Job that a CronJob makes takes the labels of its template:
//! what a controller makes is not judged, refusing it would help nobody.

use super::super::cel;
use super::super::change::{Change, Standing, Via};
use super::super::kind::{Resource, UNMARKABLE};
use super::super::mark::{Mark, SINGLETON};
use super::super::violation::{Code, Violation};
use super::super::webhook::Row;
use super::Rule;

pub(super) const RULE: Rule = Rule {
    code: Code::Sg006,
    summary: "the mark's value must be one of those allowed, on a StatefulSet, ReplicaSet, Deployment or ReplicationController",
    check,
    trigger,
};

fn check(change: &Change<'_>, _: Standing) -> Vec<Violation> {
    let mark = change.mark_after();
    if change.via != Via::Object || mark == change.mark_before() {
        return Vec::new();
    }
    let unmarkable = matches!(change.workload.resource, Resource::Unmarkable(_));
    if unmarkable && change.to.metadata.controller().is_some() {
        return Vec::new();
    }
    match mark {
        Mark::Absent => Vec::new(),
        _ if unmarkable => {
            let requested = change.to.metadata.labels.get(change.key.as_str()).unwrap_or_default().to_owned();
            vec![Violation::UnmarkableKind { requested }]
        }
        Mark::Singleton => Vec::new(),
        Mark::Strict => vec![Violation::StrictMark],
        Mark::Malformed(value) => vec![Violation::MalformedMark { requested: value.to_owned() }],
    }
}

fn trigger(row: Row) -> Option<String> {
    (row == Row::Workload).then(|| {
        format!(
            "{is_marked} && ({create} || {mark} != {old_mark})\n\
             && (request.resource.resource in [{unmarkable}] ? !{controlled} : {mark}.orValue('') != '{SINGLETON}')",
            is_marked = cel::IS_MARKED,
            create = cel::CREATE,
            mark = cel::MARK,
            old_mark = cel::OLD_MARK,
            unmarkable = UNMARKABLE.map(|kind| format!("'{}'", kind.resource)).join(", "),
            controlled = cel::CONTROLLED,
        )
    })
}
