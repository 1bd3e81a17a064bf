//! The keeper's course alone, for what no real command can be made to show: a kill that takes its time.

use singleton_guard::elect::keeper::course::{Course, Due, Phase};
use singleton_guard::elect::timing::{Timing, Wanted};

use super::bench::same;

type Simple = fn() -> Result<(), String>;

pub(super) const CHECKS: &[(&str, Simple)] = &[
    ("course: once killing has begun no message stops it", killing),
    ("course: what cannot be killed in time is given up, and a lock that is still renewed is waited with", unkillable),
    ("course: a pause that the clock has not shown brings every deadline nearer", paused),
    ("course: the signals come when they are due, and not before", stages),
];

const SECOND: u64 = 1_000_000_000;

/// One that runs from 100 s on, until 109 s. SIGKILL is due at 112 s, and nothing lives at 113 s.
fn running() -> Course {
    let mut course = Course::new(&Timing::of(&Wanted::default()).unwrap());
    assert!(course.run(109 * SECOND, 100 * SECOND));
    course
}

fn stages() -> Result<(), String> {
    let mut course = running();
    same("first look", course.next(), Some(109 * SECOND))?;
    same("before", course.due(109 * SECOND - 1), Due::Nothing)?;
    same("SIGTERM", course.due(109 * SECOND), Due::Stop)?;
    same("once", course.due(109 * SECOND + 1), Due::Nothing)?;
    same("second look", course.next(), Some(112 * SECOND))?;
    same("before SIGKILL", course.due(112 * SECOND - 1), Due::Nothing)?;
    same("SIGKILL", course.due(112 * SECOND), Due::Kill)?;
    same("again", course.due(113 * SECOND - 1), Due::Kill)?;
    same("given up", course.due(113 * SECOND), Due::GiveUp)?;
    same("lost", course.lost(), true)
}

fn killing() -> Result<(), String> {
    let mut course = running();
    course.stop(101 * SECOND, Some(0));
    same("at once", course.due(101 * SECOND), Due::Kill)?;
    let before = course.phase();
    course.stop(101 * SECOND, Some(60 * SECOND));
    course.stop(101 * SECOND, None);
    course.renewed(200 * SECOND);
    same("a second start", course.run(200 * SECOND, 101 * SECOND), false)?;
    same("phase", course.phase(), before)?;
    same("still", course.due(102 * SECOND), Due::Kill)
}

fn unkillable() -> Result<(), String> {
    let mut course = running();
    course.stop(101 * SECOND, Some(0));
    same("at once", course.due(101 * SECOND), Due::Kill)?;
    course.renewed(150 * SECOND);
    same("while renewed", course.due(150 * SECOND), Due::Kill)?;
    same("when it no longer is", course.due(154 * SECOND), Due::GiveUp)?;
    // Whoever was asleep over all of it has still to try.
    let mut course = running();
    same("awake again", course.due(500 * SECOND), Due::Kill)?;
    same("for as long as the margin", course.due(501 * SECOND), Due::GiveUp)
}

fn paused() -> Result<(), String> {
    let mut course = running();
    course.paused(4 * SECOND);
    same("sooner", course.next(), Some(105 * SECOND))?;
    course.stop(104 * SECOND, None);
    course.paused(2 * SECOND);
    same("the lock before the grace", course.next(), Some(103 * SECOND))?;
    same("lost", course.due(104 * SECOND), Due::Nothing)?;
    same("killed", course.due(106 * SECOND), Due::Kill)?;
    same("phase", matches!(course.phase(), Phase::Killing { .. }), true)
}
