//! `explain`, `version`, `completion`, `man`: what they say is so.

use singleton_guard::cli::example::{self, EXAMPLES, Example};
use singleton_guard::cli::explain;
use singleton_guard::cli::set::TOPICS;
use singleton_guard::policy::rules::RULES;

use super::checked;
use super::process::{folder, run, stdout};

/// Of each example the one manifest has the finding and the other has none at all.
#[test]
fn examples_are_true() {
    for (code, _) in EXAMPLES {
        let Example { bad, good } = example::of(code).unwrap();
        let codes = |text: &str| checked(text).findings.into_iter().map(|finding| finding.code).collect::<Vec<_>>();
        assert!(codes(bad).contains(&code), "{code}: {:#?}", checked(bad).findings);
        assert!(codes(good).is_empty(), "{code}: {:#?}", checked(good).findings);
    }
    for topic in TOPICS {
        assert!(EXAMPLES.iter().any(|(code, _)| *code == topic.name()), "{} has no example", topic.name());
    }
}

/// Every code is explained in whole lines, with all its refusals and their remedies.
#[test]
fn every_code_is_explained() {
    let page = std::fs::read_to_string("docs/reference/codes.md").unwrap();
    for rule in &RULES {
        let text = explain::one(rule.code.as_str()).unwrap();
        let section = page.split("\n## ").find(|section| section.starts_with(rule.code.as_str())).unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| SG")).count();
        assert!(rows > 0 && text.matches("    -> ").count() == rows, "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 110) && !text.contains("]("), "{text}");
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(&text).contains(&words(rule.summary)), "{text}");
    }
    for (code, _) in explain::all() {
        let text = explain::one(&code.to_lowercase()).unwrap();
        assert!(text.starts_with(code) && text.lines().count() > 2, "{text}");
        assert!(explain::list().contains(code));
    }
}

#[test]
fn what_is_asked_wrongly_is_answered_by_the_nearest() {
    let at = folder("explain");
    for (asked, nearest) in
        [("SG02", "SG002"), ("sg0122", "SG012"), ("shared-keys", "shared-key"), ("mark", "mark-without-effect")]
    {
        let done = run(&at, &format!("explain {asked}"), "");
        let told = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2));
        assert!(told.contains(&format!("the nearest is {nearest}")) && told.lines().count() == 1, "{told}");
    }
    assert!(stdout(&run(&at, "explain sg002", "")).starts_with("SG002\n"));
    assert!(stdout(&run(&at, "explain", "")).contains("\nSG012\n"));
}

#[test]
fn the_program_says_what_it_is() {
    let at = folder("about");
    let version: serde_json::Value = serde_json::from_slice(&run(&at, "version -o json", "").stdout).unwrap();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"), "{version}");
    assert!(version["compiler"].as_str().is_some_and(|compiler| !compiler.is_empty()), "{version}");
    assert!(version["features"].as_array().is_some_and(|features| features.contains(&"cli".into())), "{version}");
    assert!(
        stdout(&run(&at, "version", "")).starts_with(concat!("kubectl singleton-guard ", env!("CARGO_PKG_VERSION")))
    );
    for (shell, word) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef"),
        ("fish", "complete -c"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        let script = stdout(&run(&at, &format!("completion {shell}"), ""));
        assert!(script.contains(word) && script.contains("warnings-as-errors"), "{shell}: {script}");
    }
    let page = stdout(&run(&at, "man", ""));
    assert!(page.contains(".TH") && page.contains("explain"), "{page}");
    // kubectl asks for the short help first, a person for examples.
    for (arguments, word) in [("--help", "explain"), ("check --help", "helm template"), ("check -h", "--namespace")] {
        assert!(stdout(&run(&at, arguments, "")).contains(word), "{arguments}");
    }
}
