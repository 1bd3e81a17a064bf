//! Labels and annotations, borrowed from where they were read.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::annotation::{Annotations, DISRUPTION, DISRUPTION_ALLOWED_UNTIL, HEADLESS_SERVICE, PUBLISH_NOT_READY};
use super::autoscaler::PAUSED_REPLICAS;
use super::json::ENTRIES_MAX;

/// Labels, in the order they came. A key that comes twice is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Labels<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// The annotations that a decision reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadAnnotations<'a> {
    /// What companions a workload wants.
    pub ours: Annotations<Cow<'a, str>>,
    /// ScaledObject: how many replicas its target has while it is paused.
    pub paused_replicas: Option<Cow<'a, str>>,
}

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

impl<'de: 'a, 'a> Deserialize<'de> for ReadAnnotations<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Read<'a> {
            type Value = ReadAnnotations<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of strings")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<ReadAnnotations<'a>, M::Error> {
                let mut read = ReadAnnotations::default();
                while let Some(Text(key)) = map.next_key()? {
                    let place = match key.as_ref() {
                        HEADLESS_SERVICE => &mut read.ours.headless_service,
                        PUBLISH_NOT_READY => &mut read.ours.publish_not_ready,
                        DISRUPTION => &mut read.ours.disruption,
                        DISRUPTION_ALLOWED_UNTIL => &mut read.ours.disruption_allowed_until,
                        PAUSED_REPLICAS => &mut read.paused_replicas,
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
                Ok(read)
            }
        }
        deserializer.deserialize_map(Read(PhantomData))
    }
}

/// A string that borrows where it can: a plain `Cow<str>` as a map's key or value is always copied.
#[derive(serde::Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);
