//! The algorithm of the lock, whole: pure, without a clock and without IO. The model calls what is here.
//!
//! One elector has one [`State`] and at most one call under way. It is told what happened and when, and says what is to
//! be done. It runs the command once; when that has ended it is over, and who wants another try starts again.

use super::record::{Cell, Revision, Write};
use super::state::{Action, Call, Candidate, Event, Held, Now, Phase, Seen, Sent, State, Why, Word};

/// One step of an elector.
pub fn decide(me: &Candidate, state: &mut State, event: Event, now: Now) -> Vec<Action> {
    let mut turn = Turn { me, state, now, actions: Vec::new() };
    // Whatever was heard: first comes what is over by now.
    turn.looks_at_the_clock();
    match event {
        Event::Woken => {}
        Event::StopAsked => turn.is_asked_to_stop(),
        Event::Gone => turn.is_rid_of_the_command(),
        Event::Read(cell) => turn.has_read(cell),
        Event::Won(revision) => turn.has_written(revision),
        Event::Lost => turn.has_not_written(true),
        Event::Unanswered => turn.has_not_written(false),
    }
    if turn.state.call.is_none() && now.boot >= turn.state.due {
        turn.calls();
    }
    turn.actions
}

struct Turn<'t> {
    me: &'t Candidate,
    state: &'t mut State,
    now: Now,
    actions: Vec<Action>,
}

impl Turn<'_> {
    fn looks_at_the_clock(&mut self) {
        let (timing, now) = (&self.me.timing, self.now);
        let Phase::Active(held) = &mut self.state.phase else { return };
        match (held.lost(), now.until(held.sent, timing.stop_after)) {
            (None, None) => self.ends(Why::Outlived),
            (None, Some(until)) if until != held.told => {
                held.told = until;
                self.actions.push(Action::Until(until));
            }
            (Some(kill), _) if now.boot >= kill => {
                held.ending = held.ending.map(|(why, _)| (why, now.boot.saturating_add(timing.margin)));
                self.actions.push(Action::Kill);
            }
            _ => {}
        }
    }

    /// The command is to end. Where the lock is lost, whoever was told so has until then.
    fn ends(&mut self, why: Why) {
        let timing = &self.me.timing;
        let Phase::Active(held) = &mut self.state.phase else { return };
        let kill = self.now.boot.saturating_add(timing.lost_grace).saturating_add(timing.margin / 2);
        held.ending = Some((why, kill));
        self.actions.push(Action::Stop(why));
    }

    fn is_asked_to_stop(&mut self) {
        match &self.state.phase {
            Phase::Active(Held { ending: None, .. }) => self.ends(Why::Asked),
            // An acquisition that is under way, or in doubt, would keep everybody waiting.
            Phase::Passive(_) if self.state.doubt.is_some() => self.releases(None),
            Phase::Passive(_) => self.leaves(),
            _ => {}
        }
    }

    fn is_rid_of_the_command(&mut self) {
        match &self.state.phase {
            Phase::Active(Held { ending: Some((Why::Taken, _)), .. }) => self.leaves(),
            Phase::Active(held) => self.releases(held.at.filter(|_| self.state.call.is_none())),
            _ => {}
        }
    }

    fn releases(&mut self, at: Option<Revision>) {
        self.state.phase = Phase::Releasing { at, is_sent: false, tries: 0 };
        self.state.due = self.now.boot;
    }

    fn leaves(&mut self) {
        self.state.phase = Phase::Over;
        self.actions.push(Action::Leave);
    }

    /// The next call of this phase.
    fn calls(&mut self) {
        match &mut self.state.phase {
            Phase::Over => {}
            Phase::Active(held) if held.lost().is_some() => {}
            &mut Phase::Active(Held { at: Some(at), .. }) => self.writes(at, false),
            &mut Phase::Releasing { at: Some(at), ref mut is_sent, .. } => {
                *is_sent = true;
                self.writes(at, true);
            }
            Phase::Passive(_) | Phase::Active(_) | Phase::Releasing { .. } => {
                self.is_calling(Call::Read);
                self.actions.push(Action::Read);
            }
        }
    }

    fn acquires(&mut self, at: Revision) {
        self.state.terms = self.state.terms.saturating_add(1);
        self.writes(at, false);
    }

    fn writes(&mut self, at: Revision, is_released: bool) {
        self.swaps(Call::Write, Some(at), is_released);
        self.state.doubt = Some(Sent { write: self.me.last_write(self.state), at: self.now });
    }

    /// An absent record has no revision that could be seen untouched. So it is made, and then waited for like any other.
    fn makes(&mut self, from: Option<Revision>) {
        self.state.terms = self.state.terms.saturating_add(1);
        self.swaps(Call::Make, from, false);
    }

    fn swaps(&mut self, call: Call, from: Option<Revision>, is_released: bool) {
        self.is_calling(call);
        let next = self.me.next_record(self.state, call == Call::Write, is_released);
        self.actions.push(Action::Swap(from, next));
    }

    fn is_calling(&mut self, call: Call) {
        self.state.call = Some(call);
        self.state.due = self.now.boot.saturating_add(self.me.timing.look());
    }

    fn has_read(&mut self, cell: Cell) {
        self.state.call = None;
        if let Cell::Foreign(what) = &cell {
            self.actions.push(Action::Say(Word::Foreign(what.clone())));
        }
        match self.state.phase {
            Phase::Passive(seen) => self.has_read_as_candidate(seen, cell),
            Phase::Active(_) => self.has_read_as_holder(&cell),
            Phase::Releasing { .. } => match cell {
                // No command of this elector is alive, so whatever it has not released can be.
                Cell::Record(record, at) if self.me.owns(&record) && !self.is_rolled_back(at) => {
                    self.is_unsettled(Some(at));
                }
                _ => self.leaves(),
            },
            Phase::Over => {}
        }
    }

    fn has_read_as_candidate(&mut self, seen: Option<Seen>, cell: Cell) {
        self.state.phase = Phase::Passive(None);
        let (record, at) = match cell {
            Cell::Record(record, at) => (record, at),
            Cell::Empty(from) => return self.makes(from),
            Cell::Foreign(_) => return,
        };
        // From the first sight of this write: a revision also changes when somebody else annotates the record.
        let first = seen.filter(|seen| seen.write == record.write());
        let first = first.unwrap_or(Seen { write: record.write(), at: self.now.boot });
        self.state.phase = Phase::Passive(Some(first));
        let is_rolled_back = self.is_rolled_back(at);
        if self.me.owns(&record) && !is_rolled_back {
            return self.has_acquired(at, record.write());
        }
        // On this clock alone: a wall clock that is put forward would end the wait too early.
        let ends = first.at.saturating_add(self.me.timing.lease.max(record.lease));
        if self.now.boot >= ends || record.is_released && !is_rolled_back {
            return self.acquires(at);
        }
        self.state.due = self.state.due.min(ends);
    }

    /// The record is this elector's, and it has no command yet. Too late, or by a write whose sending is forgotten, that
    /// gives no time: it is acquired anew.
    fn has_acquired(&mut self, at: Revision, write: Write) {
        let sent = self.state.doubt.filter(|sent| sent.write == write).map(|sent| sent.at);
        let until = sent.and_then(|sent| self.now.until(sent, self.me.timing.stop_after));
        let (Some(sent), Some(until)) = (sent, until) else { return self.acquires(at) };
        let (term, token) = (write.term, at);
        self.state.phase = Phase::Active(Held { term, token, at: Some(at), sent, told: until, ending: None });
        self.is_certain(sent);
        self.actions.push(Action::Run { until, token, term });
    }

    fn has_read_as_holder(&mut self, cell: &Cell) {
        let Phase::Active(held) = &mut self.state.phase else { return };
        match cell {
            Cell::Record(record, at) if record.term == held.term && !record.is_released => {
                held.at = Some(*at);
                self.state.due = self.now.boot;
                // Only the very write that was read back gives time, from when that one was sent.
                self.is_renewed(self.state.doubt.filter(|sent| sent.write == record.write()));
            }
            _ if held.lost().is_none() => self.ends(Why::Taken),
            _ => {}
        }
    }

    fn has_written(&mut self, revision: Revision) {
        let call = self.state.call.take();
        let _said = self.is_rolled_back(revision);
        let write = self.me.last_write(self.state);
        match &mut self.state.phase {
            Phase::Passive(seen) if call == Some(Call::Make) => *seen = Some(Seen { write, at: self.now.boot }),
            Phase::Passive(_) => self.has_acquired(revision, write),
            Phase::Active(held) => {
                held.at = Some(revision);
                self.is_renewed(self.state.doubt);
            }
            Phase::Releasing { is_sent: true, .. } => self.leaves(),
            Phase::Releasing { .. } => self.is_unsettled(Some(revision)),
            Phase::Over => {}
        }
    }

    /// The renewal that was sent then counts, unless the command is ending for want of one.
    fn is_renewed(&mut self, sent: Option<Sent>) {
        let (Phase::Active(held), Some(sent)) = (&mut self.state.phase, sent) else { return };
        if held.lost().is_none() {
            held.sent = sent.at;
            self.is_certain(sent.at);
            self.looks_at_the_clock();
        }
    }

    /// What was sent then was done; the next one is due a while later.
    fn is_certain(&mut self, sent: Now) {
        self.state.doubt = None;
        self.state.due = sent.boot.saturating_add(self.me.timing.renew);
    }

    fn has_not_written(&mut self, is_certain: bool) {
        let call = self.state.call.take();
        // Somebody has written in between, who may do so again and again: it is read at once.
        self.state.due = if is_certain { self.now.boot } else { self.state.due };
        match &mut self.state.phase {
            Phase::Passive(_) if is_certain && call == Some(Call::Write) => self.state.doubt = None,
            // What became of it is read back.
            Phase::Active(held) if call == Some(Call::Write) => held.at = None,
            Phase::Releasing { .. } => self.is_unsettled(None),
            _ => {}
        }
    }

    /// Tries once more, if it has not too often: to leave is safe, and then the others wait for the lease to end.
    fn is_unsettled(&mut self, revision: Option<Revision>) {
        let Phase::Releasing { at, tries, .. } = &mut self.state.phase else { return };
        (*at, *tries) = (revision, tries.saturating_add(1));
        if *tries > RELEASE_TRIES {
            self.leaves();
        }
    }

    /// Whether the store has forgotten a write that was seen.
    fn is_rolled_back(&mut self, at: Revision) -> bool {
        let highest = self.state.highest;
        self.state.highest = highest.max(at);
        if at < highest {
            self.actions.push(Action::Say(Word::RolledBack(at, highest)));
        }
        at < highest
    }
}

/// Some answers may be lost, and nobody waits for whoever is gone.
const RELEASE_TRIES: u8 = 3;
