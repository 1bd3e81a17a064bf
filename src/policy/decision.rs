//! The answer to a request. A decision always exists: there is no error beside it.

use std::borrow::Cow;

use json_patch::Patch;

use super::lookup::Unknown;
use super::surplus::Ending;
use super::violation::{Code, Violation};
use crate::api::mark::MarkKey;
use crate::api::text::{clip, line, wrap};
use crate::settings::Mode;

/// The answer to one request.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    verdict: Verdict,
    warnings: Vec<String>,
    released: bool,
    mode: Mode,
    /// `namespace/name` of what a release, or a question without an answer, is about.
    about: Option<String>,
}

/// Whether the request may go on.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It may.
    Allowed,
    /// It may, and the object is completed first. Only ever the answer to a mutating request.
    Completed(Patch),
    /// It breaks rules.
    Denied(Box<Denial>),
    /// It might break a rule, and that could not be found out. Never looks like a refusal by a rule.
    Undecided {
        /// One line for the user.
        message: String,
    },
}

/// Which rules a request breaks, in the order in which they are reported. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The workload.
    pub subject: Subject,
    /// The label key of the mark, for the texts.
    pub key: MarkKey,
    /// The first violation: the one a person reads.
    pub first: Violation,
    /// The others.
    pub others: Vec<Violation>,
    /// The custom resource that controls the workload, as a text: it would undo what anybody else changes.
    pub owner: Option<String>,
}

/// What a refusal is about, as `StatusDetails` of `metav1` wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// API group.
    pub group: &'static str,
    /// `kind` of the object; for a Scale that of its parent.
    pub kind: &'static str,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Uid; empty where the API server has not given one yet.
    pub uid: String,
}

impl Decision {
    /// Allowed, with words for the person who asked.
    #[must_use]
    pub const fn allowed_with(warnings: Vec<String>) -> Self {
        Self { verdict: Verdict::Allowed, warnings, released: false, mode: Mode::Enforce, about: None }
    }

    /// Allowed.
    pub const ALLOWED: Self = Self::allowed_with(Vec::new());

    /// Allowed, and the workload is a singleton no longer. `key_stays` says whether its Pods still get one name.
    #[must_use]
    pub fn release(subject: &Subject, key_stays: bool) -> Self {
        let warning =
            line("", &subject.id(), " is no longer a singleton: nothing keeps it at one replica", WARNING_MAX);
        let warnings = [Some(warning), key_stays.then(|| KEY_STAYS.to_owned())].into_iter().flatten().collect();
        Self { released: true, about: Some(subject.path()), ..Self::allowed_with(warnings) }
    }

    /// Allowed, and the workload becomes a singleton that has more Pods.
    pub(super) fn ends_others(subject: &Subject, ending: Ending) -> Self {
        let warning = line("SG001 ", &subject.id(), &format!(": {}", ending.sentence()), WARNING_MAX);
        Self::allowed_with([Some(warning), ending.remark().map(ToOwned::to_owned)].into_iter().flatten().collect())
    }

    /// Allowed once the patch is applied.
    #[must_use]
    pub fn completed(patch: Patch, warnings: Vec<String>) -> Self {
        Self { verdict: Verdict::Completed(patch), ..Self::allowed_with(warnings) }
    }

    /// Refused. The remedies go along as warnings.
    #[must_use]
    pub fn denied(denial: Denial) -> Self {
        let remedy = |violation: &Violation| format!("{}: {}", violation.code(), denial.remedy(violation));
        let mut warnings = vec![remedy(&denial.first)];
        if let Some(other) = denial.others.iter().map(remedy).find(|other| !warnings.contains(other)) {
            warnings.push(other);
        }
        Self { verdict: Verdict::Denied(Box::new(denial)), ..Self::allowed_with(warnings) }
    }

    /// Refused because the cluster could not be asked whether the workload is a singleton.
    #[must_use]
    pub fn unknown(subject: &Subject, cause: &Unknown) -> Self {
        let after = format!(" is a singleton: {}; nothing was changed", clip(&cause.to_string(), CAUSE_MAX));
        let message = line(&format!("{COULD_NOT_DECIDE} whether "), &subject.id(), &after, LINE_MAX);
        Self { about: Some(subject.path()), ..Self::undecided(message) }
    }

    /// Refused because of a fault of ours, or because the request could not be understood.
    #[must_use]
    pub fn could_not_decide(cause: &str) -> Self {
        Self::undecided(line(&format!("{COULD_NOT_DECIDE} "), cause, "; nothing was changed", LINE_MAX))
    }

    fn undecided(message: String) -> Self {
        Self { verdict: Verdict::Undecided { message }, ..Self::allowed_with(Vec::new()) }
    }

    /// The same where a broken rule, or one that could not be judged, is only a warning: the request goes on, and its
    /// verdict is told line by line. `releases` says whether it takes a singleton's mark off.
    #[must_use]
    pub fn only_warned(self, releases: bool) -> Self {
        let lines = match &self.verdict {
            Verdict::Allowed | Verdict::Completed(_) => return self,
            Verdict::Denied(denial) => denial.violations().flat_map(|violation| denial.warning(violation)).collect(),
            Verdict::Undecided { message } => wrap(message, "could not decide: ", WARNING_MAX),
        };
        let warnings = lines.into_iter().chain(self.warnings).collect();
        Self { warnings, released: releases, mode: Mode::Warn, ..self }
    }

    /// Whether a broken rule was only a warning.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether, and how, the request may go on.
    #[must_use]
    pub const fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// Whether the request may go on.
    #[must_use]
    pub const fn allowed(&self) -> bool {
        matches!((self.mode, &self.verdict), (Mode::Warn, _) | (_, Verdict::Allowed | Verdict::Completed(_)))
    }

    /// What became of the request, in one word from a bounded set: for a metric, and for the audit log.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match (&self.verdict, self.mode) {
            (Verdict::Allowed, _) if self.released => "released",
            (Verdict::Allowed, _) => "allowed",
            (Verdict::Completed(_), _) => "completed",
            (Verdict::Denied(_), Mode::Enforce) => "denied",
            (Verdict::Denied(_), Mode::Warn) => "warned",
            (Verdict::Undecided { .. }, _) => "undecided",
        }
    }

    /// What the API server's audit log is to keep: nothing about what is simply allowed.
    #[must_use]
    pub fn annotations(&self) -> Vec<(&'static str, String)> {
        if self.message().is_none() && !self.released {
            return Vec::new();
        }
        let denial = match &self.verdict {
            Verdict::Denied(denial) => Some(denial),
            _ => None,
        };
        let singleton = denial.map(|denial| denial.subject.path()).or_else(|| self.about.clone());
        let replicas = denial.and_then(|denial| denial.violations().find_map(Violation::requested_replicas));
        let mode = if self.mode == Mode::Warn { "warn" } else { "enforce" };
        [
            ("decision", Some(self.outcome().to_owned())),
            ("code", self.code().map(|code| code.as_str().to_owned())),
            ("singleton", singleton.map(|path| clip(&path, PATH_MAX))),
            ("requested-replicas", replicas.map(|replicas| clip(replicas, NAME_MAX))),
            ("mode", Some(mode.to_owned())),
        ]
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)))
        .collect()
    }

    /// Whether it could not be decided.
    #[must_use]
    pub const fn is_undecided(&self) -> bool {
        matches!(self.verdict, Verdict::Undecided { .. })
    }

    /// Whether a workload is a singleton no longer: worth a line in the log.
    #[must_use]
    pub const fn released(&self) -> bool {
        self.released
    }

    /// Code of the rule that is reported, if one is broken; also where that is only a warning.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match &self.verdict {
            Verdict::Denied(denial) => Some(denial.first.code()),
            _ => None,
        }
    }

    /// The one line that says which rule is broken, or why that could not be decided, of at most 250 characters.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        match &self.verdict {
            Verdict::Denied(denial) => Some(denial.message(&denial.first)),
            Verdict::Undecided { message } => Some(message.clone()),
            Verdict::Allowed | Verdict::Completed(_) => None,
        }
    }

    /// Lines that kubectl prints before the answer, of at most 120 characters each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
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
    fn warning(&self, violation: &Violation) -> Vec<String> {
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

impl Subject {
    /// `namespace/name`.
    fn path(&self) -> String {
        let name = if self.name.is_empty() { "(name to be generated)" } else { &self.name };
        format!("{}/{name}", self.namespace)
    }

    fn id(&self) -> String {
        format!("{} {}", self.kind, self.path())
    }
}

/// Said where a workload is strict no longer.
pub(super) const KEY_STAYS: &str =
    "its Pod template keeps label singleton-guard.io/key, so only one Pod can be: take it off for more (a rollout)";
const COULD_NOT_DECIDE: &str = "could not decide";
/// kubectl and the events of the autoscaler show the message as one line.
const LINE_MAX: usize = 250;
/// The API server asks for at most 120 characters a warning (`AdmissionResponse.warnings`).
const WARNING_MAX: usize = 120;
const CAUSE_MAX: usize = 120;
/// A namespace, a slash and a name, at their longest.
const PATH_MAX: usize = 63 + 1 + 253;
/// How a sentence comes to what was asked for ([`Violation::sentence`]).
const REQUESTED: &str = ", requested ";
/// In a warning a longer name would leave no room for what is wrong.
const NAME_MAX: usize = 64;
