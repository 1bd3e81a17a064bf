//! The forms of the output: each holds every finding, and is what its readers take.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use singleton_guard::cli::check::{Check, Report};
use singleton_guard::cli::finding::Level;
use singleton_guard::cli::report;
use singleton_guard::settings::Settings;

use super::process::{folder, run, stdout};

/// SARIF 2.1.0: against the schema where `SARIF_SCHEMA` names it (docs/check.md says which), and always what a code host needs.
#[test]
fn sarif_is_what_a_code_host_reads() {
    let report = mixed();
    let log: Value = serde_json::from_str(&written(|out| report::sarif(&report, out))).unwrap();
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    assert_eq!((log["version"].as_str(), results.len()), (Some("2.1.0"), report.findings.len()));
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: BTreeSet<_> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), rules.len(), "a rule comes twice");
    for (result, finding) in results.iter().zip(&report.findings) {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], finding.code, "{result:#}");
        let physical = &result["locations"][0]["physicalLocation"];
        let region = &physical["region"];
        assert!(!physical["artifactLocation"]["uri"].as_str().unwrap().contains([' ', '<']), "{result:#}");
        assert_eq!(
            region["startLine"].as_u64().map_or(0, |line| usize::try_from(line).unwrap()),
            if finding.spot.document == 0 { 0 } else { finding.spot.place.line }
        );
        assert!(region["endColumn"].as_u64() >= region["startColumn"].as_u64(), "{result:#}");
        assert_eq!(
            result["level"] == "error",
            matches!(finding.level, Level::Refused | Level::Unreadable),
            "{result:#}"
        );
    }
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    if let Some(schema) = std::env::var_os("SARIF_SCHEMA") {
        let at = folder("sarif");
        std::fs::write(at.join("log.sarif"), log.to_string()).unwrap();
        let validated = std::process::Command::new("python3")
            .args(["-m", "jsonschema", "--instance"])
            .arg(at.join("log.sarif"))
            .arg(Path::new(&schema))
            .output()
            .unwrap();
        assert!(validated.status.success(), "{validated:?}");
    }
}

/// JUnit: well-formed, and the counts are those of its cases.
#[test]
fn junit_counts_what_it_holds() {
    let report = mixed();
    let xml = written(|out| report::junit(&report, out));
    let tags = well_formed(&xml);
    let times = |name: &str| tags.iter().filter(|(tag, _)| tag == name).count();
    let suite = &tags.iter().find(|(tag, _)| tag == "testsuite").unwrap().1;
    let stated = |name: &str| suite.iter().find(|(key, _)| key == name).unwrap().1.parse::<usize>().unwrap();
    assert_eq!(
        [stated("tests"), stated("failures"), stated("errors"), stated("skipped")],
        [times("testcase"), times("failure"), times("error"), times("skipped")]
    );
    let level = |level| report.findings.iter().filter(|finding| finding.level == level).count();
    assert_eq!(
        [times("failure"), times("error"), times("skipped")],
        [level(Level::Refused), level(Level::Unreadable), level(Level::Undecided)]
    );
    // The file without a finding is a test that passed.
    assert_eq!(times("testcase"), report.findings.len() + 1);
}

/// Annotations of GitHub: one line each, which nothing of a file can break out of.
#[test]
fn annotations_are_one_line_each() {
    let report = mixed();
    let text = written(|out| report::github(&report, out));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), report.findings.len(), "{text}");
    for (line, finding) in lines.iter().zip(&report.findings) {
        let (command, rest) = line.strip_prefix("::").unwrap().split_once(' ').unwrap();
        let expected = match finding.level {
            Level::Refused | Level::Unreadable => "error",
            Level::Warning => "warning",
            Level::Undecided | Level::Advice => "notice",
        };
        assert_eq!(command, expected, "{line}");
        let (properties, message) = rest.split_once("::").unwrap();
        assert!(properties.split(',').all(|property| property.split_once('=').is_some()), "{line}");
        assert!(message.starts_with(&finding.message.replace('%', "%25")), "{line}");
    }
}

/// The program writes each of them.
#[test]
fn each_form_can_be_asked_for() {
    let at = folder("forms");
    std::fs::write(at.join("ledger.yaml"), super::broken::LEDGER).unwrap();
    for (form, begins) in [
        ("text", "refused[SG001]"),
        ("json", "{"),
        ("sarif", "{"),
        ("junit", "<?xml"),
        ("github", "::error file=ledger.yaml,line=9,col=13"),
    ] {
        let done = run(&at, &format!("check -o {form} ledger.yaml"), "");
        assert_eq!(done.status.code(), Some(1), "{done:?}");
        assert!(stdout(&done).starts_with(begins), "{form}: {}", stdout(&done));
    }
}

/// One of each level, with what a form could stumble over.
fn mixed() -> Report {
    let settings = Settings::default();
    let mut check = Check::new(&settings, "pay", std::time::SystemTime::now());
    check.file("odd, name%: <&\">.yaml", &super::broken::LEDGER.replace("enabled", "\"<a & 'b'> %0A ::error::\""));
    check.file("deploy.yaml", &super::broken::LEDGER.replace("StatefulSet", "Deployment").replace('3', "1"));
    check.file("quiet.yaml", "a: 1\n");
    check.file(
        "pod.yaml",
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {singleton-guard.io/key: a}}\nspec: {}\n",
    );
    check.file(
        "advice.yaml",
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: d}\nspec: {accessModes: [ReadWriteOnce]}\n---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {spec: {volumes: [{persistentVolumeClaim: {claimName: d}}]}}}\n",
    );
    check.file("broken.yaml", "a: [");
    check.unreadable("/gone \u{1}.yaml", "there is no such file");
    let report = check.report();
    for level in [Level::Unreadable, Level::Refused, Level::Warning, Level::Undecided, Level::Advice] {
        assert!(
            report.findings.iter().any(|finding| finding.level == level),
            "{level:?} is missing: {:#?}",
            report.findings
        );
    }
    report
}

fn written(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

type Tag = (String, Vec<(String, String)>);

/// The tags of a document, which must be nested as XML wants it and hold no character that it does not.
fn well_formed(xml: &str) -> Vec<Tag> {
    assert!(xml.chars().all(|c| c == '\n' || !c.is_control()), "a control character in {xml}");
    let body = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n").unwrap();
    let (mut open, mut tags) = (Vec::new(), Vec::new());
    for piece in body.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap();
        assert!(!text.contains('>') && references_are_known(text), "{text}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "{xml}");
            continue;
        }
        let is_empty = tag.ends_with('/');
        let tag = tag.trim_end_matches('/');
        let (name, rest) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        let mut rest = rest;
        while let Some((key, after)) = rest.split_once("=\"") {
            let (value, after) = after.split_once('"').unwrap();
            assert!(references_are_known(value), "{value}");
            attributes.push((key.trim().to_owned(), value.to_owned()));
            rest = after;
        }
        assert!(rest.trim().is_empty(), "{tag}");
        tags.push((name.to_owned(), attributes));
        if !is_empty {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
    tags
}

fn references_are_known(text: &str) -> bool {
    text.split('&').skip(1).all(|rest| ["amp;", "lt;", "gt;", "quot;"].iter().any(|known| rest.starts_with(known)))
}
