//! The registry of rules. A rule is one file: its prose, its check and, beside the check, the CEL condition without
//! which it can never deny or warn, and what the API server can refuse without us. A new rule is a file, a line here, an
//! arm in `Violation`, and two cases.

mod sg001_replicas;
mod sg002_surge;
mod sg004_identity;
mod sg005_release;
mod sg006_mark;
mod sg007_owner;
pub mod sg010_taken;
pub mod sg011_ending;
pub mod sg012_name;

use super::change::Change;
use super::floor::{Place, Refusal};
use super::standing::Standing;
use super::violation::{Code, Violation};
use super::webhook::Row;

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its stable code.
    pub code: Code,
    /// What it demands, in one sentence: a row of `docs/rules.md`.
    pub summary: &'static str,
    /// What is wrong with the change, if anything.
    pub check: fn(&Change<'_>, Standing) -> Vec<Violation>,
    /// The CEL condition without which the rule can neither deny nor warn about a request that reaches this row of
    /// the webhook configuration; `None` where it never can. `MARK` stands for the label key of the mark.
    pub trigger: fn(Row) -> Option<String>,
    /// What the API server can refuse by itself in this place of the native floor.
    pub floor: fn(Place) -> Vec<Refusal>,
}

/// All violations of a change, in the order in which they are reported.
#[must_use]
pub fn judge(change: &Change<'_>, standing: Standing) -> Vec<Violation> {
    let mut violations = Vec::new();
    for rule in &RULES {
        let found = (rule.check)(change, standing);
        // Most rules find nothing, and most requests that break one break no other.
        if violations.is_empty() {
            violations = found;
        } else {
            violations.extend(found);
        }
    }
    violations
}

/// The rules, in the order in which their violations are reported: a request that takes the mark off *and* scales is
/// told about the mark.
pub const RULES: [Rule; 9] = [
    sg006_mark::RULE,
    sg005_release::RULE,
    sg007_owner::RULE,
    sg001_replicas::RULE,
    sg002_surge::RULE,
    sg004_identity::RULE,
    sg010_taken::RULE,
    sg011_ending::RULE,
    sg012_name::RULE,
];
