//! The page of codes, made: for each code what it demands and why, as its rule says, then each refusal with its remedy, and
//! the sentences of the cases that show it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use singleton_guard::api::kind::Kinds;
use singleton_guard::policy::code::Code;
use singleton_guard::policy::rules::RULES;

use super::{case, generated, snapshot};

/// Compares the page with what the registry, the rules' own prose, the catalogue and the cases say.
#[test]
fn the_page_of_codes_is_what_rules_and_cases_say() -> Result<(), String> {
    let root = crate::root();
    let mut page = "# What does a code mean?

<!-- Made from the rules, their words and their cases: `UPDATE=1 cargo test` rewrites it. -->

Each refusal begins with a code, and a code keeps its meaning. Its remedy comes along as a warning. Codes that are not here
(SG003, SG008, SG009) are not used. The short list is in [rules](../rules.md).
"
    .to_owned();
    let mut rules: Vec<_> = RULES.iter().collect();
    rules.sort_by_key(|rule| rule.code);
    for rule in rules {
        let _ = write!(
            page,
            "\n## {}\n\nThe rule: {}.\n\n{}\n",
            rule.code,
            rule.demands(Kinds::BUILT_IN),
            prose(root, rule.code)?
        );
        page.push_str("\n| refusal | remedy |\n|---|---|\n");
        for violation in generated::every_violation().into_iter().filter(|violation| violation.code() == rule.code) {
            let (message, remedy) = generated::words(violation);
            let _ = writeln!(page, "| {} | {} |", cell(&message), cell(&remedy));
        }
        page.push_str("\nSeen in these cases:\n\n");
        for name in shown(root, rule.code) {
            let sentence = name.rsplit('/').next().unwrap_or_default().replace('-', " ");
            let _ = writeln!(page, "* [{sentence}](../../tests/cases/{name}.yaml)");
        }
    }
    snapshot::file(root, "docs/reference/codes.md", &page)
}

/// The head of the rule's file, without its first line, which says what the summary says.
fn prose(root: &Path, code: Code) -> Result<String, String> {
    let directory = root.join("src/policy/rules");
    let begin = code.as_str().to_lowercase();
    let files = std::fs::read_dir(&directory).map_err(|error| error.to_string())?.flatten();
    let mut files = files.filter(|file| file.file_name().to_string_lossy().starts_with(&begin));
    let file = files.next().ok_or_else(|| format!("{code} has no file"))?;
    let text = std::fs::read_to_string(file.path()).map_err(|error| error.to_string())?;
    let head = text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim);
    Ok(head.skip_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n").trim().to_owned())
}

/// The cases in which a request is refused, or warned of, by this code.
fn shown(root: &Path, code: Code) -> BTreeSet<String> {
    let cases = case::load(&root.join("tests/cases"));
    let says = |text: &String| text.starts_with(code.as_str());
    let shows = |step: &case::Step| step.message.iter().any(says) || step.warnings.iter().any(says);
    let cases = cases.into_iter().filter(|case| case.steps.iter().any(shows));
    // The kind stands behind the name where the case runs for several.
    cases.map(|case| case.name.split(" (").next().unwrap_or_default().to_owned()).collect()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}
