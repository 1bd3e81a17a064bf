//! The specification: each CREATE of `tests/cases` comes out as its case says. Where the case asks the cluster, `check` may leave
//! it undecided.

use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;
use singleton_guard::cli::check::{Check, Report};
use singleton_guard::cli::finding::Level;
use singleton_guard::policy::exemption::BREAK_GLASS;

use super::case::{self, Asks, Case, Request, Step, Verdict, complete};

#[test]
fn every_create_of_a_case_is_judged_as_it_says() {
    let cases = case::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases"));
    let (mut judged, mut undecided) = (0, 0);
    for case in &cases {
        let namespace = case.namespace.as_deref().unwrap_or("pay");
        let written = |partial: &Value| complete(partial, namespace).to_string().replace("$NS", namespace);
        // What is stored is part of the set, as far as it was created.
        let mut stored: Vec<String> = case.cluster.iter().map(written).collect();
        for step in &case.steps {
            let Some(Request::Create(partial)) = &step.request else { continue };
            // Who asks is nothing that a manifest says.
            if step.user.as_ref().is_some_and(|user| user.groups.iter().any(|group| group == BREAK_GLASS)) {
                continue;
            }
            let text = written(partial);
            let settings = case.settings();
            let mut check = Check::new(&settings, "default", SystemTime::now());
            check.file("stored.json", &stored.join("\n"));
            check.file("case.json", &text);
            let mut report = check.report();
            report.findings.retain(|finding| &*finding.spot.file == "case.json");
            if step.decision == Some(Verdict::Allow) {
                stored.push(text);
            }
            let asks = !matches!(step.asks, None | Some(Asks::Nothing));
            if asks && report.findings.iter().any(|finding| finding.level == Level::Undecided) {
                undecided += 1;
                continue;
            }
            agrees(case, step, namespace, &report);
            judged += 1;
        }
    }
    assert!(judged > 60 && undecided > 1, "{judged} were judged, {undecided} undecided: where are the cases?");
}

fn agrees(case: &Case, step: &Step, namespace: &str, report: &Report) {
    let stated = format!("{}: {step:#?}\n{:#?}", case.name, report.findings);
    let refusal = report.findings.iter().find(|finding| finding.level == Level::Refused);
    assert!(report.findings.iter().all(|finding| finding.level != Level::Unreadable), "{stated}");
    match (step.decision, refusal) {
        (Some(Verdict::Deny), Some(refusal)) => {
            let named = |text: &String| text.replace("$NS", namespace);
            assert_eq!(Some(&refusal.message), step.message.as_ref().map(named).as_ref(), "{stated}");
            assert!(step.remedy.is_none() || refusal.help == step.remedy.as_ref().map(named), "{stated}");
        }
        (Some(Verdict::Allow), None) => {}
        _ => panic!("another verdict: {stated}"),
    }
}
