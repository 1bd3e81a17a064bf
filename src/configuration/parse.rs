//! From the bytes of the file to settings, or to words: which line and which field is wrong, and what would be right.

use std::borrow::Cow;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_path_to_error::{Deserializer, Track};
use serde_saphyr::MessageFormatter as _;

use crate::api::text::clip;
use crate::settings::{GuardConfiguration, Settings, SettingsError};

/// What is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line, where the parser knows it.
    pub line: Option<u64>,
    /// Path of the field, as in `mark.key`; empty where it is the file as a whole.
    pub field: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The file cannot be read.
    #[error("--config {path}: cannot read it: {cause}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The file is wrong.
    #[error("--config {path}: {fault}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Where and what.
        fault: Fault,
    },
}

/// Reads the file.
///
/// # Errors
/// [`ConfigurationError`] names the file.
pub fn read(path: &Path) -> Result<(Vec<u8>, Settings), ConfigurationError> {
    let bytes = fs::read(path).map_err(|cause| ConfigurationError::Read { path: path.to_owned(), cause })?;
    let settings = parse(&bytes).map_err(|fault| ConfigurationError::Wrong { path: path.to_owned(), fault })?;
    Ok((bytes, settings))
}

/// The settings that these bytes say.
///
/// # Errors
/// [`Fault`].
pub fn parse(bytes: &[u8]) -> Result<Settings, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|error| Fault {
        line: None,
        field: String::new(),
        problem: format!("it is not text in UTF-8 ({error})"),
    })?;
    let mut track = Track::new();
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    let configuration = serde_saphyr::with_deserializer_from_str_with_options(text, options, |yaml| {
        GuardConfiguration::deserialize(Deserializer::new(yaml, &mut track))
    });
    match configuration {
        Ok(configuration) => Settings::try_from(configuration).map_err(|SettingsError { field, problem }| Fault {
            line: None,
            field,
            problem,
        }),
        Err(error) => Err(Fault {
            line: error.location().map(|location| location.line()),
            // "." and "?" are what the path is called before the first field and at a key that is no field.
            field: Some(track.path().to_string()).filter(|path| path != "." && path != "?").unwrap_or_default(),
            problem: clip(&words(&error), PROBLEM_MAX),
        }),
    }
}

/// The parser's own words, but for those that only make sense to somebody who writes parsers.
fn words(error: &serde_saphyr::Error) -> Cow<'_, str> {
    use serde_saphyr::Error::{Eof, SerdeMissingField, Unexpected};
    match error {
        Unexpected { expected: "mapping start", .. } => "must have fields below it, each as \"name: value\"".into(),
        Unexpected { expected: "sequence start", .. } => "must be a list, as in [a, b]".into(),
        Eof { .. } => format!("it is empty; {BEGINS}").into(),
        SerdeMissingField { field, .. } => format!("{field} is missing; {BEGINS}").into(),
        other => serde_saphyr::UserMessageFormatter.format_message(other),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.problem)
    }
}

/// What no file may lack.
const BEGINS: &str =
    "a configuration begins with \"apiVersion: singleton-guard.io/v1\" and \"kind: GuardConfiguration\"";
/// Beyond this a line of the log, or an Event, holds more of the file than of the problem.
const PROBLEM_MAX: usize = 400;
