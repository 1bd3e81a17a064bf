//! The validated configuration, as plain data. Where the file lies and when it is read again is the shell's business.
//!
//! A field that is not known is an error that names it: a setting that is silently ignored is worse than none.

use std::collections::BTreeSet;

use crate::policy::mark::{DEFAULT_KEY, MarkKey, is_dns_label};

/// The configuration file as it is written: `apiVersion: singleton-guard.io/v1`, `kind: GuardConfiguration`.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GuardConfiguration {
    api_version: String,
    kind: String,
    #[serde(default)]
    mark: MarkConfiguration,
    #[serde(default = "default_exempt_namespaces")]
    exempt_namespaces: Vec<String>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct MarkConfiguration {
    key: String,
}

/// What the policy needs to know beside the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The label key of the mark.
    pub mark: MarkKey,
    exempt_namespaces: BTreeSet<String>,
}

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct SettingsError {
    /// Path of the field, as in `mark.key`.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

impl Settings {
    /// Whether no request in this namespace is judged.
    #[must_use]
    pub fn exempts(&self, namespace: &str) -> bool {
        self.exempt_namespaces.contains(namespace)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self { mark: MarkKey::default(), exempt_namespaces: default_exempt_namespaces().into_iter().collect() }
    }
}

impl TryFrom<GuardConfiguration> for Settings {
    type Error = SettingsError;

    fn try_from(configuration: GuardConfiguration) -> Result<Self, SettingsError> {
        let wrong = |field: &str, problem: String| Err(SettingsError { field: field.to_owned(), problem });
        if configuration.api_version != API_VERSION {
            return wrong("apiVersion", format!("is {:?}, must be {API_VERSION:?}", configuration.api_version));
        }
        if configuration.kind != KIND {
            return wrong("kind", format!("is {:?}, must be {KIND:?}", configuration.kind));
        }
        let mark = match MarkKey::parse(&configuration.mark.key) {
            Ok(mark) => mark,
            Err(problem) => {
                return wrong("mark.key", format!("{:?} is not a label key: {problem}", configuration.mark.key));
            }
        };
        for (index, namespace) in configuration.exempt_namespaces.iter().enumerate() {
            if !is_dns_label(namespace) {
                return wrong(
                    &format!("exemptNamespaces[{index}]"),
                    format!(
                        "{namespace:?} is not the name of a namespace: lowercase letters, digits and '-' only, at most 63; patterns are not supported"
                    ),
                );
            }
        }
        Ok(Self { mark, exempt_namespaces: configuration.exempt_namespaces.into_iter().collect() })
    }
}

impl Default for MarkConfiguration {
    fn default() -> Self {
        Self { key: DEFAULT_KEY.to_owned() }
    }
}

/// The control plane's own namespace: what runs there must not depend on us.
fn default_exempt_namespaces() -> Vec<String> {
    vec!["kube-system".to_owned()]
}

const API_VERSION: &str = "singleton-guard.io/v1";
const KIND: &str = "GuardConfiguration";
