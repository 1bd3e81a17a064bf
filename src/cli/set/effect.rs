//! The mark where it does nothing. The conditions are those of the policies that warn of it in the API server, and so are the
//! sentences ([`crate::chart::warnings`]). Pure.

use serde_json::Value;

use super::singleton::said;
use super::topic::Topic;
use crate::api::kind::Resource;
use crate::api::text::clip;
use crate::chart::warnings::WarningPolicy;
use crate::cli::finding::{At, Finding};
use crate::cli::manifest::Manifest;
use crate::settings::Settings;

/// What is said of this object, if the mark has no effect on it.
pub(super) fn of(
    at: &At<'_, '_>,
    manifest: &Manifest<'_, '_>,
    resource: Resource,
    object: Option<&Value>,
    settings: &Settings,
) -> Option<Finding> {
    let mark = settings.mark.as_str();
    let has = |path: &[&str]| manifest.node.at(path).is_some();
    // A ReplicationController without labels of its own has those of its template.
    let is_marked = has(&["metadata", "labels", mark])
        || object.and_then(|object| object.pointer("/metadata/labels")?.get(mark)).is_some();
    let in_template = ["spec", "template", "metadata", "labels", mark];
    let is_pod = resource == Resource::Pod;
    if is_controlled(manifest) && (is_pod || matches!(resource, Resource::Guarded(_))) {
        return None;
    }
    let (policy, field) = match resource {
        Resource::Guarded(_) if !is_marked && has(&in_template) => {
            (WarningPolicy::TemplateOnly, in_template_field(mark))
        }
        Resource::Pod | Resource::Unknown if is_marked => {
            (WarningPolicy::Unguarded, format!("metadata.labels[{mark}]"))
        }
        _ => return None,
    };
    if resource == Resource::Unknown && !has(&["spec", "replicas"]) && !has(&["spec", "template"]) {
        return None;
    }
    let says = policy.sentences().into_iter().find(|sentence| sentence.says.contains("Pod {name}") == is_pod)?.says;
    let subject = manifest.subject();
    let name = clip(&subject.name, NAME_MAX);
    let message = says.replace("{kind}", &subject.kind).replace("{name}", &name).replace("MARK", mark);
    let spot = at.spot(manifest.node.locate(&field));
    Some(said(Topic::MarkWithoutEffect, message, subject, &field, spot))
}

fn in_template_field(mark: &str) -> String {
    format!("spec.template.metadata.labels[{mark}]")
}

fn is_controlled(manifest: &Manifest<'_, '_>) -> bool {
    use crate::cli::yaml::Content;
    let owners = manifest.node.at(&["metadata", "ownerReferences"]);
    let Some(Content::List(owners)) = owners.map(|owners| &owners.content) else { return false };
    owners.iter().any(|owner| owner.get("controller").is_some_and(|it| it.content == Content::Bool(true)))
}

/// As in the policies.
const NAME_MAX: usize = 64;
