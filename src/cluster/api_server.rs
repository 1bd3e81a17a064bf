//! Answers look-ups with quorum GETs: of the metadata of the parent, and of its controller owner when it is a
//! ReplicaSet; and of the Pod that holds a name.

use std::future::Future;
use std::time::SystemTime;

use axum::body::Bytes;
use kube::Client;
use tokio::time::{Instant, timeout_at};

use super::gate::Gate;
use super::metadata;
use crate::api::kind::{Kinds, Makes};
use crate::api::mark::MarkKey;
use crate::api::reference::{ObjectRef, PodRef};
use crate::policy::holder::Holder;
use crate::policy::lookup::{Found, Lookup, Metadata, Owner, Unknown};

/// Something that can say what a look-up asks.
pub trait Cluster: Send + Sync + 'static {
    /// Answers before the deadline, in the shape of the question. `mark` is the label key to look for.
    fn answer(
        &self,
        lookup: &Lookup<'_>,
        mark: &MarkKey,
        deadline: Instant,
    ) -> impl Future<Output = Result<Found, Unknown>> + Send;
}

/// The API server as the one who knows.
pub struct ApiServer {
    client: Client,
    gate: Gate,
    kinds: Kinds,
}

impl ApiServer {
    /// Asks through this client, which must not repeat requests of its own accord, about these kinds.
    #[must_use]
    pub const fn new(client: Client, gate: Gate, kinds: Kinds) -> Self {
        Self { client, gate, kinds }
    }

    async fn parent(&self, parent: &ObjectRef<'_>, mark: &MarkKey) -> Result<Found, Unknown> {
        let body = metadata::get(&self.client, parent).await?.ok_or(Unknown::NotFound)?;
        let metadata = read(&body)?;
        if metadata.uid() != parent.uid {
            return Err(Unknown::Replaced);
        }
        let owner = match metadata.made_by(&parent.namespace, self.kinds) {
            Some(owner) if parent.kind.info().makes == Makes::PodsForOwner => Some(self.owner(&owner, mark).await?),
            _ => None,
        };
        Ok(Found::Parent { marked: metadata.marked(mark), owner, custom: metadata.custom_owner() })
    }

    async fn owners(
        &self,
        before: Option<&ObjectRef<'_>>,
        after: Option<&ObjectRef<'_>>,
        mark: &MarkKey,
    ) -> Result<Found, Unknown> {
        if before == after {
            let owner = self.optional(before, mark).await?;
            return Ok(Found::Owners { before: owner, after: owner });
        }
        let (before, after) = tokio::try_join!(self.optional(before, mark), self.optional(after, mark))?;
        Ok(Found::Owners { before, after })
    }

    async fn optional(&self, owner: Option<&ObjectRef<'_>>, mark: &MarkKey) -> Result<Option<Owner>, Unknown> {
        match owner {
            Some(owner) => self.owner(owner, mark).await.map(Some),
            None => Ok(None),
        }
    }

    async fn holder(&self, pod: &PodRef<'_>) -> Result<Found, Unknown> {
        let body = metadata::pod(&self.client, pod).await?;
        let holder = body.map(|body| Holder::read(&body, SystemTime::now())).transpose();
        holder.map(Found::Holder).map_err(|error| Unknown::Unreadable(error.to_string()))
    }

    async fn owner(&self, owner: &ObjectRef<'_>, mark: &MarkKey) -> Result<Owner, Unknown> {
        let Some(body) = metadata::get(&self.client, owner).await? else { return Ok(Owner::Gone) };
        let metadata = read(&body)?;
        Ok(match (metadata.uid() == owner.uid, metadata.marked(mark)) {
            (false, _) => Owner::Gone,
            (true, true) => Owner::Marked,
            (true, false) => Owner::Unmarked,
        })
    }
}

impl Cluster for ApiServer {
    /// One deadline for the turn in the queue and up to two GETs.
    async fn answer(&self, lookup: &Lookup<'_>, mark: &MarkKey, deadline: Instant) -> Result<Found, Unknown> {
        let _pass = self.gate.enter(deadline).await?;
        let started = Instant::now();
        let found = async {
            match lookup {
                Lookup::Parent(parent) => self.parent(&parent.object, mark).await,
                Lookup::Owners { before, after } => self.owners(before.as_ref(), after.as_ref(), mark).await,
                Lookup::Holder(pod) => self.holder(pod).await,
                // The guard knows by itself; where it does not, nothing is known.
                Lookup::Target(_) => Ok(Found::Target(None)),
                Lookup::Autoscaler(_) => Ok(Found::Autoscaler(None)),
            }
        };
        timeout_at(deadline, found)
            .await
            .unwrap_or_else(|_| Err(Unknown::Slow(deadline.saturating_duration_since(started))))
    }
}

/// An object without a uid is not one that an API server sends.
fn read(body: &Bytes) -> Result<Metadata<'_>, Unknown> {
    match Metadata::read(body) {
        Ok(metadata) if metadata.uid().is_empty() => Err(Unknown::Unreadable("metadata.uid is missing".to_owned())),
        Ok(metadata) => Ok(metadata),
        Err(error) => Err(Unknown::Unreadable(error.to_string())),
    }
}
