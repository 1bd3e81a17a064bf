//! The answer to a request. A decision always exists: there is no error beside it.

use json_patch::Patch;

use super::code::Code;
use super::denial::{Denial, LINE_MAX, NAME_MAX, WARNING_MAX};
use super::lookup::Unknown;
use super::surplus::Ending;
use super::violation::Violation;
use crate::api::reference::Regarding;
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
    pub fn release(subject: &Regarding, key_stays: bool) -> Self {
        let warning =
            line("", &subject.id(), " is no longer a singleton: nothing keeps it at one replica", WARNING_MAX);
        let warnings = [Some(warning), key_stays.then(|| KEY_STAYS.to_owned())].into_iter().flatten().collect();
        Self { released: true, about: Some(subject.path()), ..Self::allowed_with(warnings) }
    }

    /// Allowed, and the workload becomes a singleton that has more Pods.
    pub(super) fn ends_others(subject: &Regarding, ending: Ending) -> Self {
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
    pub fn unknown(subject: &Regarding, cause: &Unknown) -> Self {
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

/// Said where a workload is strict no longer.
pub(super) const KEY_STAYS: &str =
    "its Pod template keeps label singleton-guard.io/key, so only one Pod can be: take it off for more (a rollout)";
const COULD_NOT_DECIDE: &str = "could not decide";
const CAUSE_MAX: usize = 120;
/// A namespace, a slash and a name, at their longest.
const PATH_MAX: usize = 63 + 1 + 253;
