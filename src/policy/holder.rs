//! Who holds the name of a strict singleton: the Pod that is there while another one is asked for. What is said about it
//! is advice; the lock is the name itself.

use std::time::{Duration, SystemTime};

use serde::de::IgnoredAny;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::api::json::{few_objects, nullable, object};
use crate::api::key::KEY;
use crate::api::labels::Labels;
use crate::api::metadata::OwnerReference;

/// The Pod that has the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its node; empty while it has none.
    pub node: String,
    /// Whether it is of a strict singleton itself, and not one that only happens to be called so.
    pub is_strict: bool,
    /// The uid of its controller; empty where it has none.
    pub controller: String,
    /// What becomes of it.
    pub state: State,
}

/// What becomes of a Pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing: it runs, or is about to.
    Stays,
    /// It was asked to end, so long ago.
    Ends(Duration),
    /// All its containers have ended for good (phase `Succeeded` or `Failed`), and nobody has deleted it yet.
    Ended,
    /// The same, but it was asked to end before, so long ago: its kubelet has yet to take it away.
    Lingers(Duration),
    /// It runs nowhere, was asked to end, so long ago, and is deleted but for its finalizers.
    Finalizes(Duration),
}

/// That a Pod was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    at: SystemTime,
    has_no_grace: bool,
    has_finalizers: bool,
}

impl Holder {
    /// Reads a Pod as the API server sends it.
    ///
    /// # Errors
    /// The body is not a Pod.
    pub fn read(body: &[u8], now: SystemTime) -> Result<Self, serde_json::Error> {
        let pod: Pod<'_> = serde_json::from_slice(body)?;
        let Metadata { labels, owner_references, deletion_timestamp, deletion_grace_period_seconds: grace, finalizers } =
            pod.metadata;
        let controller = owner_references.into_iter().find(OwnerReference::is_controller);
        let controller = controller.map(|owner| owner.uid.into_owned()).unwrap_or_default();
        let asked = deletion_timestamp.map(|gone_by| Asked::parse(&gone_by, grace, !finalizers.is_empty()));
        let Spec { node_name: node } = pod.spec;
        let state = State::of(asked, &node, is_terminal(&pod.status.phase), now);
        Ok(Self { node, is_strict: labels.get(KEY).is_some(), controller, state })
    }

    /// Whether it was asked to end.
    #[must_use]
    pub const fn was_asked(&self) -> bool {
        matches!(self.state, State::Ends(_) | State::Lingers(_) | State::Finalizes(_))
    }
}

impl State {
    /// Of a Pod: whether it was asked to end, the node that it is bound to, if it is to one, and whether it has ended.
    #[must_use]
    pub fn of(asked: Option<Asked>, node: &str, is_terminal: bool, now: SystemTime) -> Self {
        let since = |at| now.duration_since(at).unwrap_or_default();
        let may_run = !node.is_empty() && !is_terminal;
        match asked {
            Some(Asked { at, has_no_grace: true, has_finalizers: true }) if !may_run => Self::Finalizes(since(at)),
            Some(Asked { at, .. }) if is_terminal => Self::Lingers(since(at)),
            Some(Asked { at, .. }) => Self::Ends(since(at)),
            None if is_terminal => Self::Ended,
            None => Self::Stays,
        }
    }
}

impl Asked {
    /// Reads a `deletionTimestamp` as it is written (RFC 3339). One that cannot be read is beyond the year 9999, which an
    /// endless grace makes of it.
    #[must_use]
    pub fn parse(deletion_timestamp: &str, grace: Option<u64>, has_finalizers: bool) -> Self {
        let gone_by = OffsetDateTime::parse(deletion_timestamp, &Rfc3339).map(SystemTime::from);
        Self::read(gone_by.unwrap_or(SystemTime::UNIX_EPOCH + YEAR_9999), grace, has_finalizers)
    }

    /// Reads a Pod's `deletionTimestamp`, which is when it has to be gone: the time of asking and the grace, its
    /// `deletionGracePeriodSeconds`. Whoever deletes it may give any grace, and the API server then writes a time that
    /// overflowed; where the time of asking would be before 1970 it is the `deletionTimestamp` itself.
    #[must_use]
    pub fn read(deletion_timestamp: SystemTime, grace: Option<u64>, has_finalizers: bool) -> Self {
        let at = deletion_timestamp.checked_sub(Duration::from_secs(grace.unwrap_or_default()));
        let at = at.filter(|at| *at >= SystemTime::UNIX_EPOCH).unwrap_or(deletion_timestamp);
        Self { at, has_no_grace: grace == Some(0), has_finalizers }
    }
}

/// Whether a Pod of this phase has no process any more: its kubelet writes that only then, but for a moment after it has
/// started itself ([`crate::strict::liveness`]), and the Pod garbage collector writes it for a node that is gone.
#[must_use]
pub fn is_terminal(phase: &str) -> bool {
    matches!(phase, "Succeeded" | "Failed")
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Pod<'a> {
    #[serde(borrow, deserialize_with = "object")]
    metadata: Metadata<'a>,
    #[serde(deserialize_with = "object")]
    spec: Spec,
    #[serde(deserialize_with = "object")]
    status: Status,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    labels: Labels<'a>,
    #[serde(borrow, deserialize_with = "few_objects")]
    owner_references: Vec<OwnerReference<'a>>,
    deletion_timestamp: Option<String>,
    deletion_grace_period_seconds: Option<u64>,
    #[serde(deserialize_with = "nullable")]
    finalizers: Vec<IgnoredAny>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    node_name: String,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Status {
    phase: String,
}

/// Its last second, counted from 1970.
const YEAR_9999: Duration = Duration::from_secs(253_402_300_799);
