//! `?timeout=` in Go's notation, and the margin that is kept of it.

use std::time::Duration;

use singleton_guard::server::deadline::Deadline;
use tokio::time::Instant;

#[test]
fn the_answer_is_due_before_the_api_server_stops_waiting() {
    let second = Duration::from_secs(1);
    for (query, milliseconds) in [
        (None, 9_500),
        (Some(""), 9_500),
        (Some("timeout="), 9_500),
        (Some("timeout=soon"), 9_500),
        (Some("timeout=3"), 9_500),
        (Some("timeout=-3s"), 9_500),
        (Some("timeout=0s"), 9_500),
        (Some("timeout=1..5s"), 9_500),
        (Some("timeout=10s"), 9_500),
        (Some("timeout=3s"), 2_500),
        (Some("dryRun=All&timeout=3s"), 2_500),
        (Some("timeout=1s"), 800),
        (Some("timeout=1.5s"), 1_200),
        (Some("timeout=500ms"), 400),
        (Some("timeout=1m30s"), 29_500),
        (Some("timeout=99999999999999999999h"), 9_500),
    ] {
        let started = Instant::now();
        let deadline = Deadline::new(query, started);
        assert_eq!(deadline.body(60 * second) - started, Duration::from_millis(milliseconds), "{query:?}");
        // A look-up has less.
        let lookup = Duration::from_millis(milliseconds.min(2_500));
        assert_eq!(deadline.lookup(started) - started, lookup, "{query:?}");
    }
}

#[test]
fn what_the_body_took_is_gone_for_the_look_up() {
    let started = Instant::now();
    let deadline = Deadline::new(Some("timeout=3s"), started);
    let later = started + Duration::from_secs(2);
    assert_eq!(deadline.lookup(later) - later, Duration::from_millis(500));
}
