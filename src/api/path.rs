//! One value of a piece of JSON by its path, as in `spec.replicas`. Everything beside it is skipped without being kept.

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What is there; `None` where the path leads to nothing.
///
/// # Errors
/// It is no JSON, the path leads through something that is no object, or a key on it comes twice.
pub fn find<'a>(json: &'a str, path: &str) -> Result<Option<&'a RawValue>, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let found = Step { rest: path }.deserialize(&mut reader)?;
    reader.end()?;
    Ok(found)
}

/// The rest of a path, from a value on.
struct Step<'p> {
    rest: &'p str,
}

impl<'de> DeserializeSeed<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        if self.rest.is_empty() {
            return de::Deserialize::deserialize(deserializer).map(Some);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Step<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    /// Go writes an object that is not there as `null`, too.
    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let (wanted, rest) = self.rest.split_once('.').unwrap_or((self.rest, ""));
        let (mut found, mut is_there) = (None, false);
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if key != wanted {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            if std::mem::replace(&mut is_there, true) {
                return Err(de::Error::custom(format_args!("duplicate field `{wanted}`")));
            }
            found = map.next_value_seed(Step { rest })?;
        }
        Ok(found)
    }
}
