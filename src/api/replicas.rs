//! A number of replicas as it was written.
//!
//! The rules need three answers: nothing was written, a whole number, or something that is neither. The last one is
//! never taken for a small number: a float, a string, an overflow and an object all count as an increase.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::text::clip;

/// A count as it was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Replicas<'a> {
    /// The field is absent or `null`; what that means depends on the object (1 for a workload, 0 for a Scale).
    #[default]
    Absent,
    /// A whole number.
    Count(i64),
    /// Anything else, as JSON text.
    Unreadable(&'a str),
}

impl Replicas<'_> {
    /// Fills in the default of the object where nothing was written.
    #[must_use]
    pub const fn or(self, default: i64) -> Self {
        match self {
            Self::Absent => Self::Count(default),
            other => other,
        }
    }

    /// Whether this is, or may be, more than the limit.
    #[must_use]
    pub const fn exceeds(self, limit: i64) -> bool {
        match self {
            Self::Absent => false,
            Self::Count(count) => count > limit,
            Self::Unreadable(_) => true,
        }
    }

    /// Whether this is, or may be, more than `from`.
    #[must_use]
    pub const fn increases_from(self, from: Self) -> bool {
        match (from, self) {
            (Self::Count(from), Self::Count(to)) => to > from,
            (_, Self::Unreadable(_)) | (Self::Absent | Self::Unreadable(_), Self::Count(_)) => true,
            (_, Self::Absent) => false,
        }
    }

    /// The count as a text for a message.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Absent => "none".to_owned(),
            Self::Count(count) => count.to_string(),
            Self::Unreadable(json) => clip(json, VALUE_MAX),
        }
    }
}

impl<'a> From<&'a RawValue> for Replicas<'a> {
    #[inline]
    fn from(json: &'a RawValue) -> Self {
        let json = json.get();
        // `int32` in Kubernetes' types: a number that does not fit is none.
        match json.parse::<i32>() {
            Ok(count) => Self::Count(count.into()),
            Err(_) if json == "null" => Self::Absent,
            Err(_) => Self::Unreadable(json),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Replicas<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(<&'a RawValue>::deserialize(deserializer)?.into())
    }
}

/// How much of an unreadable value a message repeats, in characters.
const VALUE_MAX: usize = 24;
