//! What is broken, hostile or no manifest at all: a clear word at its place, or nothing to say, and never a panic.

use proptest::prelude::*;
use singleton_guard::cli::finding::Level;

use super::{checked, of, target};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3_000) })]

    #[test]
    fn any_bytes_end_in_words(noise in any::<Vec<u8>>(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        target::check(&noise);
        let mut whole = LEDGER.as_bytes().to_vec();
        target::check(&whole[..cut.index(whole.len())]);
        let at = at.index(whole.len());
        whole[at] = byte;
        target::check(&whole);
    }

    #[test]
    fn any_yaml_ends_in_words(words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..60)) {
        target::check(words.concat().as_bytes());
    }
}

/// What YAML is made of, and what we look for in it.
const WORDS: [&str; 38] = [
    "\n",
    "\n  ",
    "\n    ",
    " ",
    "- ",
    ": ",
    "? ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "&a ",
    "*a",
    "<<: *a",
    "!!str ",
    "!!int ",
    "|",
    ">",
    "'",
    "\"",
    "#",
    "%YAML 1.1\n",
    "---\n",
    "...\n",
    "\t",
    "\r\n",
    "\u{feff}",
    "null",
    "3",
    "~",
    "apiVersion: apps/v1\n",
    "kind: Deployment\n",
    "kind: List\n",
    "items:\n",
    "metadata:\n  labels: {singleton-guard.io/singleton: strict}\n",
    "spec:\n  replicas: 2\n",
    "\u{202e}",
];

#[test]
fn each_fault_is_told_at_its_place() {
    let deep = format!("a: {}{}", "[".repeat(5_000), "]".repeat(5_000));
    let bomb = format!(
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{}",
        (1..12)
            .map(|n| format!("a{n}: &a{n} [{}]", vec![format!("*a{}", n - 1); 10].join(", ")))
            .collect::<Vec<_>>()
            .join("\n")
    );
    let nested = (1..60).fold(format!("a0: &a0 {}{}\n", "[".repeat(200), "]".repeat(200)), |text, n| {
        format!("{text}a{n}: &a{n} {}*a{}{}\n", "[".repeat(200), n - 1, "]".repeat(200))
    });
    for (text, document, line, words) in [
        ("kind: Deployment\n\tmetadata: {}", 1, 1, "tab"),
        ("a: 1\n---\na: b: c\n---\nkind: x", 2, 3, "mapping values"),
        ("a: [1, 2", 1, 1, ""),
        ("a: *nowhere", 1, 1, "anchor"),
        ("a: &a [*a]", 1, 1, "an alias stands inside of what it names"),
        ("<<: 3", 1, 1, "only a mapping can be merged"),
        ("? [a]\n: 1", 1, 1, "a key must be a word"),
        ("kind: Deployment\nmetadata: {name: web}", 1, 1, "apiVersion is missing"),
        (
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  labels:\n    singleton-guard.io/singleton: yes",
            1,
            5,
            "write enabled",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  labels:\n    singleton-guard.io/singleton: true",
            1,
            5,
            "write enabled",
        ),
        ("apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  annotations:\n    a: 3", 1, 5, "write it in quotes"),
        (
            "apiVersion: apps/v1\nkind: Deployment\nspec: {template: {metadata: {labels: {\n  version: 1.10}}}}",
            1,
            4,
            "write it in quotes",
        ),
        ("apiVersion: apps/v1\nkind: Deployment\nmetadata: no", 1, 1, ""),
        ("apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ .Values.x }}", 1, 3, "template"),
        (deep.as_str(), 1, 1, ""),
        (bomb.as_str(), 1, 5, "100 000"),
        (nested.as_str(), 1, 3, "512 levels"),
    ] {
        let report = checked(text);
        let found: Vec<_> = report.findings.iter().filter(|finding| finding.level == Level::Unreadable).collect();
        let told = found.iter().any(|it| {
            it.spot.document == document
                && it.spot.place.line == line
                && (it.message.contains(words) || it.help.as_ref().is_some_and(|help| help.contains(words)))
        });
        assert!(told, "{}: {found:#?}", text.chars().take(80).collect::<String>());
    }
}

#[test]
fn what_is_no_manifest_passes_without_a_word() {
    for text in [
        "",
        "\n",
        "---\n",
        "---\n---\n...\n",
        "# a comment\n",
        "\u{feff}",
        "null",
        "3",
        "- a\n- b\n",
        "replicaCount: 3\nimage: {}\n",
        "apiVersion: v2\nname: chart\nversion: 1.0.0\n",
        "kind: 3\n",
        "{}",
        "[]",
        "apiVersion: v1\nkind: List\nitems: []\n",
        "apiVersion: v1\nkind: List\nitems: null\n",
        "apiVersion: v1\nkind: List\n",
        "apiVersion: example.com/v1\nkind: Thing\nspec: {replicas: 3}\n",
    ] {
        assert!(checked(text).findings.is_empty(), "{text}: {:#?}", checked(text).findings);
    }
}

/// Windows line ends, a byte order mark, JSON in each of its forms, Lists, anchors: the same refusal.
#[test]
fn every_form_is_read() {
    let json = r#"{"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "ledger",
        "labels": {"singleton-guard.io/singleton": "enabled"}}, "spec": {"replicas": 3, "template": {}}}"#;
    let tabs = json.replace("        ", "\t\t");
    for text in [
        LEDGER.to_owned(),
        LEDGER.replace('\n', "\r\n"),
        format!("\u{feff}{LEDGER}"),
        format!("%YAML 1.1\n---\n{LEDGER}"),
        json.to_owned(),
        tabs,
        format!("{json}\n{json}"),
        format!("{{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [{json}]}}"),
        format!("{{\"apiVersion\": \"apps/v1\", \"kind\": \"StatefulSetList\", \"items\": [{json}]}}")
            .replace("\"apiVersion\": \"apps/v1\", \"kind\": \"StatefulSet\",", ""),
        LEDGER.replace("replicas: 3", "<<: {replicas: 0x3, serviceName: a}"),
        LEDGER.replacen("labels:", "labels: &l", 1).replace("app: ledger", "<<: *l"),
        LEDGER.replacen("labels:", "labels: {app: x}\n  labels:", 1),
    ] {
        let report = checked(&text);
        assert!(
            of(&report, Level::Refused).contains(&"SG001 spec.replicas".to_owned()),
            "{text}\n{:#?}",
            report.findings
        );
    }
    let twice = checked(&LEDGER.replacen("labels:", "labels: {app: x}\n  labels:", 1));
    assert!(
        twice.findings.iter().any(|it| it.code == "duplicate-key" && it.spot.place.line == 7),
        "{:#?}",
        twice.findings
    );
}

/// A large file costs what it is worth: a string of 8 MiB, and 5 000 objects.
#[test]
fn what_is_large_is_read() {
    let long = LEDGER.replace("app: ledger", &format!("app: {}", "x".repeat(8 << 20)));
    assert_eq!(of(&checked(&long), Level::Refused), ["SG001 spec.replicas"]);
    let many = LEDGER.repeat(5_000);
    assert_eq!(of(&checked(&many), Level::Refused).len(), 5_000);
}

pub const LEDGER: &str = "\
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: ledger
  labels:
    singleton-guard.io/singleton: enabled
spec:
  replicas: 3
  template:
    metadata:
      labels:
        app: ledger
";
