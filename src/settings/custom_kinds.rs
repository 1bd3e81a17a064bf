//! The kinds of others as the configuration file describes them. What the list alone shows to be wrong is an error; whether
//! the cluster serves such a kind is not asked here.

use super::error::SettingsError;
use crate::api::kind::{Description, Kinds, Resource, entries};
use crate::api::mark::{is_dns_label, is_dns_subdomain};

/// One kind as it is written.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct CustomKind {
    group: String,
    version: String,
    resource: String,
    kind: String,
    #[serde(default = "spec_replicas")]
    replicas_path: String,
    #[serde(default = "one")]
    replicas_absent: u8,
    #[serde(default)]
    controller_user: Option<String>,
    #[serde(default)]
    owns_replica_sets: bool,
    #[serde(default)]
    template_path: Option<String>,
}

/// The table with these kinds in it.
///
/// # Errors
/// One of them cannot be, or cannot be beside another.
pub(super) fn table(list: Vec<CustomKind>) -> Result<Kinds, SettingsError> {
    if list.is_empty() {
        return Ok(Kinds::BUILT_IN);
    }
    if list.len() > KINDS_MAX {
        return Err(wrong("customKinds".to_owned(), format!("{} kinds: at most {KINDS_MAX}", list.len())));
    }
    for (index, kind) in list.iter().enumerate() {
        kind.check(index)?;
        let same = |other: &&CustomKind| {
            other.group == kind.group && (other.resource == kind.resource || other.kind == kind.kind)
        };
        if list.iter().take(index).any(|other| same(&other)) {
            let full = format!("{}.{}", kind.resource, kind.group);
            return Err(wrong(
                at(index, "resource"),
                format!("{full:?} is there twice, by its resource or its kind; leave one of them out"),
            ));
        }
    }
    let descriptions = list.into_iter().map(Description::from).collect();
    Ok(Kinds::with(entries(descriptions, Kinds::BUILT_IN.iter().count())))
}

impl CustomKind {
    fn check(&self, index: usize) -> Result<(), SettingsError> {
        let Self { group, version, resource, kind, replicas_path, controller_user, template_path, .. } = self;
        let parts = |path: &str| path.split('.').skip(1).all(is_field);
        let checks = [
            (
                "group",
                group,
                is_dns_subdomain(group) && group.len() <= 253,
                "the name of an API group, as in \"argoproj.io\"",
            ),
            ("version", version, is_dns_label(version), "a version, as in \"v1alpha1\""),
            ("resource", resource, is_dns_label(resource), "the plural name of a resource, as in \"rollouts\""),
            ("kind", kind, is_kind(kind), "a kind, as in \"Rollout\""),
            (
                "replicasPath",
                replicas_path,
                replicas_path.starts_with(".spec.") && parts(replicas_path),
                "a path below .spec, as in \".spec.replicas\"",
            ),
        ];
        for (field, value, is_right, what) in checks {
            if !is_right {
                return Err(wrong(at(index, field), format!("{value:?} is not {what}")));
            }
        }
        if group.len() + resource.len() > NAME_MAX {
            let problem = format!(
                "group and resource have more than {NAME_MAX} characters together, which is too long for the names of our objects"
            );
            return Err(wrong(at(index, "resource"), problem));
        }
        if let Some(path) = template_path.as_ref().filter(|path| *path != TEMPLATE_PATH) {
            return Err(wrong(at(index, "templatePath"), format!("{path:?} is not read: only {TEMPLATE_PATH:?} is")));
        }
        if let Some(user) = controller_user.as_ref().filter(|user| !is_user(user)) {
            return Err(wrong(
                at(index, "controllerUser"),
                format!(
                    "{user:?} is not the name of a user, as in \"system:serviceaccount:argo-rollouts:argo-rollouts\""
                ),
            ));
        }
        if Kinds::BUILT_IN.find(group, resource) != Resource::Unknown {
            return Err(wrong(
                at(index, "resource"),
                format!("\"{resource}.{group}\" is one of Kubernetes' own; leave it out"),
            ));
        }
        Ok(())
    }
}

impl From<CustomKind> for Description {
    fn from(kind: CustomKind) -> Self {
        Self {
            group: kind.group,
            version: kind.version,
            resource: kind.resource,
            kind: kind.kind,
            replicas_path: kind.replicas_path.trim_start_matches('.').to_owned(),
            replicas_absent: kind.replicas_absent.into(),
            controller_user: kind.controller_user,
            owns_replica_sets: kind.owns_replica_sets,
            has_template: kind.template_path.is_some(),
        }
    }
}

fn at(index: usize, field: &str) -> String {
    format!("customKinds[{index}].{field}")
}

fn wrong(field: String, problem: String) -> SettingsError {
    SettingsError { field, problem }
}

/// As a custom resource may call a field that a condition reads.
fn is_field(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric())
}

fn is_kind(name: &str) -> bool {
    name.len() <= KIND_MAX && name.starts_with(|c: char| c.is_ascii_uppercase()) && is_field(name)
}

/// It becomes part of a condition, between quotes.
fn is_user(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:@".contains(c))
}

fn spec_replicas() -> String {
    ".spec.replicas".to_owned()
}

const fn one() -> u8 {
    1
}

const TEMPLATE_PATH: &str = ".spec.template";
/// Each has a watch and webhook configurations of its own.
const KINDS_MAX: usize = 16;
/// Of the resource and its group, which the names of webhook configurations end with.
const NAME_MAX: usize = 48;
const KIND_MAX: usize = 63;
