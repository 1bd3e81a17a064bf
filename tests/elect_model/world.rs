//! The world that is checked: the store's one cell, some wrappers, and writes that nobody waits for any more.
//!
//! Time is counted in ticks, and a wrapper's clock is moved by [`Node::rate`] in each. Only differences matter to the lock, so
//! every clock shows [`NOW`] all the time and what was noted is moved into the past instead, as far as it still makes
//! a difference; revisions and beats are numbered anew (`canonical.rs`). So the worlds are finitely many.

use std::sync::Arc;
use std::time::Duration;

use singleton_guard::elect::record::{Cell, Record, Revision};
use singleton_guard::elect::state::{Action, Candidate, Event, Now, Phase, State, Why};
use singleton_guard::elect::timing::Timing;

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub store: Store,
    pub nodes: Vec<Node>,
    /// Writes whose senders have given up: they come later, or never.
    pub late: Vec<Swap>,
    /// What may still go wrong.
    pub left: Left,
    /// Whether nothing goes wrong any more.
    pub is_well: bool,
    /// For how many ticks it has been well with no command alive.
    pub idle: u8,
    /// Whether somebody has annotated the record since the last tick.
    pub is_annotated: bool,
}

/// How often what may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Left {
    pub deletions: u8,
    pub edits: u8,
    pub annotations: u8,
    pub crashes: u8,
    pub requests: u8,
    pub jumps: u8,
    pub ends: u8,
    /// Calls that nobody waits for any longer.
    pub losses: u8,
}

/// The store.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Store {
    pub cell: Cell,
    /// The number of its last write.
    pub revision: Revision,
}

/// A swap under way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Swap {
    pub from: Option<Revision>,
    pub next: Record,
}

/// A call under way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Call {
    Swaps(Swap),
    /// It was done, and the answer is under way.
    Answered(Event),
}

/// A wrapper.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Node {
    /// By how much its clock moves in a tick.
    pub rate: u64,
    /// What it has drawn when it started.
    pub by: u64,
    pub state: State,
    pub call: Option<Call>,
    /// For how long it has waited for that.
    pub waited: u64,
    pub command: Option<Command>,
}

/// A living command, as its keeper has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Command {
    /// When it is told to end: from then on nothing can be taken back.
    pub until: Duration,
}

impl Store {
    /// What becomes of a swap.
    pub fn swap(&mut self, swap: &Swap) -> Event {
        let at = match &self.cell {
            Cell::Empty(at) => *at,
            Cell::Record(_, at) => Some(*at),
            Cell::Foreign(_) => return Event::Lost,
        };
        if at != swap.from {
            return Event::Lost;
        }
        Event::Won(self.write(swap.next.clone()))
    }

    pub fn write(&mut self, next: Record) -> Revision {
        self.revision = Revision(self.revision.0 + 1);
        self.cell = Cell::Record(next, self.revision);
        self.revision
    }

    /// Somebody writes what elect does not look at.
    pub fn annotate(&mut self) {
        if let Cell::Record(record, _) = &self.cell {
            self.write(record.clone());
        }
    }
}

impl Node {
    pub fn new(number: u64, rate: u64) -> Self {
        let by = number * INCARNATIONS;
        Self { rate, by, state: State::new(NOW), call: None, waited: 0, command: None }
    }

    /// The same wrapper, started again.
    pub fn starts_again(&mut self) {
        self.by += 1;
        (self.state, self.call, self.waited, self.command) = (State::new(NOW), None, 0, None);
    }

    pub fn candidate(&self, timing: Timing) -> Candidate {
        Candidate { holder: Arc::from("n"), by: self.by, timing }
    }

    /// Whether it has something to do.
    pub fn is_due(&self, timing: &Timing) -> bool {
        self.state.wakes(timing, NOW) <= NOW.boot
    }

    /// A tick passes: everything that it has noted is as much older.
    pub fn ages(&mut self, timing: &Timing) {
        let by = Duration::from_secs(self.rate);
        let aged = |at: Duration, most: Duration| at.saturating_sub(by).max(NOW.boot.saturating_sub(most));
        let sent = |at: Now| Now { boot: aged(at.boot, timing.stop_after), wall: aged(at.wall, timing.stop_after) };
        self.state.due = aged(self.state.due, Duration::ZERO);
        if let Some(doubt) = &mut self.state.doubt {
            doubt.at = sent(doubt.at);
        }
        match &mut self.state.phase {
            Phase::Passive(Some(seen)) => seen.at = aged(seen.at, timing.lease),
            Phase::Active(held) => {
                held.sent = sent(held.sent);
                held.told = aged(held.told, Duration::ZERO);
                held.ending = held.ending.map(|(why, kill)| (why, aged(kill, Duration::ZERO)));
            }
            Phase::Passive(None) | Phase::Releasing { .. } | Phase::Over => {}
        }
        if self.call.is_some() {
            self.waited = (self.waited + self.rate).min(timing.call.as_secs());
        }
        if let Some(command) = &mut self.command {
            command.until = aged(command.until, Duration::from_secs(100));
        }
    }

    /// The wall clock alone is put forward.
    pub fn jumps(&mut self, timing: &Timing, by: Duration) {
        let oldest = NOW.wall.saturating_sub(timing.stop_after);
        let sent = |at: &mut Now| at.wall = at.wall.saturating_sub(by).max(oldest);
        self.state.doubt.iter_mut().for_each(|doubt| sent(&mut doubt.at));
        if let Phase::Active(held) = &mut self.state.phase {
            sent(&mut held.sent);
        }
    }
}

impl Command {
    pub fn is_ending(&self) -> bool {
        self.until <= NOW.boot
    }
}

impl World {
    /// What one wrapper was told to do.
    pub fn carries_out(&mut self, index: usize, actions: Vec<Action>) {
        for action in actions {
            let node = &mut self.nodes[index];
            match action {
                // To be read later is the same as to be sent later.
                Action::Read => {
                    let found = Call::Answered(Event::Read(self.store.cell.clone()));
                    (node.call, node.waited) = (Some(found), 0);
                }
                Action::Swap(from, next) => (node.call, node.waited) = (Some(Call::Swaps(Swap { from, next })), 0),
                Action::Run { until, .. } => node.command = Some(Command { until }),
                Action::Until(until) => {
                    if let Some(command) = node.command.as_mut().filter(|command| !command.is_ending()) {
                        command.until = until;
                    }
                }
                Action::Stop(Why::Outlived | Why::Taken) => {
                    if let Some(command) = &mut node.command {
                        command.until = command.until.min(NOW.boot);
                    }
                }
                // Asked to, it may take as long as it likes. The keeper of the model always does what it has to.
                Action::Stop(Why::Asked) | Action::Kill | Action::Say(_) => {}
                Action::Leave => node.call = None,
            }
        }
        let node = &mut self.nodes[index];
        if node.state.phase == Phase::Over && node.command.is_none() {
            node.starts_again();
        }
    }

    pub fn living(&self) -> usize {
        self.nodes.iter().filter(|node| node.command.is_some()).count()
    }
}

/// What every clock shows.
pub const NOW: Now = Now { boot: Duration::from_secs(1000), wall: Duration::from_secs(1000) };
/// More than one wrapper ever starts in the model.
pub const INCARNATIONS: u64 = 1000;
