//! `docs/check.md`, word for word: each command prints what the page says, and its table is that of the code. `UPDATE=1` writes
//! both again.

use std::fmt::Write as _;
use std::path::Path;

use singleton_guard::cli::set::TOPICS;

use super::process::{folder, run, stdout};

const PAGE: &str = "docs/check.md";

#[test]
fn commands_print_what_the_page_says() {
    let page = page();
    let at = folder("page");
    for block in page.split("```yaml\n# ").skip(1) {
        let (name, rest) = block.split_once('\n').unwrap();
        std::fs::write(at.join(name), rest.split("```").next().unwrap()).unwrap();
    }
    let mut shown = page.clone();
    let (mut code, mut commands) = (None, 0);
    for block in page.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
        let mut printed = String::new();
        for command in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let _ = writeln!(printed, "$ {command}");
            if command == "echo $?" {
                let _ = writeln!(printed, "{}", code.unwrap());
            } else {
                let done = run(&at, command.strip_prefix("kubectl singleton-guard ").unwrap(), "");
                printed.push_str(&stdout(&done));
                code = done.status.code();
            }
            commands += 1;
        }
        shown = shown.replace(block, &printed);
    }
    assert!(commands > 1, "the page has {commands} commands");
    compare(&page, &shown);
}

#[test]
fn the_table_is_that_of_the_code() {
    let page = page();
    let mut table = "| finding | what it means |\n|---|---|\n".to_owned();
    for topic in TOPICS {
        let _ = writeln!(table, "| `{}` ({}) | {} |", topic.name(), topic.level().word(), topic.meaning());
    }
    let (before, rest) = page.split_once("<!-- findings -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /findings -->").unwrap();
    compare(&page, &format!("{before}<!-- findings -->\n{table}<!-- /findings -->{after}"));
}

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE)).unwrap()
}

fn compare(page: &str, expected: &str) {
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        std::fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE), expected).unwrap();
        return;
    }
    for (is, should) in page.lines().zip(expected.lines()) {
        assert_eq!(is, should, "`UPDATE=1 cargo test --features cli --test check` writes the page again");
    }
    assert_eq!(page.len(), expected.len(), "`UPDATE=1 cargo test --features cli --test check` writes the page again");
}
