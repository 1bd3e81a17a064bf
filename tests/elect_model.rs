//! The lock of `elect`, checked in every world that a few wrappers and one store can come to, by [stateright]. What
//! decides is the shipped `decide`, so a rule that lets one case through turns this red.
//!
//! *Modelled*: the store's one cell, with a number for each write; reads that are answered late, with what was true once;
//! writes that are done late, after their sender has given up, or never; answers that are late or never come; electors
//! that do nothing for as long as they like, so also a partition; commands that live as long as their keeper lets them, or
//! end by themselves; clocks of which the fastest gains a fourth on the slowest; wall clocks that are put forward; crashes;
//! people who delete, empty and annotate the record. What goes wrong is counted, see each test; how far each search goes
//! is printed, and where no number of steps is given it has seen every world there is.
//!
//! *Checked*: never do two commands live; and from the moment on that nothing goes wrong any more, at most twice the
//! lease passes until somebody is active. Each of twelve rules is left out once, and then one of these has to break.
//!
//! *Not modelled*: a store that loses what it has acknowledged, and keepers that do not kill.

#![allow(
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs,
    unreachable_pub,
    reason = "a test that cannot go on has failed, and its modules are not for others"
)]

#[path = "elect_model/canonical.rs"]
mod canonical;
#[path = "elect_model/check.rs"]
mod check;
#[path = "elect_model/durations.rs"]
mod durations;
#[path = "elect_model/lock.rs"]
mod lock;
#[path = "elect_model/record.rs"]
mod record;
#[path = "fuzz/lock.rs"]
mod targets;
#[path = "elect_model/weak.rs"]
mod weak;
#[path = "elect_model/world.rs"]
mod world;

use std::time::Duration;

use check::{holds, is_refuted};
use lock::{FIRST, LAST, Lock, ONE_AGAIN, ONE_COMMAND};
use singleton_guard::elect::timing::Timing;
use weak::Rule;
use world::Left;

/// One tick is 5 s of the fastest clock and 4 s of the slowest. A lease is 3 ticks at least and 4 at most, and the
/// command is dead after 3 at most.
fn timing() -> Timing {
    let seconds = Duration::from_secs;
    Timing {
        lease: seconds(15),
        renew: seconds(4),
        call: seconds(4),
        stop_after: seconds(8),
        lost_grace: seconds(2),
        margin: seconds(2),
        stop_grace: seconds(30),
    }
}

const NOTHING: Left =
    Left { deletions: 0, edits: 0, annotations: 0, crashes: 0, requests: 0, jumps: 0, ends: 0, losses: 1 };

fn two() -> Lock {
    Lock { rule: Rule::Kept, timing: timing(), rates: vec![4, 5], left: NOTHING, late: 1, active_within: None }
}

/// Nothing is lost, and nobody dies.
fn quiet() -> Lock {
    Lock { left: Left { losses: 0, ..NOTHING }, late: 0, ..two() }
}

fn one() -> Lock {
    Lock { rates: vec![4], active_within: Some(ACTIVE_WITHIN), ..two() }
}

#[test]
fn at_most_one_of_two() {
    holds("two wrappers", two(), Some(26), &[FIRST, LAST]);
}

#[test]
fn at_most_one_where_nothing_is_lost() {
    holds("two wrappers, nothing is lost", quiet(), None, &[FIRST, LAST]);
}

#[test]
fn at_most_one_while_somebody_else_writes() {
    let left = Left { deletions: 1, edits: 1, annotations: 1, ..quiet().left };
    holds("somebody else writes", Lock { left, ..quiet() }, Some(20), &[FIRST, LAST]);
}

#[test]
fn at_most_one_while_they_end_and_die() {
    let left = Left { crashes: 1, requests: 1, ends: 1, jumps: 1, ..quiet().left };
    holds("they end and die", Lock { left, ..quiet() }, Some(20), &[FIRST, LAST]);
}

#[test]
fn at_most_one_of_three() {
    holds("three wrappers", Lock { rates: vec![4, 5, 5], ..quiet() }, Some(15), &[FIRST, LAST]);
}

#[test]
fn one_again_alone() {
    let left = Left { deletions: 1, annotations: 1, crashes: 1, ..NOTHING };
    holds("alone", Lock { left, ..one() }, None, &[FIRST]);
}

#[test]
fn one_again_of_two() {
    holds("one again of two", Lock { active_within: Some(ACTIVE_WITHIN), ..quiet() }, None, &[FIRST, LAST]);
}

#[test]
fn each_rule_is_needed() {
    let no_faults = Left { losses: 0, ..NOTHING };
    let unsafe_without = [
        (Rule::AbsentIsMade, Left { deletions: 1, ..no_faults }),
        (Rule::AbsentIsWaitedFor, Left { deletions: 1, ..no_faults }),
        (Rule::StopFitsTheLease, no_faults),
        (Rule::ReleaseAfterTheEnd, Left { requests: 1, ..no_faults }),
        (Rule::ReleaseOnlyOnesOwn, Left { ends: 1, ..no_faults }),
        (Rule::TimeFromTheSending, no_faults),
        (Rule::CandidatesIgnoreTheWallClock, Left { jumps: 1, ..no_faults }),
        (Rule::RevisionsNeverComeBack, Left { deletions: 1, ..no_faults }),
    ];
    for (rule, left) in unsafe_without {
        is_refuted(&format!("without {rule:?}"), Lock { rule, left, ..two() }, ONE_COMMAND);
    }
    let timing = Timing { lost_grace: Duration::from_secs(5), ..timing() };
    is_refuted("without RoomForDrift", Lock { timing, left: no_faults, ..two() }, ONE_COMMAND);

    // There has to be time for another call after the one that is lost.
    let seconds = Duration::from_secs;
    let timing = Timing { stop_after: seconds(12), lease: seconds(20), ..self::timing() };
    let lost = Lock { rule: Rule::OnlyTheVeryWriteGivesTime, timing, late: 0, ..two() };
    is_refuted("without OnlyTheVeryWriteGivesTime", lost, ONE_COMMAND);

    let late = Lock { rule: Rule::LateIsAcquiredAnew, ..one() };
    is_refuted("without LateIsAcquiredAnew", late, ONE_AGAIN);
    let left = Left { annotations: 1, ..no_faults };
    is_refuted("without CountsByWrite", Lock { rule: Rule::CountsByWrite, left, ..one() }, ONE_AGAIN);
}

/// Twice the longest lease.
const ACTIVE_WITHIN: u8 = 8;
