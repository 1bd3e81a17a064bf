//! The registry of rules. A rule is one file: its prose, its check and, beside the check, the CEL condition without
//! which it can never deny or warn, and what the API server can refuse without us.
//!
//! That is all there is of a rule about workloads. A request about a Pod of a strict singleton does not come to
//! [`judge`]: `policy/pod.rs` asks [`sg010_taken::judge`] (the `check` of SG010 finds nothing) and
//! [`sg012_name::judge`] itself, and looks at the grace of a new Pod (SG011). A deletion or an eviction of a Pod is
//! refused by the API server's own policies alone; [`sg011_ending::judge`] says the same in Rust, for the tests. Nor does a
//! request about an autoscaler come here: `policy/autoscaler.rs` asks [`sg003_autoscaler::judge`].
//!
//! # How a rule is added
//!
//! 1. `policy/code.rs`: a variant of [`Code`](super::code::Code), with a number that was never used, and its text.
//! 2. A file in this directory whose name begins with the code in lower case, as all here do. What its head says after
//!    the first paragraph is published in `docs/reference/codes.md`.
//! 3. A `mod` above [`RULES`], and a line in it at the place at which its violations are to be reported.
//! 4. `policy/violation.rs`: an enum of the rule's own with a variant for each way to break it. The compiler then asks for
//!    the field, the sentence and the remedy of each, which are in a file of the rule's in `policy/words`. It does not ask
//!    for the line in `every_violation` of `tests/spec/generated.rs`, without which no test of the words knows of the variant.
//! 5. Two cases below `tests/cases` at least, one that is refused and one that is not; and one below
//!    `tests/cases/remedy` that does what the remedy says, or a line with the reason in `tests/spec/remedies.rs`.
//!    What the API server cannot refuse without us is listed in `tests/spec/floor.rs` and, by its case, in
//!    `tests/live/stories/floor.rs`.
//! 6. `just update` writes what follows: the chart's webhooks and policies, the tables, the page of codes and
//!    `tests/messages.txt`.

mod rule;
mod sg001_replicas;
mod sg002_surge;
pub mod sg003_autoscaler;
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
pub const RULES: [Rule; 10] = [
    sg006_mark::RULE,
    sg005_release::RULE,
    sg007_owner::RULE,
    sg001_replicas::RULE,
    sg002_surge::RULE,
    sg003_autoscaler::RULE,
    sg004_identity::RULE,
    sg010_taken::RULE,
    sg011_ending::RULE,
    sg012_name::RULE,
];
