//! What waits to be said: repetitions folded into one, with a bound on how much waits and on how often something is
//! said. Data only; the clock is passed in.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::voice::Saying;
use crate::api::reference::Regarding;

/// One thing to say about one object.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Said {
    /// The object.
    pub about: Regarding,
    /// What is said of it.
    pub saying: Saying,
}

/// What became of something to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It waits for its turn.
    Waiting,
    /// It is one more of what was said a moment ago, or waits already.
    Folded,
    /// Too much waits.
    Dropped,
}

/// What waits, and what was said a moment ago.
#[derive(Debug, Default)]
pub struct Fold {
    entries: HashMap<Said, Entry>,
    /// When the last things were said, the oldest first.
    spoken: VecDeque<Instant>,
}

#[derive(Debug)]
struct Entry {
    /// How often it has happened since it was last said.
    times: u32,
    /// Not to be said before.
    due: Instant,
}

impl Fold {
    /// Something has happened.
    pub fn add(&mut self, said: Said, now: Instant) -> Added {
        if let Some(entry) = self.entries.get_mut(&said) {
            entry.times = entry.times.saturating_add(1);
            return Added::Folded;
        }
        if self.entries.len() >= WAITING_MAX {
            return Added::Dropped;
        }
        self.entries.insert(said, Entry { times: 1, due: now });
        Added::Waiting
    }

    /// Whether the same waits, or was said a moment ago.
    #[must_use]
    pub fn has(&self, said: &Said) -> bool {
        self.entries.contains_key(said)
    }

    /// When there is something to do.
    #[must_use]
    pub fn next_at(&self) -> Option<Instant> {
        let due = self.entries.values().map(|entry| entry.due).min()?;
        let turn = self.spoken.front().filter(|_| self.spoken.len() >= SPOKEN_MAX).map(|first| *first + PERIOD);
        Some(turn.map_or(due, |turn| due.max(turn)))
    }

    /// Something that is to be said now, with how often it has happened.
    pub fn take(&mut self, now: Instant) -> Option<(Said, u32)> {
        // What has not been repeated for a while is forgotten.
        self.entries.retain(|_, entry| entry.times > 0 || entry.due > now);
        while self.spoken.front().is_some_and(|first| *first + PERIOD <= now) {
            self.spoken.pop_front();
        }
        if self.spoken.len() >= SPOKEN_MAX {
            return None;
        }
        // The latest first: what is old is of less use, and a storm must not keep everybody else waiting.
        let due = self.entries.iter_mut().filter(|(_, entry)| entry.due <= now);
        let (said, entry) = due.max_by_key(|(_, entry)| entry.due)?;
        let times = std::mem::take(&mut entry.times);
        entry.due = now + QUIET;
        self.spoken.push_back(now);
        Some((said.clone(), times))
    }
}

/// An autoscaler tries again every 15 s: its second try is in the Event before its third.
pub const QUIET: Duration = Duration::from_secs(10);
/// At most so many writes in a [`PERIOD`]: with the hour that an Event lives no more than 7 200 of one replica ever
/// exist, whatever reviews are forged.
pub const SPOKEN_MAX: usize = 120;
/// See [`SPOKEN_MAX`].
pub const PERIOD: Duration = Duration::from_secs(60);
/// About a quarter of a megabyte.
pub const WAITING_MAX: usize = 256;
