//! The documentation as a reader walks through it: every link leads somewhere, every page can be found from the README,
//! and the README stays as short as a first reading allows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// What the README may have at most: one screen after another would not be read.
const LINES: usize = 130;
const WORDS: usize = 1_300;
const COLUMNS: usize = 120;

/// Every relative link of every page leads to a file that exists, and its anchor to a heading of that file.
#[test]
fn every_link_leads_somewhere() -> Result<(), String> {
    let root = crate::root();
    let pages = pages(root)?;
    let mut faults = Vec::new();
    for (path, text) in &pages {
        for link in links(text).filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { resolved(path, file) };
            if !root.join(&target).exists() {
                faults.push(format!("{}: {link} leads to no file", path.display()));
            } else if !anchor.is_empty() && !pages.get(&target).is_some_and(|text| anchors(text).contains(anchor)) {
                faults.push(format!("{}: {link} leads to no heading", path.display()));
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// Whoever follows links from the README comes to every page under `docs`.
#[test]
fn every_page_is_found_from_the_readme() -> Result<(), String> {
    let pages = pages(crate::root())?;
    let (mut found, mut next) = (BTreeSet::new(), vec![PathBuf::from("README.md")]);
    while let Some(path) = next.pop() {
        let Some(text) = pages.get(&path).filter(|_| found.insert(path.clone())) else { continue };
        let files = links(text).filter_map(|link| link.split('#').next()).filter(|file| !file.is_empty());
        next.extend(files.map(|file| resolved(&path, file)));
    }
    match pages.keys().find(|path| path.starts_with("docs") && !found.contains(*path)) {
        Some(path) => Err(format!("no link leads from the README to {}", path.display())),
        None => Ok(()),
    }
}

/// Whatever of ours a page names is there: a metric in the table of metrics, a program of the tests, a group of its live tests.
#[test]
fn what_is_named_exists() -> Result<(), String> {
    let root = crate::root();
    let pages = pages(root)?;
    let metrics = pages.get(Path::new("docs/reference/metrics.md")).ok_or("there is no page of metrics")?;
    let mut faults = Vec::new();
    // The change log tells of what was.
    for (path, text) in pages.iter().filter(|(path, _)| path.as_path() != Path::new("CHANGELOG.md")) {
        for (name, rest) in words_after(text, "singleton_guard_").filter(|(name, _)| !name.is_empty()) {
            let end = if rest.starts_with(".*") { "" } else { "`" };
            if !metrics.contains(&format!("\n| `singleton_guard_{name}{end}")) {
                faults.push(format!("{}: there is no metric singleton_guard_{name}", path.display()));
            }
        }
        for (name, rest) in words_after(text, "--test ").filter(|(name, _)| *name != "NAME") {
            if ![format!("tests/{name}.rs"), format!("tests/{name}/main.rs")]
                .iter()
                .any(|file| root.join(file).exists())
            {
                faults.push(format!("{}: there is no program {name} in tests", path.display()));
            }
            if let Some(filter) = rest.strip_prefix(" -- ").filter(|_| name == "live")
                && !names_live_tests(root, filter.trim_start_matches("--ignored "))
            {
                faults.push(format!("{}: no live test is called {filter:.40}", path.display()));
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// Whether such a filter of live tests names a group, and in it a topic of cases or a file.
fn names_live_tests(root: &Path, filter: &str) -> bool {
    let filter = filter.trim_start_matches('"').split([' ', '`', '\n', '"']).next().unwrap_or_default();
    let Some((group, rest)) = filter.split_once("::") else { return filter.is_empty() || filter.starts_with('-') };
    let rest = rest.split(['/', ':']).next().unwrap_or_default();
    let within = if group == "cases" { "tests/cases".to_owned() } else { format!("tests/live/{group}") };
    let entries = std::fs::read_dir(root.join(within)).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(rest))
}

/// Every reason of an Event that the code gives is explained.
#[test]
fn every_event_is_explained() -> Result<(), String> {
    let root = crate::root();
    let page = std::fs::read_to_string(root.join("docs/reference/events.md")).map_err(|error| error.to_string())?;
    let sources = files(&root.join("src"), "rs")?;
    let strings = sources.values().flat_map(|text| text.split('"').skip(1).step_by(2));
    let is_reason = |text: &&str| text.starts_with("Singleton") && text.chars().all(char::is_alphabetic);
    let reasons: BTreeSet<&str> = strings.filter(is_reason).collect();
    match reasons.iter().find(|reason| !page.contains(&format!("`{reason}`"))) {
        _ if reasons.len() < 5 => Err(format!("only {reasons:?} were found in the code")),
        Some(reason) => Err(format!("docs/reference/events.md does not explain {reason}")),
        None => Ok(()),
    }
}

/// The README keeps its bounds. Tables and what a program prints are as wide as they are.
#[test]
fn the_readme_is_short() -> Result<(), String> {
    let text = std::fs::read_to_string(crate::root().join("README.md")).map_err(|error| error.to_string())?;
    let (lines, words) = (text.lines().count(), text.split_whitespace().count());
    assert!(
        lines <= LINES && words <= WORDS,
        "README.md has {lines} lines and {words} words, at most {LINES} and {WORDS} are wanted"
    );
    let mut is_output = false;
    for line in text.lines() {
        if let Some(language) = line.strip_prefix("```") {
            is_output = language == "console";
        } else if !is_output && !line.starts_with('|') && line.chars().count() > COLUMNS {
            return Err(format!("README.md has a line of more than {COLUMNS} columns: {line}"));
        }
    }
    Ok(())
}

/// Every page of the repository, by its path from the root.
fn pages(root: &Path) -> Result<BTreeMap<PathBuf, String>, String> {
    let pages = files(root, "md")?;
    if pages.contains_key(Path::new("README.md")) { Ok(pages) } else { Err("there is no README.md".to_owned()) }
}

/// The files of a kind below a directory, by their path from there.
fn files(root: &Path, kind: &str) -> Result<BTreeMap<PathBuf, String>, String> {
    let (mut files, mut directories) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).map_err(|error| error.to_string())? {
            let path = entry.map_err(|error| error.to_string())?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && name != "target" && name != ".git" {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == kind) {
                let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                files.insert(path.strip_prefix(root).map_err(|error| error.to_string())?.to_owned(), text);
            }
        }
    }
    Ok(files)
}

/// The words that follow a text wherever it occurs, each with what comes behind it.
fn words_after<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let end = |rest: &str| rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    text.split(before).skip(1).map(move |rest| rest.split_at(end(rest)))
}

/// What the page links to, outside of code blocks.
fn links(text: &str) -> impl Iterator<Item = &str> {
    prose(text).flat_map(|line| line.split("](").skip(1)).filter_map(|rest| rest.split(')').next())
}

/// The anchors of a page, as GitHub makes them from its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for heading in prose(text).filter(|line| line.starts_with('#')) {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept: String = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_')).collect();
        let anchor = kept.replace(' ', "-");
        let times = (1..).map(|time| format!("{anchor}-{time}"));
        let free = std::iter::once(anchor.clone()).chain(times).find(|anchor| !anchors.contains(anchor));
        anchors.extend(free);
    }
    anchors
}

fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// Where a link of a page leads, from the root.
fn resolved(page: &Path, link: &str) -> PathBuf {
    let mut path = page.parent().unwrap_or(Path::new("")).to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    path
}
