//! How a replica is, for people and programs: pure. The elector writes it, and `/status`, `/active`, `/watch`, `/metrics`
//! and the local socket show it. Its times are readings of `CLOCK_BOOTTIME`, so that what is shown is counted when it is
//! asked for.

use std::time::Duration;

use serde::Serialize;

/// What a replica is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It waits for the lock.
    Passive,
    /// It holds the lock, and its command is being started.
    Starting,
    /// Its command runs.
    Active,
    /// Its command is being ended.
    Stopping,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Passive, Self::Starting, Self::Active, Self::Stopping];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Passive => "passive",
            Self::Starting => "starting",
            Self::Active => "active",
            Self::Stopping => "stopping",
        }
    }
}

/// How a replica is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The lock.
    pub lock: String,
    /// This replica.
    pub identity: String,
    /// What it is doing.
    pub role: Role,
    /// Who holds the lock, as far as this replica has seen.
    pub holder: Option<String>,
    /// The fencing token of its command.
    pub token: Option<u64>,
    /// Until when it holds the lock if it hears nothing more from the store.
    pub valid_until: Option<Duration>,
    /// Since when its command runs.
    pub active_since: Option<Duration>,
    /// After how long it takes over when the holder crashes.
    pub takes_over_after: Duration,
    /// When it last heard from the store.
    pub heard: Option<Duration>,
    /// When a call of the store last failed, and how.
    pub failed: Option<(Duration, String)>,
    /// Whether the keeper answers.
    pub keeper_answers: bool,
}

impl Status {
    /// Before anything has happened.
    #[must_use]
    pub fn new(lock: String, identity: String, takes_over_after: Duration) -> Self {
        Self {
            lock,
            identity,
            role: Role::Passive,
            holder: None,
            token: None,
            valid_until: None,
            active_since: None,
            takes_over_after,
            heard: None,
            failed: None,
            keeper_answers: true,
        }
    }

    /// Whether the command runs and the lock is held at this moment.
    #[must_use]
    pub fn active(&self, now: Duration) -> bool {
        self.role == Role::Active && self.valid_until.is_some_and(|until| now < until)
    }

    /// Whether it is active or could become so: it has heard from the store within the time after which it would take over.
    #[must_use]
    pub fn ready(&self, now: Duration) -> bool {
        self.heard.is_some_and(|heard| now.saturating_sub(heard) <= self.takes_over_after)
    }

    /// As `/status` shows it, in one line.
    #[must_use]
    pub fn shown(&self, now: Duration) -> String {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let shown = Shown {
            lock: &self.lock,
            identity: &self.identity,
            role: self.role,
            active: self.active(now),
            holder: self.holder.as_deref(),
            token: self.token.map(|token| token.to_string()),
            valid_for_ms: self.valid_until.map(|until| milliseconds(until.saturating_sub(now))),
            active_for_ms: self.active_since.map(|since| milliseconds(now.saturating_sub(since))),
            takes_over_after_ms: milliseconds(self.takes_over_after),
            store_heard_ms_ago: self.heard.map(|heard| milliseconds(now.saturating_sub(heard))),
            store_error_ms_ago: self.failed.as_ref().map(|(when, _)| milliseconds(now.saturating_sub(*when))),
            store_error: self.failed.as_ref().map(|(_, error)| error.as_str()),
        };
        serde_json::to_string(&shown).unwrap_or_default()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    lock: &'a str,
    identity: &'a str,
    role: Role,
    active: bool,
    holder: Option<&'a str>,
    /// As text: a number above 2^53 is not the same any more in many JSON libraries.
    token: Option<String>,
    valid_for_ms: Option<u64>,
    active_for_ms: Option<u64>,
    takes_over_after_ms: u64,
    store_heard_ms_ago: Option<u64>,
    store_error_ms_ago: Option<u64>,
    store_error: Option<&'a str>,
}
