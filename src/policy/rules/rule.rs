//! What a rule is made of.

use crate::api::kind::Kinds;
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
    /// What it demands, in one sentence, in which `{kinds}` stands for the guarded kinds.
    pub summary: &'static str,
    /// What is wrong with the change, if anything.
    pub check: fn(&Change<'_>, Standing) -> Vec<Violation>,
    /// The CEL condition without which the rule can neither deny nor warn about a request that reaches this row of
    /// the webhook configuration, about one of these kinds; `None` where it never can. `MARK` stands for the label key of
    /// the mark.
    pub trigger: fn(Row, Kinds) -> Option<String>,
    /// What the API server can refuse by itself, of these kinds, in this place of the native floor.
    pub floor: fn(Place, Kinds) -> Vec<Refusal>,
}

impl Rule {
    /// What it demands, of these kinds: a row of `docs/rules.md`.
    #[must_use]
    pub fn demands(&self, kinds: Kinds) -> String {
        self.summary.replace("{kinds}", &kinds.names("or"))
    }
}
