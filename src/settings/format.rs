//! The configuration file as it is written. Where it lies and when it is read again is the shell's business.
//!
//! Each value is checked where it is read, so that whoever reads the file can say at which line and in which field it is
//! wrong. A field that is not known is an error that names it: a setting that is silently ignored is worse than none.

use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error};

use super::custom_kinds::{CustomKind, table};
use super::error::SettingsError;
use super::node_users::NodeUsers;
use super::{
    Autoscalers, Companions, EventsConfiguration, LogLevel, Namespace, Release, Settings, default_exempt_namespaces,
};
use crate::api::annotation::{Allowed, Disruption};
use crate::api::mark::MarkKey;
use crate::api::names::managed_by;

/// The configuration file as it is written.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct GuardConfiguration {
    api_version: ApiVersion,
    kind: Kind,
    #[serde(default)]
    custom_kinds: Vec<CustomKind>,
    #[serde(default)]
    mark: MarkConfiguration,
    #[serde(default = "default_exempt_namespaces")]
    exempt_namespaces: Vec<Namespace>,
    #[serde(default)]
    warn_namespaces: Vec<Namespace>,
    #[serde(default)]
    release: Release,
    #[serde(default)]
    autoscalers: Autoscalers,
    #[serde(default)]
    strict: StrictConfiguration,
    #[serde(default)]
    freshness_proof: FreshnessProofConfiguration,
    #[serde(default)]
    companions: CompanionsConfiguration,
    #[serde(default)]
    events: EventsConfiguration,
    #[serde(default)]
    log: LogConfiguration,
}

#[derive(Debug, Clone, Copy, serde::Deserialize)]
enum ApiVersion {
    #[serde(rename = "singleton-guard.io/v1")]
    V1,
}

#[derive(Debug, Clone, Copy, serde::Deserialize)]
enum Kind {
    GuardConfiguration,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct MarkConfiguration {
    #[serde(deserialize_with = "mark_key")]
    key: MarkKey,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct CompanionsConfiguration {
    enabled: bool,
    headless_service: bool,
    disruption: Disruption,
    #[serde(deserialize_with = "window")]
    consent_window_max: Duration,
    foreign_names: Permission,
    block: Permission,
}

/// Whether a workload may ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Permission {
    Allow,
    Deny,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct StrictConfiguration {
    enabled: bool,
    node_users: NodeUsers,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct FreshnessProofConfiguration {
    enabled: bool,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct LogConfiguration {
    level: Option<LogLevel>,
}

impl TryFrom<GuardConfiguration> for Settings {
    type Error = SettingsError;

    fn try_from(configuration: GuardConfiguration) -> Result<Self, SettingsError> {
        let GuardConfiguration {
            api_version: ApiVersion::V1,
            kind: Kind::GuardConfiguration,
            custom_kinds,
            mark: MarkConfiguration { key: mark },
            exempt_namespaces,
            warn_namespaces,
            release,
            autoscalers,
            strict: StrictConfiguration { enabled: strict, node_users },
            freshness_proof: FreshnessProofConfiguration { enabled: freshness_proof },
            companions:
                CompanionsConfiguration { enabled, headless_service, disruption, consent_window_max, foreign_names, block },
            events,
            log: LogConfiguration { level: log_level },
        } = configuration;
        let managed_by = managed_by(&mark);
        let allowed = Allowed { foreign_names: foreign_names == Permission::Allow, block: block == Permission::Allow };
        if disruption == Disruption::Block && !allowed.block {
            return Err(SettingsError {
                field: "companions.disruption".to_owned(),
                problem: "\"block\" is what companions.block denies; choose \"allow\" or \"none\", or allow it"
                    .to_owned(),
            });
        }
        let companions = Companions { enabled, headless_service, disruption, consent_window_max, allowed, managed_by };
        let both = warn_namespaces.iter().position(|namespace| exempt_namespaces.contains(namespace));
        if let Some((index, Namespace(name))) = both.and_then(|index| Some((index, warn_namespaces.get(index)?))) {
            return Err(SettingsError {
                field: format!("warnNamespaces[{index}]"),
                problem: format!(
                    "{name:?} is in exemptNamespaces too: nothing is judged there, so there is nothing to warn of; name it in one of the two"
                ),
            });
        }
        let (exempt_namespaces, warn_namespaces) =
            (exempt_namespaces.into_iter().collect(), warn_namespaces.into_iter().collect());
        Ok(Self {
            kinds: table(custom_kinds)?,
            mark,
            companions,
            log_level,
            release,
            autoscalers,
            strict,
            node_users,
            freshness_proof,
            events,
            exempt_namespaces,
            warn_namespaces,
        })
    }
}

impl Default for StrictConfiguration {
    fn default() -> Self {
        Self { enabled: Settings::default().strict, node_users: NodeUsers::default() }
    }
}

impl Default for FreshnessProofConfiguration {
    fn default() -> Self {
        Self { enabled: Settings::default().freshness_proof }
    }
}

impl Default for CompanionsConfiguration {
    fn default() -> Self {
        let Companions { enabled, headless_service, disruption, consent_window_max, allowed, .. } =
            Companions::default();
        let permission = |is_allowed| if is_allowed { Permission::Allow } else { Permission::Deny };
        let (foreign_names, block) = (permission(allowed.foreign_names), permission(allowed.block));
        Self { enabled, headless_service, disruption, consent_window_max, foreign_names, block }
    }
}

fn mark_key<'de, D: Deserializer<'de>>(value: D) -> Result<MarkKey, D::Error> {
    let key = String::deserialize(value)?;
    MarkKey::parse(&key).map_err(|problem| Error::custom(format!("{key:?} is not a label key: {problem}")))
}

fn window<'de, D: Deserializer<'de>>(value: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(value)?;
    parse_window(&text).ok_or_else(|| {
        Error::custom(format!(
            "{text:?} is not a time between 1 minute and {} hours: right is a number with m or h, as in \"24h\"",
            WINDOW_MAX.as_secs() / 3600
        ))
    })
}

/// A number of minutes or hours, as Go and Helm users write it.
fn parse_window(text: &str) -> Option<Duration> {
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

/// Consent that lasts for longer than a month has been forgotten.
const WINDOW_MAX: Duration = Duration::from_secs(31 * 24 * 60 * 60);
