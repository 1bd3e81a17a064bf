//! What the durations of a lock mean, as a table for people: pure.

use std::fmt::Write as _;
use std::time::Duration;

use super::timing::Timing;

/// One line for each thing that may happen.
#[must_use]
pub fn of(timing: &Timing) -> String {
    let &Timing { lease, renew, call, stop_after, lost_grace, margin, stop_grace } = timing;
    let stopped = stop_after.saturating_add(lost_grace);
    let lines: [(&str, String); 8] = [
        ("the lock is renewed every", shown(renew)),
        ("an answer of the store is waited for", shown(call)),
        ("without the store the command is asked to end after", shown(stop_after)),
        ("and killed after", shown(stopped)),
        ("and nothing of it is alive after", shown(stopped.saturating_add(margin))),
        ("after a crash another replica takes over after", shown(lease)),
        ("asked to stop, the command is killed after", shown(stop_grace)),
        ("so terminationGracePeriodSeconds has to be at least", shown(stop_grace.saturating_add(BEYOND))),
    ];
    lines.iter().fold(String::new(), |mut text, (what, time)| {
        let _written = writeln!(text, "{what:<53} {time:>8}");
        text
    })
}

fn shown(time: Duration) -> String {
    format!("{time:?}")
}

/// For the release, and for the kernel to end what was killed.
const BEYOND: Duration = Duration::from_secs(5);
