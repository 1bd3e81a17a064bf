//! What an elector knows, hears and does: the words of [`decide`](super::decide::decide), pure.

use std::sync::Arc;
use std::time::Duration;

use super::record::{Cell, Record, Revision, Term, Write};
use super::timing::Timing;

/// Who decides.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// Its name for people.
    pub holder: Arc<str>,
    /// What it has drawn when it started.
    pub by: u64,
    /// The durations of the lock.
    pub timing: Timing,
}

/// Two clocks, read one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Now {
    /// `CLOCK_BOOTTIME`.
    pub boot: Duration,
    /// `CLOCK_REALTIME`.
    pub wall: Duration,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// Time has passed.
    Woken,
    /// The answer to [`Action::Read`].
    Read(Cell),
    /// [`Action::Swap`] was done.
    Won(Revision),
    /// [`Action::Swap`] was not done: the cell was at another revision.
    Lost,
    /// The call has no answer, so a swap was done, or was not, or will be.
    Unanswered,
    /// Somebody wants the command to end, or to hand over.
    StopAsked,
    /// Nothing of the command is alive.
    Gone,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// Read the cell.
    Read,
    /// Write the cell if it still is at this revision, or absent.
    Swap(Option<Revision>, Record),
    /// Start the command, and end it at this reading of `CLOCK_BOOTTIME` unless told otherwise.
    Run {
        /// When SIGTERM is due.
        until: Duration,
        /// The fencing token.
        token: Revision,
        /// Its acquisition.
        term: Term,
    },
    /// End it then instead.
    Until(Duration),
    /// End it now.
    Stop(Why),
    /// Who was told to end it does not: end both.
    Kill,
    /// Somebody has to know this.
    Say(Word),
    /// It is over.
    Leave,
}

/// Why the command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Why {
    /// It was asked to. The lock is kept all the while.
    Asked,
    /// No renewal came through in time.
    Outlived,
    /// The record is somebody else's, or gone.
    Taken,
}

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Word {
    /// The lock's name has something else in it.
    Foreign(Arc<str>),
    /// The store has forgotten writes: it is at the first revision, and had been at the second.
    RolledBack(Revision, Revision),
}

/// What an elector knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct State {
    /// How far it is.
    pub phase: Phase,
    /// The call under way.
    pub call: Option<Call>,
    /// When the next one is sent.
    pub due: Duration,
    /// The last write of a term whose outcome is not known.
    pub doubt: Option<Sent>,
    /// How many terms it has used.
    pub terms: u32,
    /// How often it has written.
    pub writes: u64,
    /// The highest revision that it has seen.
    pub highest: Revision,
}

/// How far an elector is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It waits, and knows the record since then.
    Passive(Option<Seen>),
    /// Its command may be alive.
    Active(Held),
    /// Its command is gone, and the record is to say so.
    Releasing {
        /// The record's revision, if that is certain.
        at: Option<Revision>,
        /// Whether the release itself was sent.
        is_sent: bool,
        /// How many answers did not settle it.
        tries: u8,
    },
    /// Nothing is to be done any more.
    Over,
}

/// A record, and when it was seen first, on `CLOCK_BOOTTIME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Which it is.
    pub write: Write,
    /// When.
    pub at: Duration,
}

/// A write of a term, and when it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sent {
    /// Which it is.
    pub write: Write,
    /// When.
    pub at: Now,
}

/// What an active one knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Held {
    /// Which acquisition it is.
    pub term: Term,
    /// The fencing token: the revision of the acquisition.
    pub token: Revision,
    /// The revision of its record, if that is certain.
    pub at: Option<Revision>,
    /// When the last renewal that counts was sent.
    pub sent: Now,
    /// When the keeper was told to end the command by itself.
    pub told: Duration,
    /// Why the command is ending, and when it is killed from here.
    pub ending: Option<(Why, Duration)>,
}

/// A call of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Call {
    /// Reads the record.
    Read,
    /// Makes a record that nobody holds.
    Make,
    /// Writes one of the elector's own.
    Write,
}

impl Candidate {
    /// The last write of this elector.
    #[must_use]
    pub const fn last_write(&self, state: &State) -> Write {
        Write { term: Term { by: self.by, number: state.terms }, beat: state.writes }
    }

    /// What is written next, with a beat that no other write has.
    pub fn next_record(&self, state: &mut State, is_held: bool, is_released: bool) -> Record {
        state.writes = state.writes.saturating_add(1);
        let Write { term, beat } = self.last_write(state);
        let holder = is_held.then(|| Arc::clone(&self.holder));
        Record { holder, term, beat, is_released, lease: self.timing.lease }
    }

    /// Whether a record is held by this elector, which has had no command yet or none any more.
    #[must_use]
    pub fn owns(&self, record: &Record) -> bool {
        record.term.by == self.by && record.holder.is_some() && !record.is_released
    }
}

impl State {
    /// Of an elector that starts.
    #[must_use]
    pub fn new(now: Now) -> Self {
        let phase = Phase::Passive(None);
        Self { phase, call: None, due: now.boot, doubt: None, terms: 0, writes: 0, highest: Revision(0) }
    }

    /// When [`decide`](super::decide::decide) has to be called if nothing happens before, on `CLOCK_BOOTTIME`.
    #[must_use]
    pub fn wakes(&self, timing: &Timing, now: Now) -> Duration {
        let due = if self.call.is_some() { Duration::MAX } else { self.due };
        match &self.phase {
            Phase::Active(held) => match held.lost() {
                Some(kill) => kill,
                // The wall clock may jump at any time, and nothing tells.
                None => due.min(held.told).min(now.boot.saturating_add(timing.look())),
            },
            Phase::Passive(_) | Phase::Releasing { .. } => due,
            Phase::Over => Duration::MAX,
        }
    }
}

impl Held {
    /// Whether the lock is lost, and then when the command is killed from here.
    #[must_use]
    pub fn lost(&self) -> Option<Duration> {
        self.ending.filter(|(why, _)| *why != Why::Asked).map(|(_, kill)| kill)
    }
}

impl Now {
    /// What has passed at most: a machine that was stopped may have hidden it from one of the clocks.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.boot.saturating_sub(earlier.boot).max(self.wall.saturating_sub(earlier.wall))
    }

    /// When `span` will have passed, on `CLOCK_BOOTTIME`; none if it has.
    #[must_use]
    pub fn until(self, earlier: Self, span: Duration) -> Option<Duration> {
        let left = span.checked_sub(self.since(earlier)).filter(|left| !left.is_zero());
        left.map(|left| self.boot.saturating_add(left))
    }
}
