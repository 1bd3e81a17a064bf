//! `explain`: what a code means, from the page that is made of the rules (`PAGE`), and what `check` says beside them, from
//! [`super::set`]. Pure.

use std::fmt::Write as _;

use super::example::{self, Example};
use super::finding::{Level, TWICE, UNDECIDED, UNREADABLE, WARNED};
use super::set::TOPICS;
use crate::policy::rules::RULES;

/// Every code with a sentence about it: the rules, then what is said of a set, then the rest.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut rules: Vec<_> = RULES.iter().map(|rule| (rule.code.as_str(), rule.summary)).collect();
    rules.sort_unstable();
    rules.into_iter().chain(TOPICS.iter().map(|topic| (topic.name(), topic.meaning()))).chain(OTHERS)
}

/// The list of all codes.
#[must_use]
pub fn list() -> String {
    let mut list = String::new();
    for (code, summary) in all() {
        // Writing to a String cannot fail.
        let _ = writeln!(list, "{code}\n{}\n", indented(summary, "  "));
    }
    list
}

/// What one code means.
///
/// # Errors
/// There is no such code: the nearest one.
pub fn one(asked: &str) -> Result<String, String> {
    let found = all().find(|(code, _)| code.eq_ignore_ascii_case(asked));
    let Some((code, summary)) = found else {
        let near = |code: &str| strsim::jaro_winkler(&code.to_lowercase(), &asked.to_lowercase());
        let nearest = all().map(|(code, _)| code).min_by(|a, b| near(b).total_cmp(&near(a)));
        return Err(format!("there is no code {asked:?}; the nearest is {}", nearest.unwrap_or_default()));
    };
    let mut text = format!("{code}\n\n{}\n", indented(summary, "  "));
    if let Some(section) = section(code) {
        text.push_str(&of_rule(section));
    }
    if let Some(topic) = TOPICS.iter().find(|topic| topic.name() == code) {
        let help = Some(topic.help()).filter(|help| !help.is_empty());
        let remark = if topic.level() == Level::Advice {
            "This is advice: nothing is refused."
        } else {
            "This is a warning: nothing is refused."
        };
        let _ = write!(text, "\n{}\n", indented(remark, "  "));
        let _ = help.map(|help| write!(text, "\nWhat to do:\n\n{}\n", indented(help, "  ")));
    }
    match example::of(code) {
        Some(Example { bad, good }) => {
            let _ = write!(text, "\nFor example, this:\n\n{}\n\nAnd not this:\n\n{}\n", quoted(bad), quoted(good));
        }
        None if section(code).is_some() => {
            let _ = write!(text, "\n{}\n", indented(UNSEEN, "  "));
        }
        None => {}
    }
    Ok(text)
}

/// The part of the page about a rule.
fn section(code: &str) -> Option<&'static str> {
    PAGE.split("\n## ").find_map(|section| section.strip_prefix(code)?.strip_prefix('\n'))
}

/// The prose, then each refusal with its remedy. The rule itself was said, and the cases are for who has the sources.
fn of_rule(section: &str) -> String {
    let (prose, rest) = section.split_once("\n| refusal | remedy |\n|---|---|\n").unwrap_or((section, ""));
    let mut text = String::new();
    for paragraph in prose.trim().split("\n\n").filter(|paragraph| !paragraph.starts_with("The rule: ")) {
        let _ = write!(text, "\n{}\n", indented(&without_links(paragraph), "  "));
    }
    text.push_str("\nWhat is refused, and what to do:\n");
    let rows = rest.lines().map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    for (message, remedy) in rows.filter_map(|row| row.split_once(" | ")) {
        let plain = |cell: &str| cell.replace("\\|", "|").replace("&lt;", "<");
        let _ = write!(text, "\n{}\n{}\n", indented(&plain(message), "  "), indented(&plain(remedy), "    -> "));
    }
    text
}

/// The text in lines, each with this before it; the first line of a remedy with its arrow.
fn indented(text: &str, before: &str) -> String {
    let again = " ".repeat(before.chars().count());
    let (mut lines, mut line) = (Vec::new(), before.to_owned());
    for word in text.split_whitespace() {
        if line.chars().count() + word.chars().count() > WIDTH && !line.trim().is_empty() {
            lines.push(std::mem::replace(&mut line, again.clone()));
        }
        line.push_str(word);
        line.push(' ');
    }
    lines.push(line);
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

fn quoted(manifest: &str) -> String {
    manifest.trim_end().lines().map(|line| format!("    {line}").trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// `[text](where)` as its text.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        match link.split_once("](").and_then(|(words, after)| Some((words, after.split_once(')')?.1))) {
            Some((words, after)) if !words.contains('[') => {
                plain.push_str(before);
                plain.push_str(words);
                rest = after;
            }
            _ => {
                plain.push_str(before);
                plain.push('[');
                rest = link;
            }
        }
    }
    plain.push_str(rest);
    plain
}

/// What else `check` says.
const OTHERS: [(&str, &str); 4] = [
    (
        UNREADABLE,
        "The file, the document or the object cannot be read as the API server would read it, so it was not judged.",
    ),
    (UNDECIDED, "It depends on what the cluster holds: the owner of a ReplicaSet, or the Pod that has a name."),
    (TWICE, "A key comes twice in one mapping. kubectl takes the last one without a word, so the first is lost."),
    (WARNED, "The guard takes the object and warns, without a rule that is broken."),
];
/// Said of rules that no new object can break.
const UNSEEN: &str =
    "check cannot see this: it is about a change to what the cluster holds, and the guard judges it there.";
/// The page as it is published.
const PAGE: &str = include_str!("../../docs/reference/codes.md");
const WIDTH: usize = 96;
