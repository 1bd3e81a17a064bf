//! The one machine that lists and watches. A list is read item by item and a watch line by line, each through the
//! [`sieve`](super::sieve), so that no object can take away more than itself.
//!
//! A watch that has ended goes on from where it was only if that is proven: it ran its full time, or the store is no older
//! now than what was seen (etcd may have been restored, and a watch from a revision that is yet to come stays silent).
//! Everything else begins with a list.

use std::time::Duration;

use kube::Client;
use tokio::time::{Instant, sleep};

use super::PARTIAL_OBJECT_METADATA;
use super::exchange::{self, Trouble};
use super::line::Line;
use super::list::Asked;
use super::listener::{Heard, Listener, Refused};
use super::progress::{Progress, hash, is_no_older};
use super::sieve::{Part, Sieve};
use crate::api::text::clip;
use crate::telemetry::metrics::Metrics;

/// A resource to be followed.
pub(crate) struct Followed {
    pub(crate) client: Client,
    /// What is listed.
    pub(crate) list: Asked,
    /// The label selector of the watch.
    pub(crate) watch: String,
    /// Whether a watch may go on from where the one before has ended.
    pub(crate) resumes: bool,
    /// How long a watch is open. A connection that is dead without saying so is noticed soon after.
    pub(crate) seconds: u32,
    /// How the metrics call this watch.
    pub(crate) name: &'static str,
    pub(crate) metrics: Metrics,
    /// The value of the chart that grants the right to it.
    pub(crate) granted_by: &'static str,
    /// Whether the cluster may not serve it: it is of others. Then there is none of it, which is no trouble, and it is
    /// asked for again.
    pub(crate) may_be_absent: bool,
}

impl Followed {
    /// What is listed is also what is watched, and is known to be dead soon.
    pub(crate) fn new(
        client: &Client,
        list: Asked,
        name: &'static str,
        metrics: &Metrics,
        granted_by: &'static str,
    ) -> Self {
        let (client, watch, metrics) = (client.clone(), list.selector.clone(), metrics.clone());
        Self { client, list, watch, resumes: true, seconds: SOON, name, metrics, granted_by, may_be_absent: false }
    }

    /// The same, of a resource that the cluster may not serve.
    pub(crate) fn that_may_be_absent(self) -> Self {
        Self { may_be_absent: true, ..self }
    }

    /// Never ends.
    pub(crate) async fn follow<L: Listener>(self, mut listener: L) {
        let (mut progress, mut pause) = (Progress::default(), PAUSE_MIN);
        self.follows(&mut listener, false);
        loop {
            let began = Instant::now();
            let ended = self.turn(&mut listener, &mut progress).await;
            if !self.resumes {
                progress.from = None;
            }
            if progress.ran_out {
                continue;
            }
            if self.may_be_absent && ended.as_ref().is_err_and(Trouble::is_not_found) {
                self.is_absent(&mut listener, &mut progress);
                sleep(ABSENT.mul_f64(0.8 + fastrand::f64() / 5.0)).await;
                continue;
            }
            self.follows(&mut listener, false);
            if let Err(trouble) = &ended {
                if !trouble.is_of_the_connection() {
                    progress.from = None;
                }
                self.say(trouble, &mut progress.said);
            }
            // One that somebody always ends at once costs as much as one that fails.
            pause = if began.elapsed() < SHORT { (pause * 2).min(PAUSE_MAX) } else { PAUSE_MIN };
            sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        }
    }

    /// One watch, and the list before it where one is needed.
    async fn turn<L: Listener>(&self, listener: &mut L, progress: &mut Progress) -> Result<(), Trouble> {
        let ran_out = std::mem::take(&mut progress.ran_out);
        if let Some(from) = progress.from.as_ref().filter(|_| !ran_out) {
            let now = self.list.revision(&self.client).await?;
            if !is_no_older(&now, from) {
                tracing::warn!(resource = self.name, "the store is older than it was: listing again");
                progress.from = None;
            }
        }
        if progress.from.is_none() {
            progress.from = Some(self.begin(listener, progress).await?);
        }
        // Replicas that began together should not begin again together for ever.
        let seconds = self.seconds + fastrand::u32(..=self.seconds / 4);
        let path = format!(
            "{}?watch=true&labelSelector={}&resourceVersion={}&allowWatchBookmarks=true&timeoutSeconds={seconds}",
            self.list.collection,
            self.watch,
            progress.from.as_deref().unwrap_or_default(),
        );
        let accept = if self.list.metadata_only { PARTIAL_OBJECT_METADATA } else { "application/json" };
        let mut body = exchange::get(&self.client, &path, accept).await?.into_body();
        let opened = Instant::now();
        self.follows(listener, true);
        if progress.said.take().is_some() {
            tracing::info!(resource = self.name, "watching again");
        }
        let keep = Line::<L::Spec, L::Status>::keep(&self.list.keep);
        let mut sieve = Sieve::new(&keep);
        // A bookmark comes each minute (`defaultBookmarkFrequency` of the watch cache), and the end when it is due.
        let patience = Duration::from_secs(u64::from(seconds).min(BOOKMARKS)) + LATE;
        exchange::pieces(&mut body, patience, |piece| {
            sieve.push(piece, |part| match part {
                Part::Value(line) => self.line(line, listener, progress),
                Part::Item(_) => Ok(()),
            })
        })
        .await?;
        if !sieve.is_between_values() {
            return Err(Trouble::Cut);
        }
        progress.ran_out = opened.elapsed() >= Duration::from_secs(self.seconds.into());
        Ok(())
    }

    async fn begin<L: Listener>(&self, listener: &mut L, progress: &mut Progress) -> Result<String, Trouble> {
        progress.unread.clear();
        let mut told = Ok(());
        let mut tell = |heard: Heard<'_, L::Spec, L::Status>| {
            if told.is_ok() {
                told = self.tell(heard, listener, progress);
            }
        };
        tell(Heard::Begin);
        let revision = self.list.list(&self.client, |object| tell(Heard::Is(object))).await?;
        tell(Heard::Whole(&revision));
        told.map(|()| revision)
    }

    fn line<L: Listener>(&self, line: &[u8], listener: &mut L, progress: &mut Progress) -> Result<(), Trouble> {
        let line = Line::read(line).map_err(|error| Trouble::Lost(error.to_string()))?;
        if !matches!(line, Line::Ended { .. }) {
            progress.advance(line.version())?;
        }
        let heard = match line {
            Line::Is(object) => Heard::Is(object),
            Line::Gone(metadata) => Heard::Gone(metadata),
            Line::Nothing(metadata) => Heard::Nothing(metadata.resource_version),
            Line::Ended { code, message } => return Err(Trouble::Refused { code, message }),
        };
        self.tell(heard, listener, progress)
    }

    /// Lets the listener hear it. An object that cannot be read is counted, and said with its name.
    fn tell<L: Listener>(
        &self,
        heard: Heard<'_, L::Spec, L::Status>,
        listener: &mut L,
        progress: &mut Progress,
    ) -> Result<(), Trouble> {
        // After a list only what it has shown counts.
        let mut is_news = matches!(heard, Heard::Begin | Heard::Whole(_));
        let known = match &heard {
            Heard::Is(object) if !progress.unread.is_empty() => {
                Some(hash(&object.metadata().namespace, &object.metadata().name))
            }
            Heard::Gone(metadata) if !progress.unread.is_empty() => Some(hash(&metadata.namespace, &metadata.name)),
            _ => None,
        };
        match listener.hear(heard) {
            Ok(()) => is_news |= known.is_some_and(|hash| progress.unread.remove(&hash)),
            Err(Refused::Unread { namespace, name, why: cause }) => {
                is_news = progress.unread.insert(hash(&namespace, &name));
                if is_news && progress.unread_said.is_none_or(|said| said.elapsed() >= UNREAD_EVERY) {
                    progress.unread_said = Some(Instant::now());
                    let [namespace, name] = [&namespace, &name].map(|text| clip(text, NAME_MAX));
                    tracing::warn!(resource = self.name, %namespace, %name, cause, "an object cannot be read; all others are");
                }
            }
            Err(Refused::Lost(why)) => return Err(Trouble::Lost(why)),
        }
        if is_news {
            self.metrics.watches.unreadable(self.name, progress.unread.len());
        }
        Ok(())
    }

    fn follows<L: Listener>(&self, listener: &mut L, follows: bool) {
        self.metrics.watches.synced(self.name, follows);
        // Nothing of it can be refused.
        let _taken = listener.hear(Heard::Follows(follows));
    }

    /// The cluster does not serve the resource, so there is none of it.
    fn is_absent<L: Listener>(&self, listener: &mut L, progress: &mut Progress) {
        progress.from = None;
        for heard in [Heard::Begin, Heard::Whole(FIRST), Heard::Follows(true)] {
            // Nothing of it can be refused.
            let _taken = listener.hear(heard);
        }
        self.metrics.watches.ended([self.name]);
        if progress.said.as_deref() != Some(NOT_SERVED) {
            tracing::info!(
                resource = self.name,
                every = ABSENT.as_secs(),
                "the cluster does not serve it; asking again"
            );
        }
        progress.said = Some(NOT_SERVED.to_owned());
    }

    fn say(&self, trouble: &Trouble, said: &mut Option<String>) {
        let cause = trouble.to_string();
        if said.as_ref() != Some(&cause) {
            let hint = if trouble.is_forbidden() {
                let granted_by = self.granted_by;
                format!(
                    "the ClusterRole needs a rule with the verbs list and watch on it; the chart grants them with {granted_by}"
                )
            } else {
                String::new()
            };
            tracing::warn!(resource = self.name, cause, hint, "cannot watch");
        }
        *said = Some(cause);
    }
}

/// Only a panic ends one of several watches. Then all begin again, when it has been read in the log.
pub(crate) const AFTER_A_PANIC: Duration = Duration::from_secs(30);
/// Seconds of a watch that tells soon of a connection that is dead. To renew it costs one request.
const SOON: u32 = 30;
const BOOKMARKS: u64 = 60;
/// How often a resource is asked for that the cluster does not serve. A kind of others is to be known half a minute after its
/// definition.
const ABSENT: Duration = Duration::from_secs(28);
/// What is said of it.
const NOT_SERVED: &str = "the cluster does not serve it";
/// A revision that is older than any change.
const FIRST: &str = "1";
/// How much later than it is due something may come.
const LATE: Duration = Duration::from_secs(15);
/// No API server ends a watch so soon by itself.
const SHORT: Duration = Duration::from_secs(10);
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How often an object that cannot be read is said, at most.
const UNREAD_EVERY: Duration = Duration::from_secs(60);
/// The longest name in Kubernetes.
const NAME_MAX: usize = 253;
