//! References to one object, as they are asked for, and spoken of.

use std::borrow::Cow;

use super::kind::Kind;

/// One object by name, and the incarnation of it that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef<'a> {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: Cow<'a, str>,
    /// Its name.
    pub name: Cow<'a, str>,
    /// Its uid: an object of the same name with another uid is another object.
    pub uid: Cow<'a, str>,
}

/// One Pod, whichever has the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodRef<'a> {
    /// Its namespace.
    pub namespace: Cow<'a, str>,
    /// Its name.
    pub name: Cow<'a, str>,
}

/// One workload, whichever has the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadRef<'a> {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: Cow<'a, str>,
    /// Its name.
    pub name: Cow<'a, str>,
}

/// The object that a refusal or an Event is about, as `StatusDetails` of `metav1` and an Event name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Regarding {
    /// API group; empty for the core group.
    pub group: &'static str,
    /// API version.
    pub version: &'static str,
    /// Kind; for a Scale that of its parent.
    pub kind: &'static str,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// Uid: `kubectl describe` finds the Event by it. Empty where the API server has not given one yet.
    pub uid: String,
}

impl Regarding {
    /// A workload.
    #[must_use]
    pub fn workload(kind: Kind, namespace: &str, name: &str, uid: &str) -> Self {
        let info = kind.info();
        let [namespace, name, uid] = [namespace, name, uid].map(str::to_owned);
        Self { group: info.group, version: info.version, kind: info.name, namespace, name, uid }
    }

    /// `namespace/name`.
    pub(crate) fn path(&self) -> String {
        let name = if self.name.is_empty() { "(name to be generated)" } else { &self.name };
        format!("{}/{name}", self.namespace)
    }

    /// The kind and [`Self::path`].
    pub(crate) fn id(&self) -> String {
        format!("{} {}", self.kind, self.path())
    }
}
