//! What is said of one object, from a decision of the guard. Pure.

use super::finding::{Finding, Level, Spot, Subject, UNDECIDED, WARNED};
use crate::api::mark::MarkKey;
use crate::policy::code::Code;
use crate::policy::decision::{Decision, Verdict};
use crate::policy::rules::RULES;
use crate::settings::Mode;

/// An object, and where its fields stand.
pub struct About<'l> {
    /// The object.
    pub subject: Subject,
    /// Where a field of it stands; the empty one is all of it.
    pub locate: &'l dyn Fn(&str) -> Spot,
}

impl About<'_> {
    /// What a decision comes to.
    #[must_use]
    pub fn decided(&self, decision: &Decision, mark: &MarkKey) -> Vec<Finding> {
        match decision.verdict() {
            Verdict::Denied(denial) => {
                let level = if decision.mode() == Mode::Warn { Level::Warning } else { Level::Refused };
                let broken = denial.broken().map(|broken| {
                    let (violation, message) = (&broken.violation, broken.line.clone());
                    let help = Some(denial.remedy(violation).into_owned());
                    Finding { help, ..self.finding(level, violation.code().as_str(), message, violation.field(mark)) }
                });
                broken.collect()
            }
            Verdict::Undecided { message } => vec![self.undecided(message.clone())],
            Verdict::Allowed | Verdict::Completed(_) => decision.warnings().iter().map(|it| self.warned(it)).collect(),
        }
    }

    /// What only the cluster knows.
    #[must_use]
    pub fn undecided(&self, why: String) -> Finding {
        self.finding(Level::Undecided, UNDECIDED, why, String::new())
    }

    /// A warning of the guard, about an object that it takes.
    #[must_use]
    pub fn warned(&self, warning: &str) -> Finding {
        let code = RULES.iter().map(|rule| rule.code).find(|code| warning.starts_with(code.as_str()));
        // Where the guard fills something in, and says so.
        let field = if code == Some(Code::Sg002) { "spec.strategy" } else { "" };
        self.finding(Level::Warning, code.map_or(WARNED, |code| code.as_str()), warning.to_owned(), field.to_owned())
    }

    fn finding(&self, level: Level, code: &'static str, message: String, field: String) -> Finding {
        let (subject, spot) = (Some(self.subject.clone()), (self.locate)(&field));
        Finding { level, code, message, help: None, subject, field, spot, other: None }
    }
}
