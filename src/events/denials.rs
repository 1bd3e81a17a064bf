//! An Event on the workload for each denial, repetitions in one: a side effect beside the answer, which never waits for it and never
//! depends on it. Nothing is denied of a dry run.
//!
//! A review is no proof: whoever reaches the port can forge one. So names are checked before they become part of a path,
//! nothing but an Event can come of it, and that only about an object that exists with the uid that the review names: by
//! what this process knows anyway, or by one GET of its metadata. The GETs, what waits and what is written are bounded, each
//! by itself ([`super::lookup_limit`], [`super::aggregator`]).

use std::borrow::Cow;
use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use kube::Client;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};

use super::aggregator::{Added, Aggregator, Denied};
use super::lookup_limit::LookupLimit;
use super::recorder::{Event, Recorder};
use crate::api::kind::Kinds;
use crate::api::mark::{is_dns_label, is_dns_subdomain};
use crate::api::reference::Regarding;
use crate::api::text::clip;
use crate::cluster::has_uid;
use crate::policy::code::Code;
use crate::policy::decision::{Decision, Verdict};
use crate::policy::request::Operation;
use crate::settings::Mode;
use crate::telemetry::metrics::Metrics;

/// What an Event needs of the request that was refused.
#[derive(Debug, Clone)]
pub struct RefusedRequest<'a> {
    /// The verb.
    pub operation: Operation,
    /// Whether nothing would have been stored.
    pub dry_run: bool,
    /// Who asked.
    pub user: Cow<'a, str>,
    /// Whether people are named too. Tenants read Events.
    pub names_people: bool,
}

/// Takes denials, and never makes anybody wait.
#[derive(Clone)]
pub struct Denials {
    confirmed: mpsc::Sender<Denied>,
    doubtful: mpsc::Sender<Denied>,
    known: IsKnown,
    metrics: Metrics,
}

/// Whether this process knows, without asking, that there is such an object of that uid.
pub type IsKnown = Arc<dyn Fn(&Regarding) -> bool + Send + Sync>;

/// Writes the Events.
pub struct Writer {
    confirmed: mpsc::Receiver<Denied>,
    doubtful: mpsc::Receiver<Denied>,
    limit: LookupLimit,
    aggregator: Aggregator,
    client: Client,
    kinds: Kinds,
    recorder: Recorder,
    metrics: Metrics,
}

impl Denials {
    /// The two ends of one queue. `known` spares a question, and a denial that it confirms waits for no other.
    #[must_use]
    pub fn new(client: Client, kinds: Kinds, recorder: Recorder, known: IsKnown, metrics: Metrics) -> (Self, Writer) {
        let ((confirmed, to_write), (doubtful, to_confirm)) = (mpsc::channel(QUEUE), mpsc::channel(DOUBTFUL));
        let writer = Writer {
            confirmed: to_write,
            doubtful: to_confirm,
            limit: LookupLimit::default(),
            aggregator: Aggregator::default(),
            client,
            kinds,
            recorder,
            metrics: metrics.clone(),
        };
        (Self { confirmed, doubtful, known, metrics }, writer)
    }

    /// Records a decision, if it is a denial to be told of.
    pub fn record(&self, request: &RefusedRequest<'_>, decision: &Decision) {
        let Some(denied) = denied_event(request, decision) else { return };
        let queue = if (self.known)(&denied.about) { &self.confirmed } else { &self.doubtful };
        if queue.try_send(denied).is_err() {
            self.metrics.reviews.event("dropped");
        }
    }
}

impl Writer {
    /// Never ends.
    pub async fn run(self) {
        let Self { mut confirmed, mut doubtful, mut limit, mut aggregator, client, kinds, recorder, metrics } = self;
        let mut questions = FuturesUnordered::new();
        loop {
            let due = aggregator.next_at();
            let denied = tokio::select! {
                denied = confirmed.recv() => match denied {
                    Some(denied) => denied,
                    // Nobody is left who could tell of anything.
                    None => return pending().await,
                },
                Some(denied) = doubtful.recv(), if questions.len() < AT_ONCE => {
                    if aggregator.has(&denied) {
                        denied
                    } else if limit.may_ask(Instant::now()) {
                        questions.push(confirmed_by(&client, kinds, denied));
                        continue;
                    } else {
                        metrics.reviews.event("unconfirmed");
                        continue;
                    }
                }
                Some(answer) = questions.next() => {
                    let Some(denied) = answer else {
                        metrics.reviews.event("unconfirmed");
                        continue;
                    };
                    denied
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    if let Some((denied, times)) = aggregator.take(Instant::now()) {
                        metrics.reviews.event(write(&recorder, &denied, times).await);
                    }
                    continue;
                }
            };
            match aggregator.add(denied, Instant::now()) {
                Added::Waiting => {}
                Added::Folded => metrics.reviews.event("folded"),
                Added::Dropped => metrics.reviews.event("dropped"),
            }
        }
    }
}

/// What is to be denied, if the API server has the object. One that it does not show in time is not told of.
async fn confirmed_by(client: &Client, kinds: Kinds, denied: Denied) -> Option<Denied> {
    let answer = timeout(LOOKUP_TIMEOUT, has_uid(client, &denied.about, kinds)).await;
    if let Ok(Err(cause)) = &answer {
        tracing::debug!(%cause, "an object could not be confirmed");
    }
    matches!(answer, Ok(Ok(true))).then_some(denied)
}

async fn write(recorder: &Recorder, Denied { about, event }: &Denied, times: u32) -> &'static str {
    match recorder.publish(about, event, times).await {
        Ok(()) => "written",
        Err(error) => {
            recorder.failed(about, &error);
            "failed"
        }
    }
}

impl fmt::Debug for Denials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Denials").finish_non_exhaustive()
    }
}

/// The Event of a decision: only of a refusal, and only about an object that exists.
#[must_use]
pub fn denied_event(request: &RefusedRequest<'_>, decision: &Decision) -> Option<Denied> {
    let RefusedRequest { operation, dry_run, user, names_people } = request;
    let Verdict::Denied(denial) = decision.verdict() else { return None };
    if *dry_run || *operation != Operation::Update || decision.mode() != Mode::Enforce {
        return None;
    }
    let subject = &denial.subject;
    // We may not read an autoscaler by its name; one that is there is told of by who watches them.
    if denial.first().violation.code() == Code::Sg003 {
        return None;
    }
    if !is_dns_label(&subject.namespace) || !is_dns_subdomain(&subject.name) || !is_uid(&subject.uid) {
        return None;
    }
    let reason = match denial.first().violation.code() {
        Code::Sg001 => "SingletonScaleDenied",
        _ => "SingletonChangeDenied",
    };
    let mut note = format!("{} ({})", denial.first().line, denial.remedy(&denial.first().violation));
    if *names_people || user.starts_with(SYSTEM) {
        note.push_str("; asked by ");
        note.push_str(&clip(user, USER_MAX));
    }
    Some(Denied { about: subject.clone(), event: Event { reason, note, is_warning: true, is_state: false } })
}

/// As the API server makes them, and a little beyond.
fn is_uid(text: &str) -> bool {
    (1..=UID_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// What Kubernetes calls its components, nodes and service accounts; no person may be called so.
const SYSTEM: &str = "system:";
/// `system:serviceaccount:`, a namespace, a colon and a name, at their longest.
const USER_MAX: usize = 22 + 63 + 1 + 253;
const UID_MAX: usize = 64;
/// A burst that a task can miss while it writes; more would be told of too late.
const QUEUE: usize = 256;
/// As many again as may be asked for in a while; about a megabyte.
const DOUBTFUL: usize = 1024;
/// Questions under way.
const AT_ONCE: usize = 16;
/// For an answer to a question.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
