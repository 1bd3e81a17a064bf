//! Denials that wait to be recorded: repetitions become one Event with a count, and there is a bound on how much waits and on
//! how often an Event is written. Data only; the clock is passed in.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::recorder::Event;
use crate::api::reference::Regarding;

/// One denial, as an Event tells it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Denied {
    /// The object.
    pub about: Regarding,
    /// What is told.
    pub event: Event,
}

/// What became of a denial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It waits to be written.
    Waiting,
    /// It is one more of what waits, or was written a moment ago.
    Folded,
    /// It is lost: too much waits.
    Dropped,
}

/// What waits, and what was written a moment ago.
#[derive(Debug, Default)]
pub struct Aggregator {
    entries: HashMap<Denied, Entry>,
    /// When the last Events were written, the oldest first.
    written: VecDeque<Instant>,
}

#[derive(Debug)]
struct Entry {
    /// How often it has happened since it was last written.
    times: u32,
    /// Not to be written before.
    due: Instant,
}

impl Aggregator {
    /// Something was denied.
    pub fn add(&mut self, denied: Denied, now: Instant) -> Added {
        if let Some(entry) = self.entries.get_mut(&denied) {
            entry.times = entry.times.saturating_add(1);
            return Added::Folded;
        }
        if self.entries.len() >= WAITING_MAX {
            return Added::Dropped;
        }
        self.entries.insert(denied, Entry { times: 1, due: now });
        Added::Waiting
    }

    /// Whether the same waits, or was written a moment ago.
    #[must_use]
    pub fn has(&self, denied: &Denied) -> bool {
        self.entries.contains_key(denied)
    }

    /// When the next Event may be written.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        let due = self.entries.values().map(|entry| entry.due).min()?;
        let turn = self.written.front().filter(|_| self.written.len() >= WRITTEN_MAX).map(|first| *first + PERIOD);
        Some(turn.map_or(due, |turn| due.max(turn)))
    }

    /// A denial that is to be written now, with how often it has happened.
    pub fn take(&mut self, now: Instant) -> Option<(Denied, u32)> {
        // What has not been repeated for a while is forgotten.
        self.entries.retain(|_, entry| entry.times > 0 || entry.due > now);
        while self.written.front().is_some_and(|first| *first + PERIOD <= now) {
            self.written.pop_front();
        }
        if self.written.len() >= WRITTEN_MAX {
            return None;
        }
        // The latest first: what is old is of less use, and a storm must not keep everybody else waiting.
        let due = self.entries.iter_mut().filter(|(_, entry)| entry.due <= now);
        let (denied, entry) = due.max_by_key(|(_, entry)| entry.due)?;
        let times = std::mem::take(&mut entry.times);
        entry.due = now + QUIET;
        self.written.push_back(now);
        Some((denied.clone(), times))
    }
}

/// An autoscaler tries again every 15 s: its second try is in the Event before its third.
pub const QUIET: Duration = Duration::from_secs(10);
/// At most so many writes in a [`PERIOD`]: with the hour that an Event lives no more than 7 200 of one replica ever
/// exist, whatever reviews are forged.
pub const WRITTEN_MAX: usize = 120;
/// See [`WRITTEN_MAX`].
pub const PERIOD: Duration = Duration::from_secs(60);
/// About a quarter of a megabyte.
pub const WAITING_MAX: usize = 256;
