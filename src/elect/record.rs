//! The record that the lock consists of, and its form in JSON: pure.
//!
//! A record is known by its term and its beat: the first is never used again, and the second is another one for each
//! write. Whoever edits a record by hand changes neither, so a candidate goes on waiting, and cannot release it either:
//! that a record is released counts only where it names the very write that released it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::OffsetDateTime;

use super::timing::LEASE_MAX;

/// The lock.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Record {
    /// Who has it, in words for people. None in a record that was only made.
    pub holder: Option<Arc<str>>,
    /// Since which acquisition.
    pub term: Term,
    /// Which write of whoever wrote it.
    pub beat: u64,
    /// Whether nothing of its holder's command is alive any more.
    pub is_released: bool,
    /// For how long it has to be seen untouched. Replicas of an upgrade may disagree, so it is said.
    pub lease: Duration,
}

/// One acquisition. None comes back: `by` is drawn anew whenever an elector starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    /// Which start of which elector.
    pub by: u64,
    /// Which of its acquisitions.
    pub number: u32,
}

/// One write of one elector: none is like another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Write {
    /// The acquisition that it belongs to.
    pub term: Term,
    /// Which write of its elector.
    pub beat: u64,
}

/// What a store calls a write: a later one has a higher number, whatever it wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// What is found under the lock's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cell {
    /// Nothing, or at this revision something that nobody has used yet.
    Empty(Option<Revision>),
    /// A record of ours.
    Record(Record, Revision),
    /// Something else, and what is wrong with it: nobody's to take.
    Foreign(Arc<str>),
}

/// As it is written where the store keeps bytes.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    holder: Option<String>,
    term: String,
    beat: u64,
    /// The beat of the write that released it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    released: Option<u64>,
    lease_seconds: u64,
    /// For people: nobody ever compares it.
    #[serde(default)]
    renewed: String,
}

impl Record {
    /// The write that it is.
    #[must_use]
    pub const fn write(&self) -> Write {
        Write { term: self.term, beat: self.beat }
    }

    /// As JSON. The time is for people.
    #[must_use]
    pub fn to_json(&self, now: SystemTime) -> String {
        let written = Written {
            holder: self.holder.as_deref().map(str::to_owned),
            term: self.term.to_string(),
            beat: self.beat,
            released: self.is_released.then_some(self.beat),
            lease_seconds: self.lease.as_secs(),
            renewed: timestamp(now),
        };
        serde_json::to_string(&written).unwrap_or_default()
    }

    /// What these bytes are.
    #[must_use]
    pub fn read_json(bytes: &[u8], revision: Revision) -> Cell {
        if bytes.is_empty() {
            return Cell::Empty(Some(revision));
        }
        let parsed = serde_json::from_slice::<Written>(bytes).map_err(|error| error.to_string());
        let record = parsed.and_then(|written| {
            Ok(Self {
                term: written.term.parse().map_err(|error: NoTerm| error.to_string())?,
                holder: written.holder.filter(|holder| !holder.is_empty()).map(Into::into),
                beat: written.beat,
                is_released: written.released == Some(written.beat),
                lease: lease(written.lease_seconds),
            })
        });
        match record {
            Ok(record) => Cell::Record(record, revision),
            Err(error) => Cell::Foreign(format!("it is no record of elect: {error}").into()),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}-{}", self.by, self.number)
    }
}

/// Text that is no term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("its term is none of elect")]
pub struct NoTerm;

impl FromStr for Term {
    type Err = NoTerm;

    fn from_str(text: &str) -> Result<Self, NoTerm> {
        let (by, number) = text.split_once('-').ok_or(NoTerm)?;
        let term = Self { by: u64::from_str_radix(by, 16).or(Err(NoTerm))?, number: number.parse().or(Err(NoTerm))? };
        // One text for one term.
        if term.to_string() == text { Ok(term) } else { Err(NoTerm) }
    }
}

/// A lease that was edited to for ever would never end.
pub(super) fn lease(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(LEASE_MAX)
}

/// As `metav1.MicroTime` is written.
pub(super) fn timestamp(now: SystemTime) -> String {
    let now = OffsetDateTime::from(now);
    let (year, month, day) = now.to_calendar_date();
    let (hour, minute, second, micro) = now.to_hms_micro();
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micro:06}Z", u8::from(month))
}
