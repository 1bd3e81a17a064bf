//! SARIF 2.1.0, which code hosts show beside the lines of a change. Pure.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::{Value, json};

use crate::cli::check::Report;
use crate::cli::explain;
use crate::cli::finding::{Finding, Level, Spot, Subject};

/// Writes the report.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let rules: Vec<_> = explain::all().collect();
    let descriptors = rules.iter().map(|(id, summary)| json!({"id": id, "shortDescription": {"text": summary}}));
    let index = |code: &str| rules.iter().position(|(id, _)| *id == code);
    let results = report.findings.iter().map(|finding| result(finding, index(finding.code)));
    let could_read = report.findings.iter().all(|finding| finding.level != Level::Unreadable);
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "singleton-guard",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": descriptors.collect::<Vec<_>>(),
            }},
            "invocations": [{"executionSuccessful": could_read}],
            "columnKind": "unicodeCodePoints",
            "results": results.collect::<Vec<_>>(),
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &log)?;
    writeln!(out)
}

fn result(finding: &Finding, index: Option<usize>) -> Value {
    let text = match &finding.help {
        Some(help) => format!("{}; {help}", finding.message),
        None => finding.message.clone(),
    };
    let beside = finding.other.iter().map(|(message, spot)| location(spot, None, Some(message)));
    object([
        ("ruleId", Some(json!(finding.code))),
        ("ruleIndex", index.map(|index| json!(index))),
        ("level", Some(json!(level(finding.level)))),
        ("message", Some(json!({"text": text}))),
        ("locations", Some(json!([location(&finding.spot, finding.subject.as_ref(), None)]))),
        ("relatedLocations", Some(beside.collect())),
    ])
}

const fn level(level: Level) -> &'static str {
    match level {
        Level::Unreadable | Level::Refused => "error",
        Level::Warning => "warning",
        Level::Undecided | Level::Advice => "note",
    }
}

fn location(spot: &Spot, subject: Option<&Subject>, message: Option<&String>) -> Value {
    let place = spot.place;
    let region = (spot.document != 0).then(|| {
        json!({
            "startLine": place.line,
            "startColumn": place.column,
            "endColumn": place.end.max(place.column),
            "snippet": {"text": spot.line},
        })
    });
    let physical = object([("artifactLocation", Some(json!({"uri": uri(&spot.file)}))), ("region", region)]);
    object([
        ("physicalLocation", Some(physical)),
        ("logicalLocations", subject.map(|it| json!([{"fullyQualifiedName": it.to_string(), "kind": "resource"}]))),
        ("message", message.map(|text| json!({"text": text}))),
    ])
}

/// An object of the members that are there: the schema knows no `null`.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    members.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}

/// A path as a URI (RFC 3986): what a URI gives a meaning to is written as its bytes.
fn uri(path: &str) -> String {
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => uri.push(char::from(byte)),
            b'\\' if cfg!(windows) => uri.push('/'),
            other => {
                // Writing to a String cannot fail.
                let _ = write!(uri, "%{other:02X}");
            }
        }
    }
    uri
}
