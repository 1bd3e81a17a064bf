//! What is checked: who takes part, what may go wrong how often, and every step that anybody may take next.

use std::time::Duration;

use singleton_guard::elect::record::{Cell, Record, Revision, Term};
use singleton_guard::elect::state::Event;
use singleton_guard::elect::timing::Timing;
use stateright::{Model, Property};

use crate::canonical;
use crate::weak::Rule;
use crate::world::{Call, Left, NOW, Node, Store, World};

/// What is checked.
#[derive(Debug, Clone)]
pub struct Lock {
    /// The rule that is left out.
    pub rule: Rule,
    pub timing: Timing,
    /// How fast the clock of each wrapper is.
    pub rates: Vec<u64>,
    /// What may go wrong.
    pub left: Left,
    /// How many writes may be under way whose senders have given up.
    pub late: usize,
    /// Whether it becomes well at some time, and then somebody has to be active after so many ticks.
    pub active_within: Option<u8>,
}

/// One step of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Time passes, and what has to be dead is.
    Tick,
    /// A wrapper does what is due.
    Wakes(usize),
    /// The store does what a wrapper asks for.
    Does(usize),
    /// A wrapper hears the answer.
    Hears(usize),
    /// A wrapper gives up waiting. What it wrote may still come.
    GivesUp(usize),
    /// It comes.
    ComesLate(usize),
    /// A command ends, because it is told to or by itself.
    Ends(usize),
    /// A command is asked to end.
    IsAsked(usize),
    /// A wrapper and its command are killed, and the wrapper starts again.
    Crashes(usize),
    /// The wall clock of a wrapper is put forward by a day.
    Jumps(usize),
    /// Somebody deletes the record.
    Deletes,
    /// Somebody empties the record.
    Edits,
    /// Somebody annotates the record.
    Annotates,
    /// From now on nothing goes wrong.
    Heals,
}

impl Model for Lock {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        let lease = self.timing.lease;
        let old = Record { holder: None, term: Term { by: 1, number: 0 }, beat: 1, is_released: true, lease };
        let cells = [Cell::Empty(None), Cell::Record(old, Revision(1))];
        let world = |cell| World {
            store: Store { cell, revision: Revision(1) },
            nodes: self.rates.iter().zip(1..).map(|(rate, number)| Node::new(number, *rate)).collect(),
            late: Vec::new(),
            left: self.left,
            is_well: false,
            idle: 0,
            is_annotated: false,
        };
        cells.into_iter().map(world).collect()
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        let is_ill = !world.is_well;
        let mut is_busy = false;
        for (index, node) in world.nodes.iter().enumerate() {
            if node.is_due(&self.timing) {
                is_busy = true;
                steps.push(Step::Wakes(index));
            }
            match &node.call {
                Some(Call::Answered(_)) => steps.push(Step::Hears(index)),
                Some(_) => steps.push(Step::Does(index)),
                None => {}
            }
            is_busy |= node.call.is_some();
            let is_late = node.call.is_some() && node.waited >= self.timing.call.as_secs();
            if is_ill && is_late && world.left.losses > 0 {
                steps.push(Step::GivesUp(index));
            }
            let may = |left: u8| left > 0 && is_ill;
            if let Some(command) = &node.command {
                if command.is_ending() || may(world.left.ends) {
                    steps.push(Step::Ends(index));
                }
                if may(world.left.requests) {
                    steps.push(Step::IsAsked(index));
                }
            }
            if may(world.left.crashes) {
                steps.push(Step::Crashes(index));
            }
            if may(world.left.jumps) {
                steps.push(Step::Jumps(index));
            }
        }
        steps.extend((0..world.late.len()).map(Step::ComesLate));
        if is_ill && matches!(world.store.cell, Cell::Record(..)) {
            steps.extend((world.left.deletions > 0).then_some(Step::Deletes));
            steps.extend((world.left.edits > 0).then_some(Step::Edits));
        }
        if !world.is_annotated && world.left.annotations > 0 {
            steps.push(Step::Annotates);
        }
        if is_ill || !is_busy {
            steps.push(Step::Tick);
        }
        if is_ill && self.active_within.is_some() {
            steps.push(Step::Heals);
        }
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut next = world.clone();
        match step {
            Step::Tick => self.passes(&mut next),
            Step::Wakes(index) => self.tells(&mut next, index, Event::Woken),
            Step::Does(index) => self.does(&mut next, index),
            Step::Hears(index) => {
                let Some(Call::Answered(event)) = next.nodes[index].call.take() else { return None };
                next.nodes[index].waited = 0;
                self.tells(&mut next, index, event);
            }
            Step::GivesUp(index) => {
                next.left.losses -= 1;
                self.gives_up(&mut next, index);
                self.tells(&mut next, index, Event::Unanswered);
            }
            Step::ComesLate(which) => {
                let swap = next.late.remove(which);
                let _unheard = self.rule.swaps(&mut next.store, &swap);
            }
            Step::Ends(index) => {
                let is_told = next.nodes[index].command.take().is_some_and(|command| command.is_ending());
                next.left.ends -= u8::from(!is_told);
                self.tells(&mut next, index, Event::Gone);
            }
            Step::IsAsked(index) => {
                next.left.requests -= 1;
                self.tells(&mut next, index, Event::StopAsked);
            }
            Step::Crashes(index) => {
                next.left.crashes -= 1;
                self.gives_up(&mut next, index);
                next.nodes[index].starts_again();
            }
            Step::Jumps(index) => {
                next.left.jumps -= 1;
                let me = next.nodes[index].candidate(self.timing);
                self.rule.jumps(&me, &mut next.nodes[index], Duration::from_secs(86_400));
            }
            Step::Deletes | Step::Edits | Step::Annotates | Step::Heals => self.happens(&mut next, step),
        }
        canonical::renumber(&mut next);
        (next != *world).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONE_COMMAND, |_, world: &World| world.living() <= 1),
            Property::always(ONE_AGAIN, |lock: &Self, world: &World| {
                lock.active_within.is_none_or(|within| world.idle <= within)
            }),
            Property::sometimes(FIRST, |_, world: &World| world.nodes[0].command.is_some()),
            Property::sometimes(LAST, |_, world: &World| world.nodes.last().is_some_and(|node| node.command.is_some())),
        ]
    }
}

impl Lock {
    fn tells(&self, world: &mut World, index: usize, event: Event) {
        let me = world.nodes[index].candidate(self.timing);
        let actions = self.rule.decides(&me, &mut world.nodes[index], event);
        world.carries_out(index, actions);
    }

    /// What no wrapper does.
    fn happens(&self, world: &mut World, step: Step) {
        match step {
            Step::Deletes => {
                world.left.deletions -= 1;
                self.rule.deletes(&mut world.store);
            }
            Step::Edits => {
                world.left.edits -= 1;
                world.store.revision = Revision(world.store.revision.0 + 1);
                world.store.cell = Cell::Empty(Some(world.store.revision));
            }
            Step::Annotates => {
                world.is_annotated = true;
                // For ever where it has to become well.
                world.left.annotations -= u8::from(self.active_within.is_none());
                self.rule.annotates(world);
            }
            // What has not come by then never does.
            Step::Heals => {
                world.is_well = true;
                world.late.clear();
            }
            _ => {}
        }
    }

    /// Nobody waits for the call of a wrapper any longer. What it wrote may still come.
    fn gives_up(&self, world: &mut World, index: usize) {
        let node = &mut world.nodes[index];
        node.waited = 0;
        if let Some(Call::Swaps(swap)) = node.call.take()
            && world.late.len() < self.late
        {
            world.late.push(swap);
        }
    }

    fn does(&self, world: &mut World, index: usize) {
        let event = match &world.nodes[index].call {
            Some(Call::Swaps(swap)) => self.rule.swaps(&mut world.store, &swap.clone()),
            _ => return,
        };
        world.nodes[index].call = Some(Call::Answered(event));
    }

    /// A tick: nothing of a command is alive later than its keeper promises.
    fn passes(&self, world: &mut World) {
        world.is_annotated = false;
        let is_idle = world.living() == 0;
        for index in 0..world.nodes.len() {
            world.nodes[index].ages(&self.timing);
            let more = if self.rule == Rule::StopFitsTheLease { self.timing.lost_grace * 3 } else { Duration::ZERO };
            let grace = self.timing.lost_grace + self.timing.margin + more;
            if world.nodes[index].command.as_ref().is_some_and(|command| command.until + grace <= NOW.boot) {
                world.nodes[index].command = None;
                self.tells(world, index, Event::Gone);
            }
        }
        let most = self.active_within.unwrap_or(0).saturating_add(1);
        world.idle = if world.is_well && is_idle { (world.idle + 1).min(most) } else { 0 };
    }
}

pub const ONE_COMMAND: &str = "at most one has a living command";
pub const ONE_AGAIN: &str = "while nothing is wrong somebody is active";
pub const FIRST: &str = "the first wrapper is active";
pub const LAST: &str = "the last wrapper is active";
