//! What a rule is made of.

use crate::policy::change::Change;
use crate::policy::code::Code;
use crate::policy::entry::{Place, Refusal, Row};
use crate::policy::standing::Standing;
use crate::policy::violation::Violation;

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
