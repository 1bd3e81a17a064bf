//! For each code that `check` can find, manifests where it does and manifests where it does not, from the folder `examples`. A
//! test checks both.

/// Two texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// It is said of this one.
    pub bad: &'static str,
    /// And not of this one.
    pub good: &'static str,
}

/// The example of a code.
#[must_use]
pub fn of(code: &str) -> Option<Example> {
    let (_, text) = EXAMPLES.iter().find(|(of, _)| *of == code)?;
    let (bad, good) = text.split_once(BETWEEN)?;
    Some(Example { bad, good })
}

/// The files, by code.
pub const EXAMPLES: [(&str, &str); 13] = [
    ("SG001", include_str!("examples/SG001.yaml")),
    ("SG002", include_str!("examples/SG002.yaml")),
    ("SG003", include_str!("examples/SG003.yaml")),
    ("SG006", include_str!("examples/SG006.yaml")),
    ("SG011", include_str!("examples/SG011.yaml")),
    ("SG012", include_str!("examples/SG012.yaml")),
    ("mark-without-effect", include_str!("examples/mark-without-effect.yaml")),
    ("budget-of-singleton", include_str!("examples/budget-of-singleton.yaml")),
    ("service-of-singleton", include_str!("examples/service-of-singleton.yaml")),
    ("shared-key", include_str!("examples/shared-key.yaml")),
    ("shared-service-name", include_str!("examples/shared-service-name.yaml")),
    ("unmarked-writer", include_str!("examples/unmarked-writer.yaml")),
    ("duplicate-key", include_str!("examples/duplicate-key.yaml")),
];
/// What stands between the two in a file.
const BETWEEN: &str = "# and not of this:\n";
