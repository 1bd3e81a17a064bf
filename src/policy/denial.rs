//! A refusal: which rules a request breaks, and the lines in which a person reads that.

use std::borrow::Cow;

use super::violation::Violation;
use crate::api::mark::MarkKey;
use crate::api::reference::Regarding;
use crate::api::text::{clip, line, wrap};

/// Which rules a request breaks, in the order in which they are reported. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The workload.
    pub subject: Regarding,
    /// The label key of the mark, for the texts.
    pub key: MarkKey,
    /// The first violation: the one a person reads.
    pub first: Violation,
    /// The others.
    pub others: Vec<Violation>,
    /// The custom resource that controls the workload, as a text: it would undo what anybody else changes.
    pub owner: Option<String>,
}

impl Denial {
    /// All violations, the reported one first.
    pub fn violations(&self) -> impl Iterator<Item = &Violation> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// One violation as a line. A long name is shortened in its middle, the code and the value never are.
    #[must_use]
    pub fn message(&self, violation: &Violation) -> String {
        self.line(violation, &self.subject.path())
    }

    /// What to do about one. What is broken has to be mended where it is written: with its owner, if a custom resource has
    /// made it.
    #[must_use]
    pub fn remedy(&self, violation: &Violation) -> Cow<'static, str> {
        match &self.owner {
            Some(owner) if violation.is_its_owners() => format!("{owner} controls it: change it there").into(),
            _ => violation.remedy().into(),
        }
    }

    /// The same as warnings, each of at most 120 characters and with the code. Nothing but a long name is left out.
    pub(super) fn warning(&self, violation: &Violation) -> Vec<String> {
        let (line, code) = (self.line(violation, &clip(&self.subject.path(), NAME_MAX)), violation.code());
        if line.chars().count() <= WARNING_MAX {
            return vec![line];
        }
        let (rule, requested) = line.rsplit_once(REQUESTED).unwrap_or((&line, ""));
        let mut pieces = wrap(rule, &format!("{code} "), WARNING_MAX);
        if !requested.is_empty() {
            pieces.extend(wrap(&format!("{code} requested {requested}"), &format!("{code} "), WARNING_MAX));
        }
        pieces
    }

    fn line(&self, violation: &Violation, path: &str) -> String {
        let sentence = violation.sentence(&self.key);
        // "SG006 StatefulSet pay/ledger: label ... must", but "SG001 StatefulSet pay/ledger is a singleton: ...".
        let joint = if sentence.starts_with("label") || sentence.starts_with("annotation") { ": " } else { " " };
        let before = format!("{} {} ", violation.code(), self.subject.kind);
        line(&before, path, &format!("{joint}{sentence}"), LINE_MAX)
    }
}

/// kubectl and the events of the autoscaler show the message as one line.
pub(super) const LINE_MAX: usize = 250;
/// The API server asks for at most 120 characters a warning (`AdmissionResponse.warnings`).
pub(super) const WARNING_MAX: usize = 120;
/// How a sentence comes to what was asked for ([`Violation::sentence`]).
const REQUESTED: &str = ", requested ";
/// In a warning a longer name would leave no room for what is wrong.
pub(super) const NAME_MAX: usize = 64;
