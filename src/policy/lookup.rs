//! The one question a decision may need to ask the cluster, and its possible answers. Data only: who answers it, and
//! how, is the shell's business.
//!
//! "Cannot find out" is an answer too ([`Unknown`]): what follows from it is decided in the policy, not where the
//! call failed.

use std::borrow::Cow;
use std::time::Duration;

use serde::de::Error as _;

use super::holder::Holder;
use crate::api::autoscaler::Autoscaler;
use crate::api::kind::Kinds;
use crate::api::mark::MarkKey;
use crate::api::metadata;
use crate::api::reference::{ObjectRef, PodRef, Regarding, WorkloadRef};

/// What has to be known before a request can be decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup<'a> {
    /// The parent of a Scale, which carries no labels itself, and the parent's Deployment if it is a ReplicaSet.
    Parent(Parent<'a>),
    /// The Deployments that control a ReplicaSet before and after the request. At least one is there.
    Owners {
        /// The Deployment that the old object names.
        before: Option<ObjectRef<'a>>,
        /// The Deployment that the new object names.
        after: Option<ObjectRef<'a>>,
    },
    /// The Pod that holds the name of a strict singleton.
    Holder(PodRef<'a>),
    /// The singleton that the target of an autoscaler is, or belongs to. It is looked up among what is known: nobody is
    /// asked.
    Target(WorkloadRef<'a>),
    /// An autoscaler that may ask for more than one replica of a workload that becomes marked. Nobody is asked here either.
    Autoscaler(WorkloadRef<'a>),
}

/// The workload that a Scale is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent<'a> {
    /// The reference to it.
    pub object: ObjectRef<'a>,
    /// The `resourceVersion` that the request found it at and its write replaces; empty if the review does not say.
    pub version: Cow<'a, str>,
}

/// What the cluster said, in the shape of the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The answer to [`Lookup::Parent`].
    Parent {
        /// Whether the parent carries the mark itself.
        marked: bool,
        /// Its Deployment, if it is a ReplicaSet that names one as its controller.
        owner: Option<Owner>,
        /// The custom resource that controls it, as a text for a message.
        custom: Option<String>,
    },
    /// The answer to [`Lookup::Owners`].
    Owners {
        /// What is known of the Deployment that the old object names.
        before: Option<Owner>,
        /// What is known of the Deployment that the new object names.
        after: Option<Owner>,
    },
    /// The answer to [`Lookup::Holder`]: the Pod, if there is one.
    Holder(Option<Holder>),
    /// The answer to [`Lookup::Target`]; nothing where none is known.
    Target(Option<Regarding>),
    /// The answer to [`Lookup::Autoscaler`]; nothing where none is known.
    Autoscaler(Option<Scaler>),
}

/// An autoscaler in the namespace of the question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaler {
    /// Its kind.
    pub autoscaler: Autoscaler,
    /// Its name.
    pub name: String,
    /// How many replicas it may ask for.
    pub most: i64,
}

/// A Deployment that a ReplicaSet names as its controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// It exists and is marked.
    Marked,
    /// It exists and is not marked.
    Unmarked,
    /// It does not exist, or only with another uid. Such an owner is no owner.
    Gone,
}

/// Why the cluster could not be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// No answer within the deadline.
    Slow(Duration),
    /// The connection failed.
    Unreachable(String),
    /// The API server answered with an error.
    Refused {
        /// HTTP status code.
        code: u16,
        /// The API server's words.
        message: String,
    },
    /// The object itself does not exist.
    NotFound,
    /// An object of that name exists, but it is another one.
    Replaced,
    /// The answer was not what was asked for.
    Unreadable(String),
    /// Too many look-ups are under way.
    Busy,
}

impl std::error::Error for Unknown {}

/// The metadata of one object, read from a `PartialObjectMetadata`.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default)]
pub struct Metadata<'a> {
    #[serde(borrow)]
    metadata: metadata::Metadata<'a>,
}

impl<'a> Metadata<'a> {
    /// Reads the body of a metadata-only GET.
    ///
    /// # Errors
    /// The body is not such an object.
    pub fn read(body: &'a [u8]) -> Result<Self, serde_json::Error> {
        // Checked once, as a whole, and not string by string.
        serde_json::from_str(simdutf8::compat::from_utf8(body).map_err(serde_json::Error::custom)?)
    }

    /// The object's uid.
    #[must_use]
    pub fn uid(&self) -> &str {
        &self.metadata.uid
    }

    /// Whether it carries the mark, whatever the value.
    #[must_use]
    pub fn marked(&self, key: &MarkKey) -> bool {
        self.metadata.labels.get(key.as_str()).is_some()
    }

    /// The custom resource that controls it, as a text for a message.
    #[must_use]
    pub fn custom_owner(&self) -> Option<String> {
        self.metadata.owner()
    }

    /// The workload that has made it and controls it: a Deployment.
    #[must_use]
    pub fn made_by(&self, namespace: &Cow<'a, str>, kinds: Kinds) -> Option<ObjectRef<'a>> {
        self.metadata.made_by(namespace, kinds)
    }
}
