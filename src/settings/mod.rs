//! The settings in force, as plain data, with the defaults of all of them. [`format`] is how they are written. Pure.

mod custom_kinds;
mod error;
mod format;
pub mod node_users;

pub use error::SettingsError;
pub use format::GuardConfiguration;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::api::annotation::{Allowed, Disruption};
use crate::api::kind::Kinds;
use crate::api::mark::{MarkKey, is_dns_label};
use crate::api::names::managed_by;
use crate::settings::node_users::NodeUsers;

/// What is told in Events on the workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct EventsConfiguration {
    /// Whether a denial is.
    pub denials: bool,
    /// Whether people who asked are named, and not only service accounts and components of Kubernetes.
    pub include_users: bool,
}

/// What a broken rule comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// A refusal.
    #[default]
    Enforce,
    /// A warning.
    Warn,
}

/// What the settings say about companions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Companions {
    /// Whether the controller runs at all.
    pub enabled: bool,
    /// Whether a workload without the annotation gets a headless Service.
    pub headless_service: bool,
    /// What a workload without the annotation wants.
    pub disruption: Disruption,
    /// How far ahead a window of consent may end.
    pub consent_window_max: Duration,
    /// What a workload may ask for.
    pub allowed: Allowed,
    /// What our `app.kubernetes.io/managed-by` says: see [`crate::api::names::managed_by`].
    pub managed_by: String,
}

/// What the process needs to know beside the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The kinds that are guarded.
    pub kinds: Kinds,
    /// The label key of the mark.
    pub mark: MarkKey,
    /// What workloads without annotations get beside the guard.
    pub companions: Companions,
    /// What is logged; `None` leaves it to the command line.
    pub log_level: Option<LogLevel>,
    /// Who may take the mark off.
    pub release: Release,
    /// What an autoscaler comes to that could newly scale a singleton above one.
    pub autoscalers: Autoscalers,
    /// Whether the mark may be `strict`. The policies that hold it in the API server come with the chart.
    pub strict: bool,
    /// Who ends the Pods of its nodes without being a kubelet. The policies judge that; here it is known to be well-formed.
    pub node_users: NodeUsers,
    /// Whether a parent of a Scale may be proven to be no singleton without asking the API server.
    pub freshness_proof: bool,
    /// What is told in Events on the workloads.
    pub events: EventsConfiguration,
    exempt_namespaces: BTreeSet<Namespace>,
    warn_namespaces: BTreeSet<Namespace>,
}

/// Who may release a singleton.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Release {
    /// Whoever may change its labels.
    #[default]
    Free,
    /// Only who breaks the glass.
    BreakGlass,
}

/// What an autoscaler comes to that could newly scale a singleton above one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Autoscalers {
    /// A refusal.
    #[default]
    Deny,
    /// A warning.
    Warn,
    /// Nothing.
    Off,
}

/// The least severe line that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// What somebody has to look at.
    Error,
    /// What may become so.
    Warn,
    /// Denials, releases, and what the process does.
    Info,
    /// For finding a fault.
    Debug,
    /// Everything.
    Trace,
}

/// The name of a namespace.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(try_from = "String")]
struct Namespace(String);

impl Settings {
    /// Whether no request in this namespace is judged.
    #[must_use]
    pub fn exempts(&self, namespace: &str) -> bool {
        self.exempt_namespaces.contains(namespace)
    }

    /// What a broken rule comes to in this namespace.
    #[must_use]
    pub fn mode(&self, namespace: &str) -> Mode {
        if self.warn_namespaces.contains(namespace) { Mode::Warn } else { Mode::Enforce }
    }

    /// Whether the API server lets no Pod of this namespace have a key but the one that is named by it: the policies that
    /// do so come with the chart, and are left out where a refusal is only a warning.
    #[must_use]
    pub fn holds_keys(&self, namespace: &str) -> bool {
        self.strict && self.mode(namespace) == Mode::Enforce && !self.exempts(namespace)
    }
}

impl Default for Companions {
    fn default() -> Self {
        Self {
            enabled: true,
            headless_service: true,
            disruption: Disruption::Allow,
            consent_window_max: Duration::from_secs(24 * 60 * 60),
            allowed: Allowed::default(),
            managed_by: managed_by(&MarkKey::default()),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kinds: Kinds::BUILT_IN,
            mark: MarkKey::default(),
            companions: Companions::default(),
            log_level: None,
            release: Release::default(),
            autoscalers: Autoscalers::default(),
            strict: true,
            node_users: NodeUsers::default(),
            freshness_proof: true,
            events: EventsConfiguration::default(),
            exempt_namespaces: default_exempt_namespaces().into_iter().collect(),
            warn_namespaces: BTreeSet::new(),
        }
    }
}

impl LogLevel {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

impl TryFrom<String> for Namespace {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        if is_dns_label(&name) {
            return Ok(Self(name));
        }
        Err(format!(
            "{name:?} is not the name of a namespace: lowercase letters, digits and '-' only, at most 63; patterns are not supported"
        ))
    }
}

impl std::borrow::Borrow<str> for Namespace {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Default for EventsConfiguration {
    fn default() -> Self {
        Self { denials: true, include_users: false }
    }
}

/// The control plane's own namespaces (Kubernetes, "Initial namespaces"): what is there must not depend on us.
fn default_exempt_namespaces() -> Vec<Namespace> {
    ["kube-system", "kube-node-lease", "kube-public"].map(|name| Namespace(name.to_owned())).to_vec()
}
