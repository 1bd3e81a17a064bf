//! The registry of rules. A rule is one file: its prose, its check and, beside the check, the CEL condition without
//! which it can never deny or warn, and what the API server can refuse without us. A new rule is a file, a line here, an
//! arm in `Violation`, and two cases.

mod rule;
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
use super::standing::Standing;
use super::violation::Violation;

pub use rule::Rule;

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
