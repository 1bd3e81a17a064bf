//! Lists the marked workloads of one kind, then watches every change of the kind, for as long as the process runs.
//!
//! Each watch begins with a list, never where the one before has ended: that is as cheap as there are few singletons, a
//! revision that the API server has forgotten (410) needs no road of its own, and an etcd that was restored meanwhile,
//! with its revisions counted from an earlier one on, is noticed. While no watch is at work nothing is known.

use std::time::Duration;

use axum::body::Bytes;
use http::{Request, Response, header};
use http_body_util::{BodyExt as _, Limited};
use kube::Client;
use kube::client::Body;
use kube::core::Status;
use tokio::sync::watch::Sender;
use tokio::time::{Instant, sleep, timeout};

use super::event::{self, List, Unusable};
use super::known::{Backwards, Known};
use super::proof::Kept;
use crate::cluster::{PARTIAL_OBJECT_METADATA, root_cause, words};
use crate::policy::kind::KindInfo;
use crate::policy::mark::MarkKey;
use crate::telemetry::metrics::Metrics;

/// One kind to be followed.
pub(super) struct Followed {
    pub(super) client: Client,
    pub(super) kind: &'static KindInfo,
    pub(super) mark: MarkKey,
    /// How the metric calls this watch.
    pub(super) name: &'static str,
    pub(super) metrics: Metrics,
}

/// Why a watch had to begin again before its time.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the API server could not be reached ({0})")]
    Unreachable(String),
    #[error("the API server refused it with {code} ({message})")]
    Refused { code: u16, message: String },
    #[error(transparent)]
    Unusable(#[from] Unusable),
    #[error(transparent)]
    Backwards(#[from] Backwards),
    #[error("nothing was heard for {} s, not even that nothing happened", .0.as_secs())]
    Quiet(Duration),
    #[error("one line has more than {LINE_MAX} bytes")]
    Long,
}

impl Followed {
    /// Never ends.
    pub(super) async fn follow(self, kept: &Sender<Kept>) {
        let (mut said, mut pause) = (None, PAUSE_MIN);
        self.metrics.synced(self.name, false);
        loop {
            let began = Instant::now();
            let ended = self.list_and_watch(kept, &mut said, &mut pause).await;
            kept.send_modify(|kept| kept.known.forget());
            match ended {
                Err(trouble) => {
                    self.metrics.synced(self.name, false);
                    self.say(&trouble, &mut said);
                }
                // One that somebody always ends at once costs as much as one that fails.
                Ok(()) if began.elapsed() < SHORT => self.metrics.synced(self.name, false),
                Ok(()) => continue,
            }
            sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    async fn list_and_watch(
        &self,
        kept: &Sender<Kept>,
        said: &mut Option<String>,
        pause: &mut Duration,
    ) -> Result<(), Trouble> {
        let (known, from) = self.list().await?;
        let mut body = self.open(&from).await?.into_body();
        kept.send_replace(Kept { mark: self.mark.clone(), known });
        self.metrics.synced(self.name, true);
        if said.take().is_some() {
            tracing::info!(resource = self.kind.resource, "the freshness proof has its watch again");
        }
        let mut unread = Vec::new();
        while let Some(frame) = timeout(QUIET, body.frame()).await.map_err(|_| Trouble::Quiet(QUIET))? {
            let frame = frame.map_err(|error| Trouble::Unreachable(root_cause(&error)))?;
            let Ok(data) = frame.into_data() else { continue };
            unread.extend_from_slice(&data);
            let Some(end) = unread.iter().rposition(|byte| *byte == b'\n') else {
                if unread.len() > LINE_MAX {
                    return Err(Trouble::Long);
                }
                continue;
            };
            let whole = unread.get(..end).unwrap_or_default();
            for line in whole.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                let event = event::read(line, &self.mark)?;
                let mut heeded = Ok(());
                kept.send_modify(|kept| heeded = kept.known.heed(event));
                heeded?;
                *pause = PAUSE_MIN;
            }
            unread.drain(..=end);
        }
        Ok(())
    }

    /// The marked ones, from the store itself: without a `resourceVersion` a list is not older than the request
    /// (Kubernetes API concepts, "Resource versions"). Not in pages, which older API servers would read from etcd
    /// instead of from their cache. With it comes its revision, as it is written.
    async fn list(&self) -> Result<(Known, String), Trouble> {
        let path = format!("{}?labelSelector={}", self.kind.collection(), self.mark);
        let body = timeout(LIST, async { collected(self.get(&path, LISTED).await?).await })
            .await
            .map_err(|_| Trouble::Unreachable(format!("no list within {} s", LIST.as_secs())))??;
        let List { items, revision, from } = event::read_list(&body, &self.mark)?;
        Ok((Known::listed(items, revision), from.into_owned()))
    }

    async fn open(&self, from: &str) -> Result<Response<Body>, Trouble> {
        // Replicas that began together should not list together for ever.
        let seconds = WATCH_SECONDS + fastrand::u32(..WATCH_SECONDS / 4);
        let path = format!(
            "{}?watch=true&resourceVersion={from}&allowWatchBookmarks=true&timeoutSeconds={seconds}",
            self.kind.collection()
        );
        let opening = self.get(&path, PARTIAL_OBJECT_METADATA);
        timeout(LIST, opening).await.map_err(|_| Trouble::Unreachable("the watch was not answered".to_owned()))?
    }

    async fn get(&self, path: &str, accept: &str) -> Result<Response<Body>, Trouble> {
        let request = Request::get(path)
            .header(header::ACCEPT, accept)
            .body(Body::empty())
            .map_err(|error| Trouble::Unreachable(error.to_string()))?;
        let response = self.client.send(request).await.map_err(|error| Trouble::Unreachable(words(&error)))?;
        let code = response.status();
        if code.is_success() {
            return Ok(response);
        }
        let body = collected(response).await?;
        let message = serde_json::from_slice::<Status>(&body).map(|status| status.message).unwrap_or_default();
        Err(Trouble::Refused { code: code.as_u16(), message })
    }

    fn say(&self, trouble: &Trouble, said: &mut Option<String>) {
        let cause = trouble.to_string();
        let hint = if matches!(trouble, Trouble::Refused { code: 403, .. }) {
            "the ClusterRole needs a rule with the verbs list and watch on it; the chart grants them"
        } else {
            ""
        };
        if said.as_ref() != Some(&cause) {
            let resource = self.kind.resource;
            tracing::warn!(resource, cause, hint, "cannot watch: parents are looked up instead, one by one");
        }
        *said = Some(cause);
    }
}

async fn collected(response: Response<Body>) -> Result<Bytes, Trouble> {
    let body = Limited::new(response.into_body(), LIST_MAX).collect().await;
    Ok(body.map_err(|error| Trouble::Unreachable(root_cause(error.as_ref())))?.to_bytes())
}

/// What is watched has the type of one; what is listed has the type of many.
const LISTED: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
/// A watch that has not ended by itself after an hour begins again. The API server sends a bookmark each minute
/// (`defaultBookmarkFrequency` of its watch cache), so a dead connection is noticed much earlier.
const WATCH_SECONDS: u32 = 3600;
/// Two bookmarks are missing.
const QUIET: Duration = Duration::from_secs(150);
const LIST: Duration = Duration::from_secs(15);
/// No API server ends a watch so soon by itself.
const SHORT: Duration = Duration::from_secs(10);
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Twice what the API server lets an object weigh.
const LINE_MAX: usize = 6 << 20;
/// The metadata of ten thousand marked workloads of one kind.
const LIST_MAX: usize = 64 << 20;
