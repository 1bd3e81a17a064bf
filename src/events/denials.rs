//! An Event on the workload for each denial, folded: a side effect beside the answer, which never waits for it and never
//! depends on it. Nothing is said of a dry run.
//!
//! A review is no proof: whoever reaches the port can forge one. So names are checked before they become part of a path,
//! what waits and what is written are bounded ([`super::fold`]), and nothing but an Event can come of it.

use std::future::pending;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::fold::{Added, Fold, Said};
use super::voice::{Regarding, Saying, Voice};
use crate::policy::decision::{Decision, Mode, Verdict};
use crate::policy::mark::{is_dns_label, is_dns_subdomain};
use crate::policy::request::Operation;
use crate::policy::violation::Code;
use crate::telemetry::metrics::Metrics;

/// Takes denials, never waits.
#[derive(Debug, Clone)]
pub struct Denials {
    queue: mpsc::Sender<Said>,
    metrics: Metrics,
}

/// Writes them.
pub struct Teller {
    queue: mpsc::Receiver<Said>,
    fold: Fold,
    voice: Voice,
    metrics: Metrics,
}

impl Denials {
    /// The two ends of one queue.
    #[must_use]
    pub fn new(voice: Voice, metrics: Metrics) -> (Self, Teller) {
        let (queue, told) = mpsc::channel(QUEUE);
        let teller = Teller { queue: told, fold: Fold::default(), voice, metrics: metrics.clone() };
        (Self { queue, metrics }, teller)
    }

    /// Tells of a decision, if it is one to tell of.
    pub fn tell(&self, operation: Operation, dry_run: bool, decision: &Decision) {
        if let Some(said) = said(operation, dry_run, decision)
            && self.queue.try_send(said).is_err()
        {
            self.metrics.event("dropped");
        }
    }
}

impl Teller {
    /// Never ends.
    pub async fn run(mut self) {
        loop {
            let due = self.fold.next_at();
            tokio::select! {
                said = self.queue.recv() => {
                    // Nobody is left who could tell of anything.
                    let Some(said) = said else { return pending().await };
                    match self.fold.add(said, Instant::now()) {
                        Added::Waiting => {}
                        Added::Folded => self.metrics.event("folded"),
                        Added::Dropped => self.metrics.event("dropped"),
                    }
                }
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    if let Some((said, times)) = self.fold.take(Instant::now()) {
                        self.write(&said, times).await;
                    }
                }
            }
        }
    }

    async fn write(&self, Said { about, saying }: &Said, times: u32) {
        let result = match self.voice.publish(about, saying, times).await {
            Ok(()) => "written",
            Err(error) => {
                self.voice.failed(about, &error);
                "failed"
            }
        };
        self.metrics.event(result);
    }
}

/// What there is to say of a decision: only of a refusal, and only about an object that exists.
#[must_use]
pub fn said(operation: Operation, dry_run: bool, decision: &Decision) -> Option<Said> {
    let Verdict::Denied(denial) = decision.verdict() else { return None };
    if dry_run || operation != Operation::Update || decision.mode() != Mode::Enforce {
        return None;
    }
    let subject = &denial.subject;
    if !is_dns_label(&subject.namespace) || !is_dns_subdomain(&subject.name) || !is_uid(&subject.uid) {
        return None;
    }
    let about = Regarding {
        group: subject.group,
        kind: subject.kind,
        namespace: subject.namespace.clone(),
        name: subject.name.clone(),
        uid: subject.uid.clone(),
    };
    let reason = match denial.first.code() {
        Code::Sg001 => "SingletonScaleDenied",
        _ => "SingletonChangeDenied",
    };
    let note = format!("{} ({})", denial.message(&denial.first), denial.first.remedy());
    Some(Said { about, saying: Saying { reason, note, is_warning: true, is_state: false } })
}

/// As the API server makes them, and a little beyond.
fn is_uid(text: &str) -> bool {
    (1..=UID_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

const UID_MAX: usize = 64;
/// A burst that a task can miss while it writes; more would be told of too late.
const QUEUE: usize = 256;
