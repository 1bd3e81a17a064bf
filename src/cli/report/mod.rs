//! The forms in which a report is written. Pure: the writer is given.

mod github;
mod json;
mod junit;
mod sarif;
mod text;

pub use github::write as github;
pub use json::write as json;
pub use junit::write as junit;
pub use sarif::write as sarif;
pub use text::write as text;

use super::check::Report;
use super::finding::Level;

/// How often there is each, in the order of how bad it is.
fn tally(report: &Report) -> [(Level, usize); 5] {
    [Level::Unreadable, Level::Refused, Level::Warning, Level::Undecided, Level::Advice]
        .map(|level| (level, report.findings.iter().filter(|finding| finding.level == level).count()))
}
