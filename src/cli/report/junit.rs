//! JUnit, which CI servers show as tests: a finding is a test case that failed, was skipped, or passed with a remark; a file
//! without a finding is one that passed. Pure.

use std::io::{self, Write};

use super::tally;
use crate::cli::check::Report;
use crate::cli::finding::{Finding, Level};

/// Writes the report.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let count = |wanted| tally(report).into_iter().find(|(level, _)| *level == wanted).map_or(0, |(_, count)| count);
    let quiet = || report.files.iter().filter(|file| report.findings.iter().all(|finding| finding.spot.file != **file));
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"0\"",
        report.findings.len() + quiet().count(),
        count(Level::Refused),
        count(Level::Unreadable),
        count(Level::Undecided),
    );
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites>\n  <testsuite name=\"singleton-guard check\" {counts}>")?;
    for finding in &report.findings {
        case(finding, out)?;
    }
    for file in quiet() {
        writeln!(out, "    <testcase classname=\"{}\" name=\"nothing to say\" time=\"0\"/>", escaped(file))?;
    }
    writeln!(out, "  </testsuite>\n</testsuites>")
}

fn case(finding: &Finding, out: &mut impl Write) -> io::Result<()> {
    let Finding { level, code, message, help, subject, spot, .. } = finding;
    let name = subject.as_ref().map_or_else(|| (*code).to_owned(), |subject| format!("{code} {subject}"));
    let at = if spot.document == 0 { String::new() } else { format!(":{}:{}", spot.place.line, spot.place.column) };
    let text = [Some(format!("{}{at}", spot.file)), help.clone()].into_iter().flatten().collect::<Vec<_>>().join("\n");
    let (message, text) = (escaped(message), escaped(&text));
    writeln!(out, "    <testcase classname=\"{}\" name=\"{}\" time=\"0\">", escaped(&spot.file), escaped(&name))?;
    match level {
        Level::Unreadable => writeln!(out, "      <error message=\"{message}\" type=\"{code}\">{text}</error>")?,
        Level::Refused => writeln!(out, "      <failure message=\"{message}\" type=\"{code}\">{text}</failure>")?,
        Level::Undecided => writeln!(out, "      <skipped message=\"{message}\"/>")?,
        Level::Warning | Level::Advice => writeln!(out, "      <system-out>{message}\n{text}</system-out>")?,
    }
    writeln!(out, "    </testcase>")
}

/// As text and as the value of an attribute; what XML 1.0 cannot hold at all becomes a mark.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
