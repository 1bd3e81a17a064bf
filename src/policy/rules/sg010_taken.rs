//! SG010: the one Pod of a strict singleton is there already.
//!
//! Advice, not the lock: the API server itself refuses a second Pod of one name. It does so after the quota has been
//! charged, and says only that the name exists; this rule is asked before, and says which Pod, where, and until when.
//! What cannot be found out is not refused.

use super::super::code::Code;
use super::super::holder::{Holder, State};
use super::super::violation::{Sg010, Violation};
use super::Rule;

pub(super) const RULE: Rule = Rule {
    code: Code::Sg010,
    summary: "the next Pod of a strict singleton starts when the one before is gone",
    // No workload breaks it: [`judge`] is asked about new Pods, by `policy/pod.rs`.
    check: |_, _| Vec::new(),
    trigger: |_, _| None,
    floor: |_, _| Vec::new(),
};

/// Whether another Pod may be created under a name that this one holds, if any does. `controller` is the uid of the one
/// that creates it, and empty where none does. One that has a Pod which stays and creates another wants two: it was
/// released and scaled, and its template still has the key, or the glass was broken.
#[must_use]
pub fn judge(holder: Option<Holder>, controller: &str) -> Option<Violation> {
    holder.map(|holder| match holder {
        Holder { node, is_strict: true, controller: its, state: State::Stays }
            if !its.is_empty() && its == controller =>
        {
            Sg010::WantsTwo { node }.into()
        }
        other => Sg010::NameTaken(other).into(),
    })
}
