//! An admission request: what somebody wants to do, as `AdmissionRequest` of `admission.k8s.io/v1` says it.

use std::borrow::Cow;

use crate::api::kind::Resource;
use crate::api::object::Object;

/// Which of the two admission phases asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `/mutate`: the object may be completed, nothing is refused.
    Mutate,
    /// `/validate`: the object is final, it is allowed or refused.
    Validate,
}

/// The request's verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The object is new, also by PUT or server-side apply to a name that is free.
    Create,
    /// The object exists.
    Update,
    /// DELETE or CONNECT: no rule speaks about them.
    Other,
}

/// The part of the object that the request addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subresource {
    /// The object itself.
    Main,
    /// `/scale`: the objects are `autoscaling/v1` Scales, without the labels of their parent.
    Scale,
    /// `/status`.
    Status,
    /// Any other. It is judged as the object itself: what we do not know must not become a way around a rule.
    Other,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// The verb.
    pub operation: Operation,
    /// What kind of object it is about.
    pub resource: Resource,
    /// Which part of it.
    pub subresource: Subresource,
    /// Namespace of the object.
    pub namespace: Cow<'a, str>,
    /// Name of the object; empty in the mutating phase of a CREATE with `generateName`.
    pub name: Cow<'a, str>,
    /// Name of the user who asks.
    pub user: Cow<'a, str>,
    /// Groups of that user.
    pub groups: Vec<Cow<'a, str>>,
    /// Whether nothing will be stored.
    pub dry_run: bool,
    /// The object as it will be; absent for DELETE.
    pub object: Option<Box<Object<'a>>>,
    /// The object as it is; absent for CREATE.
    pub old_object: Option<Box<Object<'a>>>,
}

impl Subresource {
    /// How the API server names it.
    #[must_use]
    pub fn parse(name: &str) -> Self {
        match name {
            "" => Self::Main,
            "scale" => Self::Scale,
            "status" => Self::Status,
            _ => Self::Other,
        }
    }
}

impl Request<'_> {
    /// `statefulsets`, `statefulsets/scale` and so on, from a bounded set: fit for a metric's label.
    #[must_use]
    pub const fn resource(&self) -> &'static str {
        match (self.resource, self.subresource) {
            (Resource::Guarded(kind), Subresource::Scale) => kind.info().metrics.scale,
            (Resource::Guarded(kind), Subresource::Status) => kind.info().metrics.status,
            (resource, Subresource::Main) => resource.metric_name(),
            _ => "other",
        }
    }

    /// `CREATE`, `UPDATE` or `OTHER`.
    #[must_use]
    pub const fn operation(&self) -> &'static str {
        match self.operation {
            Operation::Create => "CREATE",
            Operation::Update => "UPDATE",
            Operation::Other => "OTHER",
        }
    }
}
