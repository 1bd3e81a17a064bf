//! Deployments of one replica that share a volume with their own successor during a rollout. Advice only. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::singleton::{at_pointer, beside, said};
use super::topic::Topic;
use crate::api::int_or_string::IntOrString;
use crate::api::kind::{Resource, Rollout};
use crate::cli::finding::{At, Finding, Spot, Subject};
use crate::cli::manifest::Manifest;
use crate::cli::yaml::Node;
use crate::settings::Settings;

/// What is remembered for it.
#[derive(Debug, Default)]
pub(super) struct Storage {
    /// Claims that one node, or one Pod, can mount, by namespace and name.
    claims: BTreeMap<(String, String), (Subject, Spot)>,
    /// Unmarked Deployments of one replica whose rollout surges, with the claims that they mount.
    writers: Vec<(Subject, Spot, Vec<String>)>,
}

impl Storage {
    pub(super) fn add(
        &mut self,
        at: &At<'_, '_>,
        manifest: &Manifest<'_, '_>,
        resource: Resource,
        object: Option<&Value>,
        settings: &Settings,
    ) {
        if manifest.kind == "PersistentVolumeClaim" && manifest.group.is_empty() {
            self.add_claim(at, manifest);
        }
        let Some(object) = object.filter(|_| rolls(resource)) else { return };
        let is_marked = at_pointer(object, "/metadata/labels").get(settings.mark.as_str()).is_some();
        let is_rolled = at_pointer(object, "/spec/strategy/type") == "RollingUpdate";
        let surges = is_rolled && surges(at_pointer(object, "/spec/strategy/rollingUpdate/maxSurge"));
        if is_marked || !surges || at_pointer(object, "/spec/replicas") != 1 {
            return;
        }
        let volumes = object.pointer("/spec/template/spec/volumes").and_then(Value::as_array);
        let mounted = |volume: &Value| Some(volume.pointer("/persistentVolumeClaim/claimName")?.as_str()?.to_owned());
        let claims: Vec<_> = volumes.into_iter().flatten().filter_map(mounted).collect();
        if !claims.is_empty() {
            self.writers.push((manifest.subject(), at.spot(manifest.node.locate("spec.strategy")), claims));
        }
    }

    fn add_claim(&mut self, at: &At<'_, '_>, manifest: &Manifest<'_, '_>) {
        let modes = manifest.node.at(&["spec", "accessModes"]).map(Node::json).unwrap_or_default();
        let modes = modes.as_array().map(Vec::as_slice).unwrap_or_default();
        if !modes.is_empty() && modes.iter().all(|mode| mode == "ReadWriteOnce" || mode == "ReadWriteOncePod") {
            let (subject, spot) = (manifest.subject(), at.spot(manifest.node.locate("spec.accessModes")));
            self.claims.insert((subject.namespace.clone(), subject.name.clone()), (subject, spot));
        }
    }

    pub(super) fn findings(&self) -> Vec<Finding> {
        let each = self.writers.iter().filter_map(|(subject, spot, claims)| {
            let mut found =
                claims.iter().filter_map(|claim| self.claims.get(&(subject.namespace.clone(), claim.clone())));
            let (claim, claimed) = found.next()?;
            let message = format!(
                "{subject} has one replica and mounts {}, and its rollout starts a second Pod beside the first",
                claim.name
            );
            let finding = said(Topic::UnmarkedWriter, message, subject.clone(), "spec.strategy", spot.clone());
            Some(Finding { other: Some(beside(claim, claimed)), ..finding })
        });
        each.collect()
    }
}

/// As the rule SG002 reads `maxSurge`.
fn surges(max_surge: &Value) -> bool {
    let json = max_surge.to_string();
    serde_json::from_str::<IntOrString<'_>>(&json).is_ok_and(|bound| bound.surges())
}

/// Whether its rollout may run a second Pod.
fn rolls(resource: Resource) -> bool {
    matches!(resource, Resource::Guarded(kind) if kind.info().rollout == Some(Rollout::Strategy))
}
