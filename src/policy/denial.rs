//! A refusal: which rules a request breaks, and the lines in which a person reads that.

use std::borrow::Cow;

use super::violation::Violation;
use super::words::{LINE_MAX, NAME_MAX, WARNING_MAX};
use crate::api::kind::SPEC_REPLICAS;
use crate::api::mark::MarkKey;
use crate::api::reference::Regarding;
use crate::api::text::{clip, line, wrap};

/// Which rules a request breaks. Every line is built once, when the request is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The workload, or the Pod of a strict one.
    pub subject: Regarding,
    /// The label key of the mark, for the texts.
    pub key: MarkKey,
    /// The first broken rule in the order of [`super::rules::RULES`]: the one that a person reads.
    first: Broken,
    others: Vec<Broken>,
    /// The custom resource that controls the workload, as a text: it would undo what anybody else changes.
    owner: Option<String>,
    /// Where its kind has the desired number of Pods.
    replicas: &'static str,
}

/// A broken rule, and the line that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The way in which it is broken.
    pub violation: Violation,
    /// At most 250 characters. A long name is shortened in its middle, the code and the value never are.
    pub line: String,
}

impl Denial {
    /// Puts the violations into words, in the order in which they are reported.
    pub fn new(
        subject: Regarding,
        key: MarkKey,
        first: Violation,
        others: impl IntoIterator<Item = Violation>,
        owner: Option<String>,
        replicas: &'static str,
    ) -> Self {
        let path = subject.path();
        let broken = |violation| Broken { line: line_of(&violation, &key, (subject.kind, replicas), &path), violation };
        let (first, others) = (broken(first), others.into_iter().map(broken).collect());
        Self { subject, key, first, others, owner, replicas }
    }

    /// The rule that is reported.
    #[must_use]
    pub const fn first(&self) -> &Broken {
        &self.first
    }

    /// All broken rules, the reported one first.
    pub fn broken(&self) -> impl Iterator<Item = &Broken> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// What to do about one. What is broken has to be mended where it is written: with its owner, if a custom resource has
    /// made it.
    #[must_use]
    pub fn remedy(&self, violation: &Violation) -> Cow<'static, str> {
        match &self.owner {
            Some(owner) if violation.is_its_owners() => format!("{owner} controls it: change it there").into(),
            _ => of_kind(violation.remedy(), self.replicas),
        }
    }

    /// The field that is at fault.
    #[must_use]
    pub fn field(&self, violation: &Violation) -> String {
        of_kind(&violation.field(&self.key), self.replicas).into_owned()
    }

    /// One as warnings, each of at most 120 characters and with the code. Nothing but a long name is left out.
    pub(super) fn warning(&self, violation: &Violation) -> Vec<String> {
        let path = clip(&self.subject.path(), NAME_MAX);
        let line = line_of(violation, &self.key, (self.subject.kind, self.replicas), &path);
        let code = violation.code();
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
}

fn line_of(violation: &Violation, key: &MarkKey, (kind, replicas): (&str, &str), path: &str) -> String {
    let sentence = violation.sentence(key);
    let sentence = of_kind(&sentence, replicas);
    // "SG006 StatefulSet pay/ledger: label ... must", but "SG001 StatefulSet pay/ledger is a singleton: ...".
    let joint = if sentence.starts_with("label") || sentence.starts_with("annotation") { ": " } else { " " };
    let before = format!("{} {kind} ", violation.code());
    line(&before, path, &format!("{joint}{sentence}"), LINE_MAX)
}

/// The sentences name the field where most kinds have the desired number of Pods.
fn of_kind<'t>(text: &'t str, replicas: &str) -> Cow<'t, str> {
    if replicas == SPEC_REPLICAS.path { text.into() } else { text.replace(SPEC_REPLICAS.path, replicas).into() }
}

/// How a sentence comes to what was asked for ([`Violation::sentence`]).
const REQUESTED: &str = ", requested ";
