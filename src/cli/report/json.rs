//! One JSON object, for programs. Fields are added to it, and never change their meaning. Pure.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::tally;
use crate::cli::check::Report;
use crate::cli::finding::{Finding, Spot};

/// Writes the report.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let summary: serde_json::Map<_, _> =
        tally(report).into_iter().map(|(level, count)| (level.word().to_owned(), json!(count))).collect();
    let report = json!({
        "apiVersion": "singleton-guard.io/v1",
        "kind": "CheckReport",
        "checked": report.counts,
        "summary": summary,
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    });
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}

fn finding(finding: &Finding) -> Value {
    json!({
        "level": finding.level,
        "code": finding.code,
        "message": finding.message,
        "help": finding.help,
        "object": finding.subject,
        "field": Some(&finding.field).filter(|field| !field.is_empty()),
        "at": at(&finding.spot),
        "beside": finding.other.as_ref().map(|(message, spot)| json!({"message": message, "at": at(spot)})),
    })
}

fn at(spot: &Spot) -> Value {
    let is_whole = spot.document == 0;
    let place = |number: usize| if is_whole { Value::Null } else { json!(number) };
    json!({
        "file": *spot.file,
        "document": place(spot.document),
        "line": place(spot.place.line),
        "column": place(spot.place.column),
    })
}
