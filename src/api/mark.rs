//! The mark: the label that makes a workload a singleton.

use std::fmt;
use std::sync::Arc;

/// The label key in use. Always a valid Kubernetes label key; shared, because every review carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkKey(Arc<str>);

/// What a workload's label says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark<'a> {
    /// There is no such label.
    Absent,
    /// One of the values [`SINGLETON`], which all mean the same.
    Singleton,
    /// The value [`STRICT`]: never two Pods.
    Strict,
    /// Any other value. It is refused when it is written; one that is stored already counts as one of [`SINGLETON`].
    Malformed(&'a str),
}

impl<'a> Mark<'a> {
    /// Reads the label's value.
    #[must_use]
    pub fn parse(value: Option<&'a str>) -> Self {
        match value {
            None => Self::Absent,
            Some(STRICT) => Self::Strict,
            Some(value) if SINGLETON.contains(&value) => Self::Singleton,
            Some(other) => Self::Malformed(other),
        }
    }

    /// Whether the label is there, whatever its value: a bad value already stored counts as a mark.
    #[must_use]
    pub const fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }
}

impl MarkKey {
    /// Accepts a qualified name: `[prefix/]name`, as Kubernetes defines label keys.
    ///
    /// ```
    /// # use singleton_guard::api::mark::MarkKey;
    /// assert_eq!(MarkKey::parse("example.com/only-one")?.as_str(), "example.com/only-one");
    /// assert!(MarkKey::parse("Example.com/only-one").is_err_and(|why| why.contains("a lowercase DNS name")));
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    /// A sentence that says what is wrong with the key.
    pub fn parse(key: &str) -> Result<Self, String> {
        let (prefix, name) = match key.split_once('/') {
            Some((prefix, name)) => (Some(prefix), name),
            None => (None, key),
        };
        if name.is_empty() || name.len() > NAME_MAX {
            return Err(format!("the name part must have 1 to {NAME_MAX} characters"));
        }
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        if !edge(name.chars().next()) || !edge(name.chars().last()) || !name.chars().all(in_name) {
            return Err("the name part must consist of letters, digits, '-', '_' or '.', and begin and end with a letter or digit".to_owned());
        }
        match prefix {
            Some(prefix) if !is_dns_subdomain(prefix) => {
                Err("the prefix before '/' must be a lowercase DNS name, for example \"example.com\"".to_owned())
            }
            _ => Ok(Self(key.into())),
        }
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for MarkKey {
    fn default() -> Self {
        Self(DEFAULT_KEY.into())
    }
}

impl fmt::Display for MarkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether the text is a DNS subdomain (RFC 1123), as Kubernetes wants prefixes and most names.
pub(crate) fn is_dns_subdomain(text: &str) -> bool {
    text.len() <= SUBDOMAIN_MAX && text.split('.').all(is_dns_label)
}

/// Whether the text is a DNS label (RFC 1123).
pub(crate) fn is_dns_label(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= NAME_MAX
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}

/// The label key that is used where the settings name no other.
pub const DEFAULT_KEY: &str = "singleton-guard.io/singleton";
/// The label values that make a workload a singleton; the first is the one to show, because YAML needs no quotes for it.
pub const SINGLETON: [&str; 2] = ["enabled", TRUE];
/// The older value of [`SINGLETON`], which every version understands.
pub const TRUE: &str = "true";
/// The label value that makes a workload a singleton that never has two Pods.
pub const STRICT: &str = "strict";

// apimachinery, pkg/util/validation: qualifiedNameMaxLength, DNS1123LabelMaxLength and DNS1123SubdomainMaxLength.
const NAME_MAX: usize = 63;
const SUBDOMAIN_MAX: usize = 253;
