//! Objects as the watches read them: only the fields that somebody asked for, out of the [`sieve`](super::sieve). Pure.
//!
//! Times stay text until somebody needs them, and of managed fields no more is read than who wrote when, and whether a few
//! fields that somebody asks for are among them. So there is nothing in an object that the API server stores and that could
//! not be read, but what is beyond a bound.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::sieve::Keep;
use crate::api::json::nullable;
use crate::api::labels::Labels;
use crate::api::metadata::OwnerReference;

/// An object with `spec` and `status` as far as `S` and `T` name fields.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, bound(deserialize = "S: Deserialize<'de> + Default, T: Deserialize<'de> + Default"))]
pub struct Seen<'a, S = Nothing, T = Nothing> {
    /// What every object has.
    #[serde(borrow)]
    pub metadata: Meta<'a>,
    /// The desired state.
    pub spec: S,
    /// The observed state.
    pub status: T,
}

/// Nothing is read.
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub struct Nothing {}

/// `ObjectMeta`, as far as it was asked for; what was not is empty.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Meta<'a> {
    /// The namespace.
    #[serde(borrow)]
    pub namespace: Cow<'a, str>,
    /// The name.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// The uid.
    #[serde(borrow)]
    pub uid: Cow<'a, str>,
    /// The version that this is.
    #[serde(borrow)]
    pub resource_version: Cow<'a, str>,
    /// The labels that were asked for.
    #[serde(borrow, deserialize_with = "nullable")]
    pub labels: Labels<'a>,
    /// The annotations that were asked for.
    #[serde(borrow, deserialize_with = "nullable")]
    pub annotations: Labels<'a>,
    /// Owner references.
    #[serde(borrow, deserialize_with = "nullable")]
    pub owner_references: Bounded<Vec<OwnerReference<'a>>>,
    /// When deletion was asked for, or when it is due (RFC 3339).
    #[serde(borrow)]
    pub deletion_timestamp: Option<Cow<'a, str>>,
    /// How many seconds it was given to end.
    pub deletion_grace_period_seconds: Option<i64>,
    /// Only how many there are.
    #[serde(deserialize_with = "nullable")]
    pub finalizers: Bounded<Vec<IgnoredAny>>,
    /// Who has written fields.
    #[serde(borrow, deserialize_with = "nullable")]
    pub managed_fields: Bounded<Vec<Manager<'a>>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Head<'a> {
    #[serde(borrow)]
    metadata: Called<'a>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Called<'a> {
    #[serde(borrow)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    resource_version: Cow<'a, str>,
}

/// An entry of `managedFields`.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct Manager<'a> {
    /// The field manager's name.
    #[serde(borrow)]
    pub manager: Cow<'a, str>,
    /// The subresource that it wrote through.
    #[serde(borrow)]
    pub subresource: Cow<'a, str>,
    /// When it did.
    #[serde(borrow)]
    pub time: Cow<'a, str>,
    /// Which fields, of those that were asked for.
    #[serde(rename = "fieldsV1", deserialize_with = "nullable")]
    pub fields: Written,
}

/// The fields that a manager has written, of those that were asked for: `FieldsV1`, in which each is an object of its own.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct Written {
    #[serde(rename = "f:spec")]
    spec: bool,
    #[serde(rename = "f:metadata", deserialize_with = "nullable")]
    metadata: WrittenMeta,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
struct WrittenMeta {
    #[serde(rename = "f:labels", deserialize_with = "nullable")]
    labels: BTreeMap<String, bool>,
    #[serde(rename = "f:annotations", deserialize_with = "nullable")]
    annotations: BTreeMap<String, bool>,
}

/// Something that is read as far as a bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bounded<T> {
    /// It is this.
    Within(T),
    /// It is larger than the bound, and may be anything.
    Beyond,
}

impl<'a> Meta<'a> {
    /// Namespace, name, uid and version, and these fields beside them.
    #[must_use]
    pub fn keep(more: impl IntoIterator<Item = (&'static str, Keep)>) -> Keep {
        let head = ["namespace", "name", "uid", "resourceVersion"].map(|field| (field, Keep::short()));
        Keep::fields(head.into_iter().chain(more))
    }

    /// The owners, so that the controller is found among them.
    #[must_use]
    pub fn keep_owners() -> (&'static str, Keep) {
        let owner = Keep::shorts(["apiVersion", "kind", "name", "uid", "controller"]);
        ("ownerReferences", Keep::items(owner, LIST_BYTES))
    }

    /// Who has written to it when, and whether the spec, these labels or these annotations.
    #[must_use]
    pub fn keep_managers(labels: &[&str], annotations: &[&str]) -> (&'static str, Keep) {
        let named = |keys: &[&str]| Keep::presences(keys.iter().map(|key| format!("f:{key}")));
        let metadata = Keep::fields([("f:labels", named(labels)), ("f:annotations", named(annotations))]);
        let fields = Keep::fields([("f:spec", Keep::presence()), ("f:metadata", metadata)]);
        let manager = Keep::shorts(["manager", "subresource", "time"]).and([("fieldsV1", fields)]);
        ("managedFields", Keep::items(manager, LIST_BYTES))
    }

    /// Of an object whose other metadata cannot be read, what it is called.
    #[must_use]
    pub fn head(object: &'a [u8]) -> Self {
        let read = serde_json::from_slice::<Head<'a>>(object).unwrap_or_default();
        let Called { namespace, name, resource_version } = read.metadata;
        Self { namespace, name, resource_version, ..Self::default() }
    }

    /// The custom resource that controls it, as a text for a message, where that is known.
    pub fn owner(&self) -> Option<String> {
        self.controller().ok().flatten().and_then(OwnerReference::custom)
    }

    /// The managing controller; `Err` if there are too many owners to know.
    ///
    /// # Errors
    /// The words for it.
    pub fn controller(&self) -> Result<Option<&OwnerReference<'a>>, &'static str> {
        match &self.owner_references {
            Bounded::Within(owners) => Ok(owners.iter().find(|owner| owner.is_controller())),
            Bounded::Beyond => Err("metadata.ownerReferences is larger than is read"),
        }
    }
}

impl Written {
    /// Whether it is any of them.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.spec || !self.metadata.labels.is_empty() || !self.metadata.annotations.is_empty()
    }
}

impl<T> Bounded<T> {
    /// The same, borrowed.
    pub const fn as_ref(&self) -> Bounded<&T> {
        match self {
            Self::Within(value) => Bounded::Within(value),
            Self::Beyond => Bounded::Beyond,
        }
    }

    /// What it is, if that is known.
    pub fn within(self) -> Option<T> {
        match self {
            Self::Within(value) => Some(value),
            Self::Beyond => None,
        }
    }
}

impl<T: Default> Default for Bounded<T> {
    fn default() -> Self {
        Self::Within(T::default())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Bounded<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = Bounded<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object or a list")
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Bounded::Within)
            }

            fn visit_seq<S: de::SeqAccess<'de>>(self, seq: S) -> Result<Self::Value, S::Error> {
                T::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(Bounded::Within)
            }

            /// [`super::sieve::BEYOND`], or a text where none belongs.
            fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
                Ok(Bounded::Beyond)
            }
        }
        deserializer.deserialize_any(Either(PhantomData))
    }
}

/// Bytes of a selector or of labels that are kept: [`TERMS_MAX`] terms, each a key of 317 characters, a value of 63, and what
/// JSON puts around them (apimachinery, `pkg/util/validation`).
pub const TERMS_BYTES: usize = TERMS_MAX * 400;
/// Terms of a selector, or labels, that are kept.
pub const TERMS_MAX: usize = 64;
/// A thousand ports with the longest names.
pub const PORTS_BYTES: usize = 128 << 10;
/// Owner references: an object has one or two. So for the names of its managers and of its finalizers.
pub const LIST_BYTES: usize = 16 << 10;
