//! Who is asked for a proof, and who keeps it possible.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::watch::{self, Receiver, Sender};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::snapshot::{Observed, Verdict};
use super::watch::{SnapshotListener, followed};
use crate::api::kind::{Kind, KindInfo};
use crate::api::mark::MarkKey;
use crate::cluster::follow::AFTER_A_PANIC;
use crate::cluster::revision::Revision;
use crate::configuration::Current;
use crate::policy::lookup::{Found, Parent};
use crate::settings::Settings;
use crate::telemetry::metrics::Metrics;

/// Says what is proven about a parent.
#[derive(Debug)]
pub struct Freshness {
    kinds: Vec<(Kind, Receiver<Observed>)>,
    metrics: Metrics,
}

/// Keeps the watches.
pub struct Upkeep {
    client: Client,
    settings: Current,
    metrics: Metrics,
    kinds: Vec<Proven>,
}

/// A kind whose own mark decides.
struct Proven {
    info: &'static KindInfo,
    /// How the metrics call its watch.
    name: &'static str,
    observed: Arc<Sender<Observed>>,
}

impl Freshness {
    /// Until the other half runs nothing is proven.
    #[must_use]
    pub fn new(client: Client, settings: impl Into<Current>, metrics: Metrics) -> (Self, Upkeep) {
        let settings = settings.into();
        let (mut kinds, mut senders) = (Vec::new(), Vec::new());
        for kind in settings.get().kinds.iter() {
            let info = kind.info();
            let Some(name) = info.metrics.every else { continue };
            let (observed, receiver) = watch::channel(Observed::default());
            kinds.push((kind, receiver));
            senders.push(Proven { info, name, observed: Arc::new(observed) });
        }
        let upkeep = Upkeep { client, settings, metrics: metrics.clone(), kinds: senders };
        (Self { kinds, metrics }, upkeep)
    }

    /// What is proven; otherwise the parent has to be looked up. A version that the watch has not come to yet is waited
    /// for, no longer than a look-up would take.
    pub async fn parent(&self, parent: &Parent<'_>, mark: &MarkKey) -> Option<Found> {
        let (_, observed) = self.kinds.iter().find(|(kind, _)| *kind == parent.object.kind)?;
        let revision = Revision::parse(&parent.version)?;
        let verdict = |observed: &Observed| observed.verdict(parent, revision, mark);
        let look = |observed: &Observed| {
            let found = verdict(observed);
            let known = Some(&observed.snapshot).filter(|_| found == Verdict::Marked);
            let owner = known.and_then(|known| known.owner(&parent.object.namespace, &parent.object.name));
            (found, owner.map(str::to_owned))
        };
        let (mut found, mut custom) = look(&observed.borrow());
        if found == Verdict::Behind {
            let mut later = observed.clone();
            if let Ok(Ok(observed)) =
                timeout(WAIT, later.wait_for(|observed| verdict(observed) != Verdict::Behind)).await
            {
                (found, custom) = look(&observed);
            }
        }
        let (result, marked) = match found {
            Verdict::Unmarked => ("unmarked", Some(false)),
            Verdict::Marked => ("marked", Some(true)),
            Verdict::Behind => ("behind", None),
            Verdict::Other => ("other", None),
            Verdict::Blind => ("blind", None),
        };
        self.metrics.reviews.proved(result);
        marked.map(|marked| Found::Parent { marked, owner: None, custom })
    }
}

impl Upkeep {
    /// Never ends.
    pub async fn run(mut self) {
        loop {
            let settings = self.settings.get();
            if settings.freshness_proof {
                self.keep(&settings).await;
            } else {
                self.settings.changed().await;
            }
        }
    }

    /// Until something else has to be watched, or nothing.
    async fn keep(&mut self, settings: &Settings) {
        let mut watches = JoinSet::new();
        for Proven { info, name, observed } in &self.kinds {
            let followed = followed(&self.client, info, &settings.mark, name, &self.metrics);
            watches.spawn(followed.follow(SnapshotListener::new(Arc::clone(observed), settings.mark.clone())));
        }
        loop {
            tokio::select! {
                _ = watches.join_next() => {
                    self.forget();
                    sleep(AFTER_A_PANIC).await;
                    break;
                }
                () = self.settings.changed() => {
                    let now = self.settings.get();
                    if now.mark != settings.mark || !now.freshness_proof {
                        break;
                    }
                }
            }
        }
        watches.shutdown().await;
        self.forget();
        self.metrics.watches.ended(self.kinds.iter().map(|proven| proven.name));
    }

    fn forget(&self) {
        for Proven { observed, .. } in &self.kinds {
            observed.send_modify(|observed| observed.snapshot.forget());
        }
    }
}

/// What a look-up takes at most where all is well; a watch is behind by less.
const WAIT: Duration = Duration::from_millis(10);
