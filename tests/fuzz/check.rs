//! What must hold of `check` for any bytes, as a plain function that panics where it does not: a property drives it on stable
//! Rust, cargo-fuzz on nightly. It stands by itself because it takes the feature `cli`.

use std::time::{Duration, UNIX_EPOCH};

use singleton_guard::cli::check::{Check, Report};
use singleton_guard::cli::finding::Finding;
use singleton_guard::cli::report;
use singleton_guard::settings::Settings;

/// It ends in words, each about a place that is there, and all forms of the output can be written.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let found = checked(&text);
    for finding in &found.findings {
        is_whole(finding, &text);
    }
    let mut out = Vec::new();
    report::text(&found, &mut out).expect("memory takes it");
    report::json(&found, &mut out).expect("memory takes it");
    report::sarif(&found, &mut out).expect("memory takes it");
    report::junit(&found, &mut out).expect("memory takes it");
    report::github(&found, &mut out).expect("memory takes it");
    assert_eq!(found, checked(&text), "the same text is judged in two ways");
}

fn checked(text: &str) -> Report {
    let settings = Settings::default();
    let mut check = Check::new(&settings, "pay", UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    check.file("a.yaml", text);
    check.report()
}

fn is_whole(finding: &Finding, text: &str) {
    let Finding { message, spot, other, .. } = finding;
    assert!(!message.is_empty() && !message.contains(['\n', '\u{1b}']), "not a line: {finding:?}");
    for spot in [Some(spot), other.as_ref().map(|(_, spot)| spot)].into_iter().flatten() {
        let lines = text.split(['\n', '\r']).count();
        assert!(spot.document > 0 && spot.place.line >= 1 && spot.place.line <= lines + 1, "no such line: {finding:?}");
        assert!(spot.place.column >= 1 && spot.place.end >= spot.place.column, "no such column: {finding:?}");
    }
}
