//! Numbers that only tell writes apart, given anew: so that worlds which differ by nothing else are one.

use singleton_guard::elect::record::{Cell, Record, Revision, Term};
use singleton_guard::elect::state::{self, Event, Phase};

use crate::world::{Call, INCARNATIONS, NOW, Node, World};

/// A start of an elector, one of its terms, and one of its writes.
type Key = (u64, u32, u64);

pub fn renumber(world: &mut World) {
    world.nodes.iter_mut().for_each(forget);
    // 0 is none.
    let mut revisions = vec![0];
    each_revision(world, &mut |revision| revisions.push(revision.0));
    sort(&mut revisions);
    each_revision(world, &mut |revision| revision.0 = below(&revisions, &revision.0));

    let (mut starts, mut terms, mut beats) = (Vec::new(), Vec::new(), Vec::new());
    each_write(world, &mut |(by, term, beat)| {
        starts.push(*by);
        terms.push((*by, *term));
        beats.push((*by, *beat));
    });
    sort(&mut starts);
    sort(&mut terms);
    sort(&mut beats);
    each_write(world, &mut |(by, term, beat)| {
        let of = |at: u64, first: u64| at - first;
        let number = of(below(&terms, &(*by, *term)), below(&terms, &(*by, 0)));
        *term = u32::try_from(number).unwrap_or(u32::MAX);
        *beat = of(below(&beats, &(*by, *beat)), below(&beats, &(*by, 0)));
        let node = *by / INCARNATIONS * INCARNATIONS;
        *by = node + of(below(&starts, by), below(&starts, &node));
    });
}

/// What makes no difference any more.
fn forget(node: &mut Node) {
    // Nothing is ever taken back in the model.
    node.state.highest = Revision(0);
    let is_read_back = match &mut node.state.phase {
        Phase::Active(held) => {
            // What was told is what follows from the last renewal, or matters no more.
            if held.lost().is_some() {
                (held.told, held.sent) = (NOW.boot, NOW);
            }
            held.at.is_none() || node.state.call == Some(state::Call::Write)
        }
        Phase::Passive(_) => true,
        Phase::Releasing { .. } | Phase::Over => false,
    };
    if !is_read_back {
        node.state.doubt = None;
    }
    if node.call.is_none() {
        node.waited = 0;
    }
}

fn sort<T: Ord>(numbers: &mut Vec<T>) {
    numbers.sort_unstable();
    numbers.dedup();
}

/// How many are less.
fn below<T: Ord>(numbers: &[T], than: &T) -> u64 {
    u64::try_from(numbers.partition_point(|number| number < than)).unwrap_or(u64::MAX)
}

fn each_revision(world: &mut World, each: &mut impl FnMut(&mut Revision)) {
    each(&mut world.store.revision);
    in_cell(&mut world.store.cell, each);
    world.late.iter_mut().filter_map(|swap| swap.from.as_mut()).for_each(&mut *each);
    for node in &mut world.nodes {
        match &mut node.state.phase {
            Phase::Active(held) => {
                // Nobody looks at the token again.
                held.token = Revision(0);
                held.at.iter_mut().for_each(&mut *each);
            }
            Phase::Releasing { at, .. } => at.iter_mut().for_each(&mut *each),
            Phase::Passive(_) | Phase::Over => {}
        }
        match &mut node.call {
            Some(Call::Swaps(swap)) => swap.from.iter_mut().for_each(&mut *each),
            Some(Call::Answered(Event::Read(cell))) => in_cell(cell, each),
            Some(Call::Answered(Event::Won(revision))) => each(revision),
            _ => {}
        }
    }
}

fn in_cell(cell: &mut Cell, each: &mut impl FnMut(&mut Revision)) {
    match cell {
        Cell::Empty(at) => at.iter_mut().for_each(each),
        Cell::Record(_, at) => each(at),
        Cell::Foreign(_) => {}
    }
}

fn each_write(world: &mut World, each: &mut impl FnMut(&mut Key)) {
    if let Cell::Record(record, _) = &mut world.store.cell {
        of_record(record, each);
    }
    world.late.iter_mut().for_each(|swap| of_record(&mut swap.next, each));
    for node in &mut world.nodes {
        match &mut node.call {
            Some(Call::Swaps(swap)) => of_record(&mut swap.next, each),
            Some(Call::Answered(Event::Read(Cell::Record(record, _)))) => of_record(record, each),
            _ => {}
        }
    }
    for node in &mut world.nodes {
        if let Some(doubt) = &mut node.state.doubt {
            of(&mut doubt.write.term, &mut doubt.write.beat, each);
        }
        let by = node.by;
        match &mut node.state.phase {
            Phase::Passive(Some(seen)) => of(&mut seen.write.term, &mut seen.write.beat, each),
            Phase::Active(held) => {
                // It is the last term, with any beat that is known.
                held.term = Term { by, number: node.state.terms };
            }
            _ => {}
        }
        let mut key = (by, node.state.terms, node.state.writes);
        each(&mut key);
        (node.by, node.state.terms, node.state.writes) = key;
        if let Phase::Active(held) = &mut node.state.phase {
            held.term = Term { by: key.0, number: key.1 };
        }
    }
}

fn of_record(record: &mut Record, each: &mut impl FnMut(&mut Key)) {
    of(&mut record.term, &mut record.beat, each);
}

fn of(term: &mut Term, beat: &mut u64, each: &mut impl FnMut(&mut Key)) {
    let mut key = (term.by, term.number, *beat);
    each(&mut key);
    (term.by, term.number, *beat) = key;
}
