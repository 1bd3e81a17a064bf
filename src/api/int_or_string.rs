//! `IntOrString` of apimachinery, as `maxSurge` and `maxUnavailable` use it.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::text::clip;

/// An integer or a percentage, as it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum IntOrString<'a> {
    /// The field is absent or `null`.
    #[default]
    Absent,
    /// A number of Pods.
    Int(i64),
    /// A percentage of the desired number, as in `25%`.
    Text(Cow<'a, str>),
    /// Neither, as JSON text.
    Unreadable(&'a str),
}

impl IntOrString<'_> {
    /// Whether `maxSurge` of this value lets a rollout of one replica run a second Pod.
    ///
    /// The Deployment controller rounds up: 1 % of one replica is one Pod more (`ResolveFenceposts` in
    /// kubernetes/kubernetes, `pkg/controller/deployment/util`). Absent means the API server's default of 25 %.
    #[must_use]
    pub fn surges(&self) -> bool {
        match self {
            Self::Int(count) => *count != 0,
            Self::Text(text) => {
                let number = text.strip_suffix('%').unwrap_or(text);
                number.is_empty() || !number.chars().all(|digit| digit == '0')
            }
            Self::Absent | Self::Unreadable(_) => true,
        }
    }

    /// Whether this is absent or what the API server fills in for both bounds, 25 %.
    #[must_use]
    pub fn is_server_default(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::Text(text) => text == "25%",
            Self::Int(_) | Self::Unreadable(_) => false,
        }
    }
}

impl fmt::Display for IntOrString<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("25%"),
            Self::Int(count) => write!(f, "{count}"),
            Self::Text(text) => f.write_str(&clip(text, VALUE_MAX)),
            Self::Unreadable(json) => f.write_str(&clip(json, VALUE_MAX)),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for IntOrString<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&'a RawValue>::deserialize(deserializer)?.get();
        if json == "null" {
            return Ok(Self::Absent);
        }
        if let Ok(count) = json.parse() {
            return Ok(Self::Int(count));
        }
        Ok(serde_json::from_str::<&str>(json)
            .map(Cow::Borrowed)
            .or_else(|_| serde_json::from_str::<String>(json).map(Cow::Owned))
            .map_or(Self::Unreadable(json), Self::Text))
    }
}

/// How much of a value a message repeats, in characters.
const VALUE_MAX: usize = 24;
