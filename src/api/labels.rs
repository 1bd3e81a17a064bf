//! Labels and annotations, borrowed from where they were read.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::annotation::{Annotations, DISRUPTION, DISRUPTION_ALLOWED_UNTIL, HEADLESS_SERVICE, PUBLISH_NOT_READY};
use super::json::ENTRIES_MAX;

/// Labels, in the order they came. A key that comes twice is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// The annotations that say what companions a workload wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OurAnnotations<'a>(pub Annotations<Cow<'a, str>>);

impl Labels<'_> {
    /// The value of a label.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_ref())
    }

    /// The keys, in the order they came.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(key, _)| key.as_ref())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Labels<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Pairs<'a> {
            type Value = Labels<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of strings")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Labels<'a>, M::Error> {
                let mut labels = Labels::default();
                while let Some((Text(key), Text(value))) = map.next_entry()? {
                    if labels.get(&key).is_some() {
                        return Err(de::Error::custom(format_args!("duplicate label `{key}`")));
                    }
                    if labels.0.len() >= ENTRIES_MAX {
                        return Err(de::Error::custom(format_args!("more than {ENTRIES_MAX} labels")));
                    }
                    labels.0.push((key, value));
                }
                Ok(labels)
            }
        }
        deserializer.deserialize_map(Pairs(PhantomData))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for OurAnnotations<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ours<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Ours<'a> {
            type Value = OurAnnotations<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of strings")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<OurAnnotations<'a>, M::Error> {
                let mut ours = OurAnnotations::default();
                while let Some(Text(key)) = map.next_key()? {
                    let place = match key.as_ref() {
                        HEADLESS_SERVICE => &mut ours.0.headless_service,
                        PUBLISH_NOT_READY => &mut ours.0.publish_not_ready,
                        DISRUPTION => &mut ours.0.disruption,
                        DISRUPTION_ALLOWED_UNTIL => &mut ours.0.disruption_allowed_until,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            continue;
                        }
                    };
                    let Text(value) = map.next_value()?;
                    if place.replace(value).is_some() {
                        return Err(de::Error::custom(format_args!("duplicate annotation `{key}`")));
                    }
                }
                Ok(ours)
            }
        }
        deserializer.deserialize_map(Ours(PhantomData))
    }
}

/// A string that borrows where it can: a plain `Cow<str>` as a map's key or value is always copied.
#[derive(serde::Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);
