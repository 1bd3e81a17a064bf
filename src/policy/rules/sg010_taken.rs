//! SG010: the one Pod of a strict singleton is there already.
//!
//! Advice, not the lock: the API server itself refuses a second Pod of one name. It does so after the quota has been
//! charged, and says only that the name exists; this rule is asked before, and says which Pod, where, and until when.
//! What cannot be found out is not refused.

use super::super::holder::Holder;
use super::super::violation::{Code, Violation};
use super::Rule;

pub(super) const RULE: Rule = Rule {
    code: Code::Sg010,
    summary: "the next Pod of a strict singleton starts when the one before is gone",
    check: |_, _| Vec::new(),
    trigger: |_| None,
    floor: |_| Vec::new(),
};

/// Whether another Pod may be created under a name that this one holds, if any does.
#[must_use]
pub fn judge(holder: Option<Holder>) -> Option<Violation> {
    holder.map(Violation::NameTaken)
}
