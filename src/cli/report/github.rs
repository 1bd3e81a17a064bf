//! Workflow commands of GitHub Actions: each finding is an annotation at its line. Pure.

use std::io::{self, Write};

use crate::cli::check::Report;
use crate::cli::finding::{Finding, Level};

/// Writes the report.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    for Finding { level, code, message, help, spot, .. } in &report.findings {
        let command = match level {
            Level::Unreadable | Level::Refused => "error",
            Level::Warning => "warning",
            Level::Undecided | Level::Advice => "notice",
        };
        let place = spot.place;
        let at = if spot.document == 0 {
            String::new()
        } else {
            format!(",line={},col={},endColumn={}", place.line, place.column, place.end.max(place.column))
        };
        let text = [Some(message), help.as_ref()].into_iter().flatten().cloned().collect::<Vec<_>>().join("\n");
        writeln!(out, "::{command} file={}{at},title={code}::{}", property(&spot.file), data(&text))?;
    }
    Ok(())
}

/// `escapeData` of actions/toolkit.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// `escapeProperty` of actions/toolkit.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
