//! The stamp: the mark on the metadata of a marked Deployment's ReplicaSets, so that one that is orphaned stays guarded.
//! Never on a template, which would restart the singleton.
//!
//! It comes off again only when a GET shows that the owner exists with that uid and is not marked. The same GET decides
//! about the budget of a workload that was released. In doubt both stay.

use http::Method;
use kube::Client;
use serde_json::{Value, json};

use crate::api::kind::Kind;
use crate::api::mark::{MarkKey, TRUE};
use crate::api::reference::ObjectRef;
use crate::cluster::call::{APPLY, CallError, call, in_time};
use crate::cluster::line::Object;
use crate::cluster::list::Asked;
use crate::cluster::metadata;
use crate::cluster::seen::{Meta, Seen};
use crate::cluster::sieve::Keep;
use crate::companions::plan::{Owner, Workload, field_manager};
use crate::index::Key;
use crate::policy::lookup::Metadata;
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
    let mut behind = Vec::new();
    let labels = Keep::shorts([settings.mark.as_str()]);
    let info = Kind::REPLICA_SET.info();
    let asked = Asked {
        collection: info.within(&deployment.namespace),
        selector: deployment.selector.to_string().replace(' ', "%20"),
        metadata_only: true,
        keep: Keep::fields([("metadata", Meta::keep([Meta::keep_owners(), ("labels", labels)]))]),
    };
    let listed = asked.list(client, |object: Object<'_>| {
        if let Object::Read(Seen { metadata, .. }) = object
            && metadata.controller().ok().flatten().is_some_and(|owner| owner.uid == deployment.uid)
            && metadata.labels.get(settings.mark.as_str()).is_none()
        {
            behind.push((metadata.name.to_string(), metadata.uid.to_string()));
        }
    });
    in_time(listed).await??;
    let mut stamped = 0;
    for (name, uid) in behind {
        let labels = json!({settings.mark.as_str(): TRUE});
        match apply(client, settings, (&deployment.namespace, &name, &uid), &labels).await {
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
    let (namespace, name) = (key.namespace.as_str().into(), key.name.as_str().into());
    let object = ObjectRef { kind: key.of, namespace, name, uid: "".into() };
    let Some(body) = in_time(metadata::get(client, &object)).await?? else { return Ok(Standing::Other) };
    let metadata = Metadata::read(&body).map_err(|error| CallError::Trouble(error.to_string()))?;
    if metadata.marked(mark) {
        return Ok(Standing::Other);
    }
    let info = key.of.info();
    let (group, kind) = (info.group.to_owned(), info.name.to_owned());
    let uid = metadata.uid().to_owned();
    Ok(Standing::Released(Owner { group, kind, name: key.name.clone(), uid }))
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
