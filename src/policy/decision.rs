//! The answer to a request. A decision always exists: there is no error beside it.

use json_patch::Patch;

use super::code::Code;
use super::denial::{Broken, Denial};
use super::lookup::Unknown;
use super::surplus::Ending;
use super::words::{self, NAME_MAX, WARNING_MAX};
use crate::api::reference::Regarding;
use crate::api::text::{clip, wrap};
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
        let key_stays = key_stays.then(|| words::KEY_STAYS.to_owned());
        let warnings = std::iter::once(words::released(subject)).chain(key_stays).collect();
        Self { released: true, about: Some(subject.path()), ..Self::allowed_with(warnings) }
    }

    /// Allowed, and the workload becomes a singleton that has more Pods.
    pub(super) fn ends_others(subject: &Regarding, ending: Ending) -> Self {
        Self::allowed_with(words::ends_others(subject, ending))
    }

    /// Allowed: an autoscaler of a singleton may ask for more than one, as it might before.
    pub(super) fn still_autoscaled(subject: &Regarding) -> Self {
        Self::allowed_with(vec![words::sg003::still_autoscaled(subject)])
    }

    /// The same, with one more line for the person who asked.
    pub(super) fn and_warned(mut self, warning: String) -> Self {
        self.warnings.push(warning);
        self
    }

    /// Allowed once the patch is applied.
    #[must_use]
    pub fn completed(patch: Patch, warnings: Vec<String>) -> Self {
        Self { verdict: Verdict::Completed(patch), ..Self::allowed_with(warnings) }
    }

    /// Refused. The remedies go along as warnings.
    #[must_use]
    pub fn denied(denial: Denial) -> Self {
        let remedy = |broken: &Broken| format!("{}: {}", broken.violation.code(), denial.remedy(&broken.violation));
        let mut warnings: Vec<_> = denial.broken().map(remedy).collect();
        warnings.dedup();
        warnings.truncate(REMEDIES_MAX);
        Self { verdict: Verdict::Denied(Box::new(denial)), ..Self::allowed_with(warnings) }
    }

    /// Refused because the cluster could not be asked whether the workload is a singleton.
    #[must_use]
    pub fn unknown(subject: &Regarding, cause: &Unknown) -> Self {
        Self { about: Some(subject.path()), ..Self::undecided(words::unknown(subject, cause)) }
    }

    /// Refused because of a fault of ours, or because the request could not be understood.
    #[must_use]
    pub fn could_not_decide(cause: &str) -> Self {
        Self::undecided(words::could_not_decide(cause))
    }

    fn undecided(message: String) -> Self {
        Self { verdict: Verdict::Undecided { message }, ..Self::allowed_with(Vec::new()) }
    }

    /// The same under a mode. In [`Mode::Warn`] a broken rule, or one that could not be judged, is only a warning: the
    /// request goes on, and its verdict is told line by line. `releases` says whether it takes a singleton's mark off.
    #[must_use]
    pub fn under(self, mode: Mode, releases: bool) -> Self {
        if mode == Mode::Enforce {
            return self;
        }
        let lines = match &self.verdict {
            Verdict::Allowed | Verdict::Completed(_) => return self,
            Verdict::Denied(denial) => denial.broken().flat_map(|broken| denial.warning(&broken.violation)).collect(),
            Verdict::Undecided { message } => wrap(message, "could not decide: ", WARNING_MAX),
        };
        let warnings = lines.into_iter().chain(self.warnings).collect();
        Self { warnings, released: releases, mode, ..self }
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
        let replicas =
            denial.and_then(|denial| denial.broken().find_map(|broken| broken.violation.requested_replicas()));
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
            Verdict::Denied(denial) => Some(denial.first().violation.code()),
            _ => None,
        }
    }

    /// The one line that says which rule is broken, or why that could not be decided, of at most 250 characters.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::Denied(denial) => Some(&denial.first().line),
            Verdict::Undecided { message } => Some(message),
            Verdict::Allowed | Verdict::Completed(_) => None,
        }
    }

    /// Lines that kubectl prints before the answer, of at most 120 characters each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }
}

/// Of several remedies only so many: kubectl prints each above the refusal.
const REMEDIES_MAX: usize = 2;
/// A namespace, a slash and a name, at their longest.
const PATH_MAX: usize = 63 + 1 + 253;
