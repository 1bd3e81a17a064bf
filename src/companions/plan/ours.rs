//! How what we make is known as ours, by the label, the owner and the field manager.

use serde_json::{Value, json};

use super::existing::Existing;
use super::workload::Workload;
use crate::settings::Companions;

/// The metadata that we demand of a companion. No `blockOwnerDeletion`: it needs a right on the owner's finalizers
/// (admission plugin `OwnerReferencesPermissionEnforcement`), and nobody has to wait for a Service.
pub(super) fn metadata<S>(
    workload: &Workload,
    name: &str,
    defaults: &Companions,
    existing: Option<&Existing<S>>,
) -> Value {
    let info = workload.kind.info();
    let mut metadata = json!({
        "name": name,
        "namespace": workload.namespace,
        "labels": {MANAGER_LABEL: defaults.managed_by},
        "ownerReferences": [{
            "apiVersion": info.api_version(),
            "kind": info.name,
            "name": workload.name,
            "uid": workload.uid,
            "controller": true,
        }],
    });
    if let Value::Object(metadata) = &mut metadata {
        let revision = existing.map_or(NO_REVISION, |existing| &existing.resource_version);
        metadata.insert("resourceVersion".to_owned(), json!(revision));
        metadata.extend(existing.map(|existing| ("uid".to_owned(), json!(existing.uid))));
    }
    metadata
}

/// The field manager of every write for companions: one for all replicas, another one for a guard with another mark.
#[must_use]
pub fn field_manager(managed_by: &str) -> String {
    format!("{managed_by}-companions")
}

/// The label by which we know our own (Kubernetes, "Recommended Labels").
pub const MANAGER_LABEL: &str = "app.kubernetes.io/managed-by";
/// A revision that no object has: an apply with it creates, and conflicts with whatever is there.
const NO_REVISION: &str = "1";
