//! The keeper's schedule alone, for what no real command can be made to show: a kill that takes its time.

use singleton_guard::elect::keeper::schedule::{Due, Phase, Schedule};
use singleton_guard::elect::timing::{Timing, Wanted};

use super::bench::same;

type Simple = fn() -> Result<(), String>;

pub(super) const CHECKS: &[(&str, Simple)] = &[
    ("schedule: once killing has begun no message stops it", killing),
    (
        "schedule: what cannot be killed in time is given up, and a lock that is still renewed is waited with",
        unkillable,
    ),
    ("schedule: a pause that the clock has not shown brings every deadline nearer", paused),
    ("schedule: the signals come when they are due, and not before", stages),
];

const SECOND: u64 = 1_000_000_000;

/// One that runs from 100 s on, until 109 s. SIGKILL is due at 112 s, and nothing lives at 113 s.
fn running() -> Schedule {
    let mut schedule = Schedule::new(&Timing::of(&Wanted::default()).unwrap());
    assert!(schedule.run(109 * SECOND, 100 * SECOND));
    schedule
}

fn stages() -> Result<(), String> {
    let mut schedule = running();
    same("first look", schedule.next(), Some(109 * SECOND))?;
    same("before", schedule.due(109 * SECOND - 1), Due::Nothing)?;
    same("SIGTERM", schedule.due(109 * SECOND), Due::Stop)?;
    same("once", schedule.due(109 * SECOND + 1), Due::Nothing)?;
    same("second look", schedule.next(), Some(112 * SECOND))?;
    same("before SIGKILL", schedule.due(112 * SECOND - 1), Due::Nothing)?;
    same("SIGKILL", schedule.due(112 * SECOND), Due::Kill)?;
    same("again", schedule.due(113 * SECOND - 1), Due::Kill)?;
    same("given up", schedule.due(113 * SECOND), Due::GiveUp)?;
    same("lost", schedule.lost(), true)
}

fn killing() -> Result<(), String> {
    let mut schedule = running();
    schedule.stop(101 * SECOND, Some(0));
    same("at once", schedule.due(101 * SECOND), Due::Kill)?;
    let before = schedule.phase();
    schedule.stop(101 * SECOND, Some(60 * SECOND));
    schedule.stop(101 * SECOND, None);
    schedule.renewed(200 * SECOND);
    same("a second start", schedule.run(200 * SECOND, 101 * SECOND), false)?;
    same("phase", schedule.phase(), before)?;
    same("still", schedule.due(102 * SECOND), Due::Kill)
}

fn unkillable() -> Result<(), String> {
    let mut schedule = running();
    schedule.stop(101 * SECOND, Some(0));
    same("at once", schedule.due(101 * SECOND), Due::Kill)?;
    schedule.renewed(150 * SECOND);
    same("while renewed", schedule.due(150 * SECOND), Due::Kill)?;
    same("when it no longer is", schedule.due(154 * SECOND), Due::GiveUp)?;
    // Whoever was asleep over all of it has still to try.
    let mut schedule = running();
    same("awake again", schedule.due(500 * SECOND), Due::Kill)?;
    same("for as long as the margin", schedule.due(501 * SECOND), Due::GiveUp)
}

fn paused() -> Result<(), String> {
    let mut schedule = running();
    schedule.paused(4 * SECOND);
    same("sooner", schedule.next(), Some(105 * SECOND))?;
    schedule.stop(104 * SECOND, None);
    schedule.paused(2 * SECOND);
    same("the lock before the grace", schedule.next(), Some(103 * SECOND))?;
    same("lost", schedule.due(104 * SECOND), Due::Nothing)?;
    same("killed", schedule.due(106 * SECOND), Due::Kill)?;
    same("phase", matches!(schedule.phase(), Phase::Killing { .. }), true)
}
