//! Who is asked for a proof, and who keeps it possible.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use tokio::sync::watch::{self, Receiver, Sender};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::known::{Kept, Verdict};
use super::watch::{Knowing, followed};
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
    kinds: Vec<(Kind, Receiver<Kept>)>,
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
    kept: Arc<Sender<Kept>>,
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
            let (kept, receiver) = watch::channel(Kept::default());
            kinds.push((kind, receiver));
            senders.push(Proven { info, name, kept: Arc::new(kept) });
        }
        let upkeep = Upkeep { client, settings, metrics: metrics.clone(), kinds: senders };
        (Self { kinds, metrics }, upkeep)
    }

    /// What is proven; otherwise the parent has to be looked up. A version that the watch has not come to yet is waited
    /// for, no longer than a look-up would take.
    pub async fn parent(&self, parent: &Parent<'_>, mark: &MarkKey) -> Option<Found> {
        let (_, kept) = self.kinds.iter().find(|(kind, _)| *kind == parent.object.kind)?;
        let revision = Revision::parse(&parent.version)?;
        let verdict = |kept: &Kept| kept.verdict(parent, revision, mark);
        let look = |kept: &Kept| {
            let found = verdict(kept);
            let known = Some(&kept.known).filter(|_| found == Verdict::Marked);
            let owner = known.and_then(|known| known.owner(&parent.object.namespace, &parent.object.name));
            (found, owner.map(str::to_owned))
        };
        let (mut found, mut custom) = look(&kept.borrow());
        if found == Verdict::Behind {
            let mut later = kept.clone();
            if let Ok(Ok(kept)) = timeout(WAIT, later.wait_for(|kept| verdict(kept) != Verdict::Behind)).await {
                (found, custom) = look(&kept);
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
        for Proven { info, name, kept } in &self.kinds {
            let followed = followed(&self.client, info, &settings.mark, name, &self.metrics);
            watches.spawn(followed.follow(Knowing::new(Arc::clone(kept), settings.mark.clone())));
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
        for Proven { kept, .. } in &self.kinds {
            kept.send_modify(|kept| kept.known.forget());
        }
    }
}

/// What a look-up takes at most where all is well; a watch is behind by less.
const WAIT: Duration = Duration::from_millis(10);
