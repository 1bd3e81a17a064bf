//! The stamp: the mark on the metadata of a marked Deployment's ReplicaSets, so that one that is orphaned stays guarded.
//! Never on a template, which would restart the singleton.
//!
//! It comes off again only when a GET shows that the owner exists with that uid and is not marked. The same GET decides
//! about the budget of a workload that was released. In doubt both stay.

use http::Method;
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::{PartialObjectMeta, Selector};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};

use super::field_manager;
use super::index::Key;
use crate::cluster::call::{APPLY, CallError, call, in_time};
use crate::cluster::resource;
use crate::policy::companions::{Owner, Workload};
use crate::policy::mark::{MarkKey, SINGLETON};
use crate::settings::Settings;

/// What a GET says about a workload that is not among the marked ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It exists and carries no mark.
    Released(Owner),
    /// It is gone, or carries the mark (the watch is behind): nothing is to be done.
    Other,
}

/// Stamps all ReplicaSets of a Deployment that have no mark yet. Says how many.
///
/// # Errors
/// The list, or a write.
pub(super) async fn stamp(client: &Client, deployment: &Workload, settings: &Settings) -> Result<usize, CallError> {
    let mark = settings.mark.as_str();
    let api: Api<PartialObjectMeta<ReplicaSet>> = Api::namespaced(client.clone(), &deployment.namespace);
    let selector = serde_json::to_value(&deployment.selector)
        .and_then(serde_json::from_value::<LabelSelector>)
        .map_err(|error| CallError::Trouble(error.to_string()))?;
    let selector = Selector::try_from(selector).map_err(|error| CallError::Trouble(error.to_string()))?;
    let selected = ListParams::default().labels_from(&selector);
    let sets = in_time(api.list(&selected)).await??;
    let owned = |set: &&PartialObjectMeta<ReplicaSet>| {
        set.owner_references().iter().any(|owner| owner.controller == Some(true) && owner.uid == deployment.uid)
    };
    let mut stamped = 0;
    for set in sets.items.iter().filter(owned).filter(|set| !set.labels().contains_key(mark)) {
        let uid = set.uid().unwrap_or_default();
        let labels = json!({mark: SINGLETON});
        match apply(client, settings, (&deployment.namespace, &set.name_any(), &uid), &labels).await {
            Ok(()) => stamped += 1,
            // It is gone, or another by now.
            Err(CallError::NotFound | CallError::Changed(_) | CallError::FieldTaken(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(stamped)
}

/// Takes our stamp off a ReplicaSet; a mark that somebody else put there too stays.
///
/// # Errors
/// The write.
pub(super) async fn unstamp(client: &Client, set: &Workload, settings: &Settings) -> Result<(), CallError> {
    match apply(client, settings, (&set.namespace, &set.name, &set.uid), &json!({})).await {
        Err(CallError::NotFound | CallError::Changed(_) | CallError::FieldTaken(_)) => Ok(()),
        other => other,
    }
}

/// Looks at a workload itself: a quorum read of its metadata.
///
/// # Errors
/// The read.
pub(super) async fn standing(client: &Client, key: &Key, mark: &MarkKey) -> Result<Standing, CallError> {
    let info = key.kind().info();
    let api: Api<PartialObjectMeta<DynamicObject>> =
        Api::namespaced_with(client.clone(), &key.namespace, &resource(info));
    Ok(match in_time(api.get_opt(&key.name)).await?? {
        Some(object) if !object.labels().contains_key(mark.as_str()) => {
            let uid = object.uid().unwrap_or_default();
            Standing::Released(Owner { kind: info.name.to_owned(), name: key.name.clone(), uid })
        }
        _ => Standing::Other,
    })
}

async fn apply(
    client: &Client,
    settings: &Settings,
    (namespace, name, uid): (&str, &str, &str),
    labels: &Value,
) -> Result<(), CallError> {
    let manager = field_manager(&settings.companions.managed_by);
    let path = format!("/apis/apps/v1/namespaces/{namespace}/replicasets/{name}?fieldManager={manager}");
    let body = json!({
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "namespace": namespace, "uid": uid, "labels": labels},
    });
    call(client, Method::PATCH, &path, Some((APPLY, &body))).await.map(drop)
}
