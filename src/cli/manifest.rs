//! The objects of a document: one, those of a List, or none where it is no manifest. Pure.

use std::borrow::Cow;

use super::finding::Subject;
use super::yaml::{Content, Fault, Key, Node};
use crate::api::autoscaler::AUTOSCALERS;
use crate::api::kind::{Kinds, Resource};
use crate::api::text::clip;

/// An object as it is written.
#[derive(Debug)]
pub struct Manifest<'n, 'a> {
    /// What is written.
    pub node: &'n Node<'a>,
    /// Its API group; empty for the core group.
    pub group: String,
    /// Its API version without the group.
    pub version: String,
    /// Its kind.
    pub kind: Cow<'n, str>,
    /// The namespace that it says, or the one that is assumed.
    pub namespace: Cow<'n, str>,
    /// Its name; how it begins where it is generated.
    pub name: Cow<'n, str>,
}

/// Hands on each object. What has no kind is no manifest, and passes without a word.
pub fn objects<'n, 'a>(root: &'n Node<'a>, namespace: &'n str, each: &mut impl FnMut(Result<Manifest<'n, 'a>, Fault>)) {
    let (Some(kind), api_version) = (root.text(&["kind"]), root.text(&["apiVersion"])) else { return };
    one(root, kind.into(), api_version.unwrap_or_default(), namespace, each);
}

fn one<'n, 'a>(
    node: &'n Node<'a>,
    kind: Cow<'n, str>,
    api_version: &'n str,
    namespace: &'n str,
    each: &mut impl FnMut(Result<Manifest<'n, 'a>, Fault>),
) {
    if let (Some(of), Some(Content::List(items))) = (kind.strip_suffix("List"), node.get("items").map(|it| &it.content))
    {
        for item in items {
            // In a list of one kind the items need not say it again.
            let kind = item.text(&["kind"]).map_or_else(|| Cow::Owned(of.to_owned()), Cow::Borrowed);
            one(item, kind, item.text(&["apiVersion"]).unwrap_or(api_version), namespace, each);
        }
        return;
    }
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let manifest = Manifest {
        node,
        group: group.to_owned(),
        version: version.to_owned(),
        namespace: node.text(&["metadata", "namespace"]).filter(|it| !it.is_empty()).unwrap_or(namespace).into(),
        name: node
            .text(&["metadata", "name"])
            .filter(|name| !name.is_empty())
            .or_else(|| node.text(&["metadata", "generateName"]))
            .unwrap_or_default()
            .into(),
        kind,
    };
    let is_ours = KINDS.iter().any(|kind| kind.info().name == manifest.kind);
    if is_ours && api_version.is_empty() {
        let problem =
            format!("apiVersion is missing: a {} has one, and the API server takes no object without", manifest.kind);
        return each(Err(Fault { place: node.place, problem }));
    }
    each(Ok(manifest));
}

impl Manifest<'_, '_> {
    /// The object, to be named.
    #[must_use]
    pub fn subject(&self) -> Subject {
        let [kind, namespace, name] = [&self.kind, &self.namespace, &self.name].map(|text| clip(text, WORD_MAX));
        Subject { kind, namespace, name }
    }

    /// What it is to the guard.
    #[must_use]
    pub fn resource(&self) -> Resource {
        let (group, name) = (self.group.as_str(), self.kind.as_ref());
        let unmarkable = || KINDS.unmarkable().iter().find(|kind| (kind.group, kind.name) == (group, name));
        let autoscaler = || AUTOSCALERS.into_iter().find(|kind| (kind.info().group, kind.info().name) == (group, name));
        KINDS
            .named(group, name)
            .map(Resource::Guarded)
            .or_else(|| unmarkable().map(Resource::Unmarkable))
            .or_else(|| autoscaler().map(Resource::Autoscaler))
            .unwrap_or(if (group, name) == ("", "Pod") { Resource::Pod } else { Resource::Unknown })
    }

    /// A label or an annotation that is no string, which the API server does not take.
    #[must_use]
    pub fn ill_typed(&self, mark: &str) -> Option<Fault> {
        let of_template =
            matches!(self.resource(), Resource::Guarded(_)).then_some(["spec", "template", "metadata"].as_slice());
        [Some(["metadata"].as_slice()), of_template].into_iter().flatten().find_map(|path| {
            let metadata = self.node.at(path)?;
            ["labels", "annotations"].into_iter().find_map(|map| self.ill_typed_in(metadata.get(map)?, mark))
        })
    }

    fn ill_typed_in(&self, map: &Node<'_>, mark: &str) -> Option<Fault> {
        let Content::Map(entries) = &map.content else { return None };
        let judged = self.resource() != Resource::Unknown;
        let is_wrong = |content: &Content<'_>| !matches!(content, Content::Text(_) | Content::Null);
        let wrong = |(key, value): &&(Key<'_>, Node<'_>)| (judged || key.text == mark) && is_wrong(&value.content);
        let (key, value) = entries.iter().find(wrong)?;
        let (is, instead) = match &value.content {
            Content::Bool(true) if key.text == mark => ("a boolean", "write enabled, or \"true\" in quotes"),
            Content::Bool(_) => ("a boolean", "write it in quotes"),
            Content::Number(_) => ("a number", "write it in quotes"),
            _ => ("no single value", "write one string"),
        };
        let problem = format!("the value of {} is {is}, and must be a string: {instead}", key.text);
        Some(Fault { place: value.place, problem })
    }
}

/// The kinds that are known without a cluster.
pub const KINDS: Kinds = Kinds::BUILT_IN;
/// The longest name that the API server takes.
const WORD_MAX: usize = 253;
