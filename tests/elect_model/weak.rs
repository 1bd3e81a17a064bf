//! Rules left out, one at a time: each by changing what the shipped `decide` is told, or what becomes of its answer. A
//! model that does not find the harm proves nothing elsewhere.

use std::time::Duration;

use singleton_guard::elect::decide::decide;
use singleton_guard::elect::record::{Cell, Record, Revision, Term};
use singleton_guard::elect::state::{Action, Call, Candidate, Event, Phase, State};

use crate::world::{NOW, Node, Store, Swap, World};

/// What is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Nothing: what is shipped.
    Kept,
    /// An absent record is waited for, and then acquired: but absence has no revision.
    AbsentIsMade,
    /// An absent record is acquired at once.
    AbsentIsWaitedFor,
    /// The command may take longer to end than the lease leaves.
    StopFitsTheLease,
    /// The record is released while the command ends.
    ReleaseAfterTheEnd,
    /// The release overwrites whatever is there.
    ReleaseOnlyOnesOwn,
    /// Time counts from the answer.
    TimeFromTheSending,
    /// A candidate looks at the wall clock.
    CandidatesIgnoreTheWallClock,
    /// A term that is read back gives time, whichever write it was.
    OnlyTheVeryWriteGivesTime,
    /// The store's numbers start again after a deletion.
    RevisionsNeverComeBack,
    /// An acquisition that was read back too late is kept waiting for.
    LateIsAcquiredAnew,
    /// A candidate counts from the first sight of a revision.
    CountsByWrite,
}

impl Rule {
    /// What `decide` says without this rule.
    pub fn decides(self, me: &Candidate, node: &mut Node, event: Event) -> Vec<Action> {
        let before = node.state.clone();
        let event = self.hears(&mut node.state, event, me);
        let is_own = match &event {
            Event::Read(Cell::Record(record, _)) => me.owns(record),
            Event::Won(_) => before.call == Some(Call::Write),
            _ => false,
        };
        let is_answer = matches!(event, Event::Won(_));
        let mut actions = decide(me, &mut node.state, event, NOW);
        match self {
            Self::TimeFromTheSending if is_answer => counts_from_now(me, &mut node.state, &mut actions),
            Self::LateIsAcquiredAnew
                if is_own
                    && matches!(before.phase, Phase::Passive(_))
                    && !actions.iter().any(|action| matches!(action, Action::Run { .. })) =>
            {
                actions.clear();
                let due = NOW.boot + me.timing.look();
                node.state = State { call: None, due, phase: node.state.phase.clone(), ..before };
            }
            Self::ReleaseAfterTheEnd if actions.iter().any(|action| matches!(action, Action::Stop(_))) => {
                actions.extend(decide(me, &mut node.state, Event::Gone, NOW));
            }
            Self::AbsentIsMade | Self::AbsentIsWaitedFor => {
                for action in &mut actions {
                    if let Action::Swap(from, _) = action {
                        *from = from.filter(|from| *from != ABSENT);
                    }
                }
            }
            _ => {}
        }
        actions
    }

    fn hears(self, state: &mut State, event: Event, me: &Candidate) -> Event {
        match (self, event) {
            (Self::AbsentIsMade | Self::AbsentIsWaitedFor, Event::Read(Cell::Empty(None)))
                if matches!(state.phase, Phase::Passive(_)) =>
            {
                let term = Term { by: 1, number: 0 };
                let is_released = self == Self::AbsentIsWaitedFor;
                let record = Record { holder: None, term, beat: 0, is_released, lease: me.timing.lease };
                // It is not behind anything.
                state.highest = ABSENT;
                Event::Read(Cell::Record(record, ABSENT))
            }
            (Self::OnlyTheVeryWriteGivesTime, Event::Read(Cell::Record(mut record, at))) => {
                let doubt = state.doubt.filter(|doubt| doubt.write.term == record.term);
                record.beat = doubt.map_or(record.beat, |doubt| doubt.write.beat);
                Event::Read(Cell::Record(record, at))
            }
            (_, event) => event,
        }
    }

    /// What becomes of a swap without this rule.
    pub fn swaps(self, store: &mut Store, swap: &Swap) -> Event {
        if self == Self::ReleaseOnlyOnesOwn && swap.next.is_released && matches!(store.cell, Cell::Record(..)) {
            return Event::Won(store.write(swap.next.clone()));
        }
        store.swap(swap)
    }

    /// Somebody deletes the record.
    pub fn deletes(self, store: &mut Store) {
        store.cell = Cell::Empty(None);
        if self == Self::RevisionsNeverComeBack {
            store.revision = Revision(0);
        }
    }

    /// Somebody annotates the record: without the rule it is another one for who counts.
    pub fn annotates(self, world: &mut World) {
        world.store.annotate();
        for node in world.nodes.iter_mut().filter(|_| self == Self::CountsByWrite) {
            if let Phase::Passive(seen) = &mut node.state.phase {
                *seen = None;
            }
        }
    }

    /// The wall clock of a wrapper is put forward.
    pub fn jumps(self, me: &Candidate, node: &mut Node, by: Duration) {
        node.jumps(&me.timing, by);
        if let (Self::CandidatesIgnoreTheWallClock, Phase::Passive(Some(seen))) = (self, &mut node.state.phase) {
            seen.at = seen.at.saturating_sub(by).max(NOW.boot.saturating_sub(me.timing.lease));
        }
    }
}

fn counts_from_now(me: &Candidate, state: &mut State, actions: &mut [Action]) {
    let Phase::Active(held) = &mut state.phase else { return };
    let told = NOW.boot + me.timing.stop_after;
    (held.sent, held.told) = (NOW, told);
    for action in actions {
        if let Action::Run { until, .. } | Action::Until(until) = action {
            *until = told;
        }
    }
}

/// No revision is 0.
const ABSENT: Revision = Revision(0);
