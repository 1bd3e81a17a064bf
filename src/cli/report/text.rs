//! For people: each finding with its line, as compilers show theirs, and one line at the end. Pure.

use std::fmt::Write as _;
use std::io::{self, Write};

use annotate_snippets::{AnnotationKind, Group, Level as Title, Origin, Renderer, Snippet};

use super::tally;
use crate::cli::check::{Counts, Report};
use crate::cli::finding::{Finding, Level, Spot};

/// Writes the report.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let renderer = Renderer::styled().term_width(WIDTH);
    for finding in &report.findings {
        writeln!(out, "{}\n", renderer.render(&groups(finding)))?;
    }
    writeln!(out, "{}", summary(report))
}

fn groups(finding: &Finding) -> Vec<Group<'_>> {
    let title = match finding.level {
        Level::Unreadable | Level::Refused => Title::ERROR,
        Level::Warning => Title::WARNING,
        Level::Undecided | Level::Advice => Title::NOTE,
    };
    let title = title.with_name(finding.level.word());
    // The line of a refusal begins with its code, which stands before it here.
    let message = finding.message.strip_prefix(finding.code).unwrap_or(&finding.message).trim_start_matches([':', ' ']);
    let message = match (&finding.subject, finding.level) {
        (Some(subject), Level::Unreadable | Level::Undecided) => format!("{subject}: {message}"),
        _ => message.to_owned(),
    };
    let titled = title.primary_title(message);
    let is_word = finding.code == finding.level.word();
    let titled = if is_word { titled } else { titled.id(finding.code) };
    let mut group = located(Group::with_title(titled), &finding.spot, &finding.field);
    if let Some(help) = &finding.help {
        group = group.element(Title::HELP.message(help.as_str()));
    }
    let other = finding
        .other
        .as_ref()
        .map(|(message, spot)| located(Group::with_title(Title::NOTE.secondary_title(message.as_str())), spot, ""));
    std::iter::once(group).chain(other).collect()
}

/// The group with the place that it is about.
fn located<'f>(group: Group<'f>, spot: &'f Spot, label: &'f str) -> Group<'f> {
    if spot.document == 0 {
        return group.element(Origin::path(&*spot.file));
    }
    let line = spot.line.as_ref();
    let byte = |column: usize| line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
    let begin = byte(spot.place.column);
    let end = byte(spot.place.end).max(begin);
    let annotation = AnnotationKind::Primary.span(begin..end);
    let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
    group.element(Snippet::source(line).line_start(spot.place.line).path(&*spot.file).annotation(annotation))
}

fn summary(report: &Report) -> String {
    let Counts { files, objects, singletons } = report.counts;
    let mut line =
        format!("{} in {}, {}: ", several(objects, "object"), several(files, "file"), several(singletons, "singleton"));
    let found: Vec<_> = tally(report).into_iter().filter(|(_, count)| *count > 0).collect();
    if found.is_empty() {
        line.push_str("nothing to say");
    }
    for (index, (level, count)) in found.into_iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = match level {
            Level::Warning => write!(line, "{comma}{}", several(count, "warning")),
            level => write!(line, "{comma}{count} {}", level.word()),
        };
    }
    line
}

fn several(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Lines that are longer are shown around what they are about.
const WIDTH: usize = 140;
