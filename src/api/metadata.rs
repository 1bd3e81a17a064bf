//! The metadata of an object, as far as a decision reads it, and who controls it. Borrowed, like the rest of it.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::json::{few_objects, nullable};
use super::kind::{Kind, Kinds, Makes, group_of};
use super::labels::{Labels, ReadAnnotations};
use super::reference::ObjectRef;
use super::text::clip;

/// `ObjectMeta`, as far as we read it.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Metadata<'a> {
    /// Name; empty in the mutating phase of a CREATE with `generateName`.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Uid; empty in the mutating phase of a CREATE.
    #[serde(borrow)]
    pub uid: Cow<'a, str>,
    /// Counts the changes of the spec, and the deletion. Compared as it was written.
    #[serde(borrow)]
    pub generation: Option<&'a RawValue>,
    /// The version that this is; empty at a CREATE. A Scale has its workload's.
    #[serde(borrow)]
    pub resource_version: Cow<'a, str>,
    /// Labels.
    #[serde(borrow, deserialize_with = "nullable")]
    pub labels: Labels<'a>,
    /// The annotations that are read; all others are skipped.
    #[serde(borrow, deserialize_with = "nullable")]
    pub annotations: ReadAnnotations<'a>,
    /// Owner references.
    #[serde(borrow, deserialize_with = "few_objects")]
    pub owner_references: Vec<OwnerReference<'a>>,
    /// When deletion was asked for. Only whether it is there matters.
    #[serde(borrow)]
    pub deletion_timestamp: Option<&'a RawValue>,
}

/// `OwnerReference` of `metav1`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct OwnerReference<'a> {
    /// Group and version of the owner.
    #[serde(borrow)]
    pub api_version: Cow<'a, str>,
    /// Kind of the owner.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    /// Name of the owner.
    #[serde(borrow)]
    pub name: Cow<'a, str>,
    /// Uid of the owner.
    #[serde(borrow)]
    pub uid: Cow<'a, str>,
    /// Whether this owner is the managing controller; the API server admits one such owner.
    pub controller: Option<bool>,
}

impl OwnerReference<'_> {
    /// Whether it is the managing controller: an object has at most one.
    #[must_use]
    pub fn is_controller(&self) -> bool {
        self.controller == Some(true)
    }

    /// The kind of the workload that makes ReplicaSets, if it is one: a Deployment, in any version.
    #[must_use]
    pub fn maker(&self, kinds: Kinds) -> Option<Kind> {
        let makes = |kind: &Kind| kind.info().makes == Makes::ReplicaSets;
        kinds.iter().filter(makes).find(|kind| kind.info().is(&self.api_version, &self.kind))
    }

    /// Kind and name as a text for a message, if it is a custom resource: of none of the groups whose kinds we judge.
    #[must_use]
    pub fn custom(&self) -> Option<String> {
        let (group, known) = (group_of(&self.api_version), Kinds::BUILT_IN);
        let is_custom = known.that(|kind| kind.group == group).next().is_none()
            && known.unmarkable().iter().all(|kind| kind.group != group);
        is_custom.then(|| format!("{} {}", clip(&self.kind, OWNER_KIND_MAX), clip(&self.name, OWNER_NAME_MAX)))
    }
}

impl<'a> Metadata<'a> {
    /// The managing controller.
    #[must_use]
    pub fn controller(&self) -> Option<&OwnerReference<'a>> {
        self.owner_references.iter().find(|owner| owner.is_controller())
    }

    /// Kind and name of the custom resource that controls this object, as a text for a message.
    #[must_use]
    pub fn owner(&self) -> Option<String> {
        self.controller().and_then(OwnerReference::custom)
    }

    /// The kind of the workload that has made it, if it is a ReplicaSet that one controls.
    #[must_use]
    pub fn maker(&self, kinds: Kinds) -> Option<Kind> {
        self.controller()?.maker(kinds)
    }

    /// The workload that has made it, a Deployment, in the object's own namespace: an owner always lives there.
    #[must_use]
    pub fn made_by(&self, namespace: &Cow<'a, str>, kinds: Kinds) -> Option<ObjectRef<'a>> {
        let owner = self.controller()?;
        Some(ObjectRef {
            kind: owner.maker(kinds)?,
            namespace: namespace.clone(),
            name: owner.name.clone(),
            uid: owner.uid.clone(),
        })
    }
}

// With the words that name it (`Denial::remedy`) a remedy has at most 120 characters.
const OWNER_KIND_MAX: usize = 32;
const OWNER_NAME_MAX: usize = 48;
