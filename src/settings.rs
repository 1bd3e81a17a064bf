//! The validated configuration, as plain data. Where the file lies and when it is read again is the shell's business.
//!
//! A field that is not known is an error that names it: a setting that is silently ignored is worse than none.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::policy::companions::{self, wish::Disruption};
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
    #[serde(default)]
    companions: CompanionsConfiguration,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct MarkConfiguration {
    key: String,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct CompanionsConfiguration {
    enabled: bool,
    headless_service: bool,
    disruption: Disruption,
    consent_window_max: String,
}

/// What the policy needs to know beside the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The label key of the mark.
    pub mark: MarkKey,
    /// What workloads without annotations get beside the guard.
    pub companions: companions::Defaults,
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
        Self {
            mark: MarkKey::default(),
            companions: companions::Defaults::default(),
            exempt_namespaces: default_exempt_namespaces().into_iter().collect(),
        }
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
        let CompanionsConfiguration { enabled, headless_service, disruption, consent_window_max } =
            configuration.companions;
        let Some(consent_window_max) = window(&consent_window_max) else {
            return wrong(
                "companions.consentWindowMax",
                format!(
                    "{consent_window_max:?} is not a time between 1 minute and {} hours: right is a number with m or h, as in \"24h\"",
                    WINDOW_MAX.as_secs() / 3600
                ),
            );
        };
        let companions = companions::Defaults { enabled, headless_service, disruption, consent_window_max };
        Ok(Self { mark, companions, exempt_namespaces: configuration.exempt_namespaces.into_iter().collect() })
    }
}

impl Default for MarkConfiguration {
    fn default() -> Self {
        Self { key: DEFAULT_KEY.to_owned() }
    }
}

impl Default for CompanionsConfiguration {
    fn default() -> Self {
        let companions::Defaults { enabled, headless_service, disruption, consent_window_max } =
            companions::Defaults::default();
        let consent_window_max = format!("{}m", consent_window_max.as_secs() / 60);
        Self { enabled, headless_service, disruption, consent_window_max }
    }
}

/// A number of minutes or hours, as Go and Helm users write it.
fn window(text: &str) -> Option<Duration> {
    let (number, minutes) = match (text.strip_suffix('m'), text.strip_suffix('h')) {
        (Some(number), _) => (number, 1),
        (_, Some(number)) => (number, 60),
        (None, None) => return None,
    };
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let minutes = number.parse::<u64>().ok().filter(|_| digits)?.checked_mul(minutes)?;
    let window = Duration::from_secs(minutes.checked_mul(60)?);
    (!window.is_zero() && window <= WINDOW_MAX).then_some(window)
}

/// The control plane's own namespace: what runs there must not depend on us.
fn default_exempt_namespaces() -> Vec<String> {
    vec!["kube-system".to_owned()]
}

const API_VERSION: &str = "singleton-guard.io/v1";
/// Consent that lasts for longer than a month has been forgotten.
const WINDOW_MAX: Duration = Duration::from_secs(31 * 24 * 60 * 60);
const KIND: &str = "GuardConfiguration";
