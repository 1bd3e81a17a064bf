//! The program for people, `kubectl-singleton_guard`, without a cluster: its verdicts are those of the webhook, its words stand
//! where they belong, and nothing that it is given makes it fall. What a live API server says of the same manifests is a story
//! of `live`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]
#![allow(unreachable_pub, missing_docs, dead_code, reason = "the modules of a test are not for others")]

mod broken;
#[path = "../spec/case.rs"]
mod case;
mod cases;
mod charts;
mod explained;
mod forms;
mod page;
mod places;
mod process;
mod same_verdict;
mod sets;
#[path = "../fuzz/check.rs"]
mod target;

use std::time::SystemTime;

use singleton_guard::cli::check::{Check, Report};
use singleton_guard::cli::finding::Level;
use singleton_guard::settings::Settings;

/// What is said of a text, in the namespace `pay`.
fn checked(text: &str) -> Report {
    checked_with(&Settings::default(), text)
}

fn checked_with(settings: &Settings, text: &str) -> Report {
    let mut check = Check::new(settings, "pay", SystemTime::now());
    check.file("a.yaml", text);
    check.report()
}

/// The findings of a level, each as `code field`.
fn of(report: &Report, level: Level) -> Vec<String> {
    let found = report.findings.iter().filter(|finding| finding.level == level);
    found.map(|finding| format!("{} {}", finding.code, finding.field)).collect()
}
