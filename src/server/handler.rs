//! Handles one review: read, evaluate, ask if need be and if nothing is proven, decide, write. A decision always exists: an
//! unreadable body and a panic are answered with the uid as well.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::deadline::Deadline;
use crate::api::kind::Kinds;
use crate::autoscalers::Known;
use crate::cluster::{Clock, Cluster};
use crate::configuration::Current;
use crate::events::{Denials, RefusedRequest};
use crate::freshness::Freshness;
use crate::index::Index;
use crate::policy::decision::Decision;
use crate::policy::lookup::{Found, Lookup};
use crate::policy::request::{Phase, Request};
use crate::policy::{Step, evaluate};
use crate::review::{self, Review, Unreadable};
use crate::settings::Settings;
use crate::telemetry::log::{self, About};
use crate::telemetry::metrics::Metrics;

/// The policy with what it needs: the settings, and a cluster that answers its question.
#[derive(Debug)]
pub struct Handler<C> {
    settings: Current,
    cluster: C,
    metrics: Metrics,
    denials: Option<Denials>,
    freshness: Option<Freshness>,
    clock: Clock,
    index: Option<Index>,
    autoscalers: Option<Known>,
}

impl<C: Cluster> Handler<C> {
    /// Without Events and without proofs.
    #[must_use]
    pub fn new(settings: impl Into<Current>, cluster: C, metrics: Metrics) -> Self {
        Self {
            settings: settings.into(),
            cluster,
            metrics,
            denials: None,
            freshness: None,
            clock: Clock::default(),
            index: None,
            autoscalers: None,
        }
    }

    /// Records denials in Events.
    #[must_use]
    pub fn recording(self, denials: Denials) -> Self {
        Self { denials: Some(denials), ..self }
    }

    /// Proves of a parent whether it is marked, where that can be done, instead of asking for it.
    #[must_use]
    pub fn proving(self, freshness: Freshness) -> Self {
        Self { freshness: Some(freshness), ..self }
    }

    /// The singletons, and the autoscalers that may ask for more than one, are those that these know.
    #[must_use]
    pub fn knowing(self, index: Index, autoscalers: Known) -> Self {
        Self { index: Some(index), autoscalers: Some(autoscalers), ..self }
    }

    /// Judges times by this clock.
    #[must_use]
    pub fn timed(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The metrics that the answers are counted in.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Answers the bytes of an `AdmissionReview` with the bytes of one.
    ///
    /// # Errors
    /// [`Unreadable`] without a uid: there is nothing that could be answered.
    pub async fn answer(
        &self,
        phase: Phase,
        body: &[u8],
        started: Instant,
        deadline: Deadline,
    ) -> Result<Vec<u8>, Unreadable> {
        let settings = self.settings.get();
        match self.read(body, settings.kinds) {
            Ok(Review { uid, request }) => {
                // Read once: a review is judged, and its question asked, by one version.
                let about = About::new(phase, &request);
                let mode = settings.mode(&request.namespace);
                let asked = RefusedRequest {
                    operation: request.operation,
                    dry_run: request.dry_run,
                    user: request.user.clone(),
                    names_people: settings.events.include_users,
                };
                // What a panic leaves half done hurts nobody: the review, and counters that are shared.
                let decided = AssertUnwindSafe(self.decide(phase, request, &settings, deadline));
                let decision = match decided.catch_unwind().await {
                    Ok(decision) => decision,
                    Err(panic) => undecided(phase, &uid, &self.panicked(panic.as_ref())).under(mode, false),
                };
                if let Some(denials) = self.denials.as_ref().filter(|_| settings.events.denials) {
                    denials.record(&asked, &decision);
                }
                Ok(self.conclude(&uid, &about, &decision, started.elapsed()))
            }
            Err(Unreadable { uid: Some(uid), cause }) => {
                let decision =
                    undecided(phase, &uid, &format!("because the AdmissionReview could not be read ({cause})"));
                Ok(self.conclude(&uid, &About::unreadable(phase), &decision, started.elapsed()))
            }
            Err(unreadable) => Err(unreadable),
        }
    }

    fn read<'a>(&self, body: &'a [u8], kinds: Kinds) -> Result<Review<'a>, Unreadable> {
        catch_unwind(|| review::read(body, kinds))
            .unwrap_or_else(|panic| Err(Unreadable { uid: None, cause: self.panicked(panic.as_ref()) }))
    }

    async fn decide(&self, phase: Phase, request: Request<'_>, settings: &Settings, deadline: Deadline) -> Decision {
        match evaluate(phase, request, settings, self.clock.now()) {
            Step::Decided(decision) => decision,
            Step::Ask(lookup, pending) => {
                if let (Some(freshness), Lookup::Parent(parent)) = (&self.freshness, &lookup)
                    && let Some(proven) = freshness.parent(parent, &settings.mark).await
                {
                    return pending.resume(Ok(proven));
                }
                if let Some(known) = self.known(&lookup) {
                    return pending.resume(Ok(known));
                }
                let asked = Instant::now();
                let deadline = deadline.lookup(asked);
                // Boxed: it is most of this future, which is copied several times for every review, asked or not.
                let found = Box::pin(self.cluster.answer(&lookup, &settings.mark, deadline)).await;
                self.metrics.reviews.asked(&found, asked.elapsed());
                pending.resume(found)
            }
        }
    }

    /// What is known without asking, and asked of nobody.
    fn known(&self, lookup: &Lookup<'_>) -> Option<Found> {
        match (lookup, &self.index, &self.autoscalers) {
            (Lookup::Target(target), Some(index), _) => {
                Some(Found::Target(index.singleton(target).map(|(_, singleton)| singleton)))
            }
            (Lookup::Autoscaler(workload), _, Some(autoscalers)) => Some(Found::Autoscaler(autoscalers.of(workload))),
            _ => None,
        }
    }

    /// Counts it. The panic's own words are for the log, where the hook has written them; the user gets others.
    fn panicked(&self, panic: &(dyn Any + Send)) -> String {
        self.metrics.reviews.panicked();
        let cause = log::panic_text(panic);
        tracing::error!(cause, "a review ended in a panic");
        "because of an internal error of singleton-guard".to_owned()
    }

    fn conclude(&self, uid: &str, about: &About<'_>, decision: &Decision, latency: Duration) -> Vec<u8> {
        self.metrics.reviews.answered(about, decision, latency);
        log::decision(uid, about, decision, latency);
        review::write(uid, decision)
    }
}

/// A fault of ours refuses what it cannot judge. While mutating there is nothing to judge: what could not be
/// completed goes on to the validating phase, which does.
fn undecided(phase: Phase, uid: &str, cause: &str) -> Decision {
    match phase {
        Phase::Validate => Decision::could_not_decide(cause),
        Phase::Mutate => {
            tracing::warn!(uid, cause, "could not complete");
            Decision::allowed_with(vec![NOT_COMPLETED.to_owned()])
        }
    }
}

/// At most 120 characters (`AdmissionResponse.warnings`).
const NOT_COMPLETED: &str = "singleton-guard could not fill in defaults; the object was left as it is";
