//! The watch of every change of one kind, which keeps its snapshot up to date.
//!
//! Each watch begins with a list of the marked workloads, never where the one before has ended: that is as cheap as there are
//! few singletons. While no watch is at work nothing is known.

use std::sync::Arc;

use kube::Client;
use tokio::sync::watch::Sender;

use super::change::{Change, NamespacedName, Version, keep};
use super::snapshot::{Observed, Snapshot};
use crate::api::kind::KindInfo;
use crate::api::mark::MarkKey;
use crate::cluster::follow::Followed;
use crate::cluster::line::Object;
use crate::cluster::list::Asked;
use crate::cluster::listener::{Heard, Listener, Refused};
use crate::cluster::revision::Revision;
use crate::cluster::seen::Nothing;
use crate::telemetry::metrics::Metrics;

/// Keeps the snapshot of one kind up to date.
pub(super) struct SnapshotListener {
    observed: Arc<Sender<Observed>>,
    mark: MarkKey,
    stage: Stage,
}

/// How far a watch is.
enum Stage {
    /// The list runs, or is about to, and has shown these.
    Lists(Vec<(NamespacedName<'static>, Version<'static>)>),
    /// The list is over, and the watch is about to be opened.
    Listed(Snapshot),
    /// Changes are heard of.
    Follows,
}

/// The watch of one kind. `name` is how the metrics call it.
pub(super) fn followed(
    client: &Client,
    kind: &KindInfo,
    mark: &MarkKey,
    name: &'static str,
    metrics: &Metrics,
) -> Followed {
    let list =
        Asked { collection: kind.collection(), selector: mark.to_string(), metadata_only: true, keep: keep(mark) };
    let marked = Followed::new(client, list, name, metrics, "freshnessProof.enabled");
    let may_be_absent = kind.custom.is_some();
    Followed { watch: String::new(), resumes: false, seconds: WATCH_SECONDS, may_be_absent, ..marked }
}

impl SnapshotListener {
    pub(super) const fn new(observed: Arc<Sender<Observed>>, mark: MarkKey) -> Self {
        Self { observed, mark, stage: Stage::Lists(Vec::new()) }
    }

    fn forget(&mut self) {
        self.stage = Stage::Lists(Vec::new());
        self.observed.send_modify(|observed| observed.snapshot.forget());
    }

    fn apply(&mut self, change: Change<'_>) -> Result<(), Refused> {
        if let Stage::Lists(listed) = &mut self.stage {
            if let Change::Written(NamespacedName { namespace, name }, Version { uid, revision, marked, owner }) =
                change
            {
                let name = NamespacedName { namespace: namespace.into_owned().into(), name: name.into_owned().into() };
                listed.push((name, Version { uid: uid.into_owned().into(), revision, marked, owner }));
            }
            return Ok(());
        }
        let mut applied = Ok(());
        self.observed.send_modify(|observed| applied = observed.snapshot.apply(change));
        applied.map_err(|backwards| Refused::Lost(backwards.to_string()))
    }
}

impl Listener for SnapshotListener {
    type Spec = Nothing;
    type Status = Nothing;

    fn hear(&mut self, heard: Heard<'_, Nothing, Nothing>) -> Result<(), Refused> {
        let lost = |unusable: super::change::Unusable| Refused::Lost(unusable.to_string());
        match heard {
            Heard::Begin | Heard::Follows(false) => self.forget(),
            Heard::Is(Object::Read(seen)) => {
                let change = Change::written(seen.metadata, &self.mark).map_err(lost)?;
                self.apply(change)?;
            }
            // Its version is not known, so nothing after it is either.
            Heard::Is(Object::Unread(_, why)) => return Err(Refused::Lost(why.to_owned())),
            Heard::Gone(metadata) => self.apply(Change::deleted(metadata, &self.mark).map_err(lost)?)?,
            Heard::Nothing(revision) => self.apply(Change::bookmark(&revision).map_err(lost)?)?,
            Heard::Whole(revision) => {
                let revision = Revision::parse(revision).ok_or(super::change::Unusable).map_err(lost)?;
                if let Stage::Lists(listed) = &mut self.stage {
                    self.stage = Stage::Listed(Snapshot::listed(std::mem::take(listed), revision));
                }
            }
            Heard::Follows(true) => {
                if let Stage::Listed(snapshot) = std::mem::replace(&mut self.stage, Stage::Follows) {
                    self.observed.send_replace(Observed { mark: self.mark.clone(), snapshot });
                }
            }
        }
        Ok(())
    }
}

/// A watch that has not ended by itself after an hour begins again. The API server sends a bookmark each minute, so a
/// connection that is dead is noticed much earlier.
const WATCH_SECONDS: u32 = 3600;
