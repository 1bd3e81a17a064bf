//! Each word stands at the place that it is about, and a person sees that place.

use singleton_guard::cli::report;

use super::checked;

/// The line and the column of a field, whichever way it is written.
#[test]
fn a_finding_stands_where_its_field_does() {
    let label = "singleton-guard.io/singleton";
    for (text, code, at) in [
        (
            format!(
                "apiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: a\n  labels:\n    {label}: enabled\nspec:\n  replicas: 3\n"
            ),
            "SG001",
            (8, 13),
        ),
        (
            format!(
                "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: a, labels: {{{label}: enabled}}}}\nspec: {{replicas: 3}}\n"
            ),
            "SG001",
            (4, 18),
        ),
        // Where there is no such field: the last on the way to it.
        (
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a, labels: {{{label}: strict}}}}\nspec:\n  strategy:\n    rollingUpdate: {{maxSurge: 0}}\n  template: {{metadata: {{labels: {{}}}}}}\n"
            ),
            "SG002",
            (5, 3),
        ),
        (
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a, labels: {{{label}: enabled}}}}\nspec:\n  template: {{}}\n"
            ),
            "SG002",
            (4, 1),
        ),
        (
            format!(
                "apiVersion: v1\nkind: List\nitems:\n- apiVersion: batch/v1\n  kind: Job\n  metadata: {{labels: {{{label}: enabled}}}}\n"
            ),
            "SG006",
            (6, 53),
        ),
        (
            format!(
                "a: 1\n---\n\n# ä\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: {{name: a, labels: {{ä: ü, {label}: maybe}}}}\n"
            ),
            "SG006",
            (7, 66),
        ),
    ] {
        let report = checked(&text);
        let found = report.findings.iter().find(|finding| finding.code == code);
        let found = found.unwrap_or_else(|| panic!("no {code} in {text}\n{:#?}", report.findings));
        assert_eq!((found.spot.place.line, found.spot.place.column), at, "{text}\n{found:#?}");
    }
}

/// A finding as a person sees it, and nothing of a file that could take hold of a terminal.
#[test]
fn the_line_is_shown_and_disarmed() {
    let text = "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: \"a\\e[31mb\", labels: {singleton-guard.io/singleton: enabled}}\nspec:\n  replicas: 3 # \u{202e}\n";
    let mut out = Vec::new();
    report::text(&checked(text), &mut out).unwrap();
    let shown = anstream::adapter::strip_str(std::str::from_utf8(&out).unwrap()).to_string();
    assert!(shown.starts_with("refused[SG001]: StatefulSet pay/a"), "{shown}");
    assert!(shown.contains("\n --> a.yaml:5:13\n  |\n5 |   replicas: 3 #"), "{shown}");
    assert!(shown.contains("  |             ^ spec.replicas\n"), "{shown}");
    assert!(
        shown.contains(
            "  = help: set spec.replicas to 1 (or 0); for more than one copy leave the singleton label out\n"
        ),
        "{shown}"
    );
    assert!(shown.ends_with("\n1 object in 1 file, 1 singleton: 1 refused\n"), "{shown}");
    let mut raw = String::from_utf8(out).unwrap();
    for style in ["\u{1b}[0m", "\u{1b}[1m"] {
        raw = raw.replace(style, "");
    }
    assert!(!raw.contains("\u{1b}[2J") && !raw.contains("\u{1b}[31m") && !raw.contains('\u{202e}'), "{raw:?}");
}
