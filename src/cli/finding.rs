//! What is said about a manifest, as data: how bad it is, what, about what, and where that stands.

use std::sync::Arc;

use super::yaml::Place;
use crate::api::text::clip;

/// One thing that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The code of a rule, or the name of what a whole set shows ([`super::set::Topic`]); [`UNREADABLE`] or [`UNDECIDED`].
    pub code: &'static str,
    /// The line that says it; of a refusal the one that the webhook answers with.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// The object that it is about; none where a document cannot be read.
    pub subject: Option<Subject>,
    /// Path of the field, as in `spec.replicas`; empty where it is about the whole.
    pub field: String,
    /// Where that stands.
    pub spot: Spot,
    /// Another object that has to do with it, and where it stands.
    pub other: Option<(String, Spot)>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It cannot be read, so it was not judged.
    Unreadable,
    /// The guard refuses it.
    Refused,
    /// The guard takes it, with a warning; or it contradicts another object of the set.
    Warning,
    /// Only the cluster knows enough to decide.
    Undecided,
    /// It is no singleton, and perhaps should be one.
    Advice,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Subject {
    /// Its kind.
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name; for one whose name is generated how it begins.
    pub name: String,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// The file as it was named, or `<stdin>`.
    pub file: Arc<str>,
    /// The document in it, from 1; 0 where it is about the whole file.
    pub document: usize,
    /// Line and columns.
    pub place: Place,
    /// The line itself, shortened where it is very long.
    pub line: Box<str>,
}

/// A file while it is looked at.
#[derive(Debug)]
pub struct Source<'t> {
    name: Arc<str>,
    text: &'t str,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'t> Source<'t> {
    /// Of this name and content.
    #[must_use]
    pub fn new(name: &str, text: &'t str) -> Self {
        // YAML ends a line with LF, CR LF or CR.
        let ends = |(at, byte): &(usize, u8)| match byte {
            b'\n' => true,
            b'\r' => text.as_bytes().get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        let behind = text.bytes().enumerate().filter(ends).map(|(at, _)| at + 1);
        Self { name: clip(name, NAME_MAX).into(), text, lines: std::iter::once(0).chain(behind).collect() }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// A place in it.
    #[must_use]
    pub fn spot(&self, document: usize, place: Place) -> Spot {
        let begin = self.lines.get(place.line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let line = self.text.get(begin..).and_then(|rest| rest.split(['\n', '\r']).next()).unwrap_or_default();
        let line = match line.char_indices().nth(LINE_MAX) {
            Some((end, _)) => line.get(..end).unwrap_or_default(),
            None => line,
        };
        Spot { file: Arc::clone(&self.name), document, place, line: line.into() }
    }
}

/// A document while it is looked at.
#[derive(Debug, Clone, Copy)]
pub struct At<'c, 't> {
    source: &'c Source<'t>,
    number: usize,
}

impl<'c, 't> At<'c, 't> {
    /// The document of this number in a file.
    #[must_use]
    pub const fn new(source: &'c Source<'t>, number: usize) -> Self {
        Self { source, number }
    }

    /// A place in it.
    #[must_use]
    pub fn spot(&self, place: Place) -> Spot {
        self.source.spot(self.number, place)
    }
}

impl Spot {
    /// A whole file.
    #[must_use]
    pub fn of_file(name: &str) -> Self {
        Self { file: clip(name, NAME_MAX).into(), document: 0, place: Place::default(), line: "".into() }
    }
}

impl Level {
    /// In one word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Refused => "refused",
            Self::Warning => "warning",
            Self::Undecided => "undecided",
            Self::Advice => "advice",
        }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// The code of what cannot be read.
pub const UNREADABLE: &str = "unreadable";
/// The code of what only the cluster can decide.
pub const UNDECIDED: &str = "undecided";
/// The code of a key that comes twice.
pub const TWICE: &str = "duplicate-key";
/// The code of what the guard warns of without a rule.
pub const WARNED: &str = "warning";
/// As long as a path may be on Linux (`PATH_MAX`) would fill a screen.
const NAME_MAX: usize = 400;
/// A longer line is no manifest that a person has written.
const LINE_MAX: usize = 400;
