//! Reading JSON no more freely than the API server's own library does, and no more of it than any real review has.
//!
//! A struct that serde derives would also be read from an array, field by field; Go refuses that.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A struct that is read from an object alone.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Object<T>, M::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// An object that must be there.
pub(crate) fn required_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Object::deserialize(deserializer)?.0)
}

/// An object, or `null` for one without anything in it.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(some_object(deserializer)?.unwrap_or_default())
}

/// An object, or `null` for none.
pub(crate) fn some_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|object| object.0))
}

/// Go writes an empty map or pointer as `null` where the field has no `omitempty`: the same as absent.
pub(crate) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A list that may be `null` and is short in every real review. A long one could be made only to fill our memory: a
/// few bytes of it become a whole value.
pub(crate) fn few<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    struct Few<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for Few<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_unit<E: de::Error>(self) -> Result<Vec<T>, E> {
            Ok(Vec::new())
        }

        fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Vec<T>, S::Error> {
            let mut list = Vec::with_capacity(USUAL);
            while let Some(item) = seq.next_element()? {
                if list.len() >= ENTRIES_MAX {
                    return Err(de::Error::custom(format_args!("a list of more than {ENTRIES_MAX} entries")));
                }
                list.push(item);
            }
            Ok(list)
        }
    }
    deserializer.deserialize_any(Few(PhantomData))
}

/// A short list of objects.
pub(crate) fn few_objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(few(deserializer)?.into_iter().map(|object: Object<T>| object.0).collect())
}

/// How many labels, owners or groups are read. Twice what the longest real list has, the groups of a user in a large
/// directory (a Windows token holds 1 015); few enough to be searched one by one.
pub(crate) const ENTRIES_MAX: usize = 2_048;
/// The groups of a ServiceAccount are three.
const USUAL: usize = 4;
