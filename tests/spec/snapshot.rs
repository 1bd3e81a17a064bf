//! Files that are made from code and kept in the repository: a test compares, `UPDATE=1 cargo test` rewrites.

use std::path::Path;

/// Compares a whole file with what it should hold.
pub fn file(root: &Path, path: &str, expected: &str) -> Result<(), String> {
    let file = root.join(path);
    let stored = std::fs::read_to_string(&file).unwrap_or_default();
    if stored == expected {
        return Ok(());
    }
    if updating() {
        std::fs::create_dir_all(file.parent().expect("a directory")).map_err(|error| error.to_string())?;
        return std::fs::write(&file, expected).map_err(|error| error.to_string());
    }
    Err(format!(
        "{path} is not what the code makes; `UPDATE=1 cargo test` rewrites it\n{}",
        difference(&stored, expected)
    ))
}

/// Compares the part of a file between `<!-- NAME -->` and `<!-- /NAME -->` with what it should hold.
pub fn section(root: &Path, path: &str, name: &str, expected: &str) -> Result<(), String> {
    let stored = std::fs::read_to_string(root.join(path)).map_err(|error| format!("{path}: {error}"))?;
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = stored.split_once(&open).ok_or_else(|| format!("{path} has no line {open}"))?;
    let (_, after) = rest.split_once(&close).ok_or_else(|| format!("{path} has no {close}"))?;
    file(root, path, &format!("{before}{open}{expected}{close}{after}"))
}

fn updating() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

/// The first line that differs, on both sides.
fn difference(stored: &str, expected: &str) -> String {
    let (mut stored, mut expected) = (stored.lines(), expected.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (stored.next(), expected.next()) {
            (None, None) => return "they differ in their line ends".to_owned(),
            (a, b) if a == b => {}
            (a, b) => {
                return format!("line {number}:\n- {}\n+ {}", a.unwrap_or("(end)"), b.unwrap_or("(end)"));
            }
        }
    }
}
