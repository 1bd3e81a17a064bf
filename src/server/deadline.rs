//! When a review has to be answered: the API server says in `?timeout=` when it will stop waiting, and the user
//! should get our words before that.

use std::time::Duration;

use tokio::time::Instant;

/// The two instants that bound the work on one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    started: Instant,
    answer: Instant,
}

impl Deadline {
    /// Reads the query of a request that began at `started`.
    ///
    /// The API server sends `timeoutSeconds` of the webhook as `timeout=10s`, Go's notation of a duration. A margin
    /// is kept for the way back. Without a readable one, [`DEFAULT_TIMEOUT`] counts.
    #[must_use]
    pub fn new(query: Option<&str>, started: Instant) -> Self {
        let timeout = query.and_then(timeout).unwrap_or(DEFAULT_TIMEOUT);
        let margin = (timeout / 5).min(MARGIN);
        Self { started, answer: started + timeout.saturating_sub(margin) }
    }

    /// When the body must be there, if it may take `limit`.
    #[must_use]
    pub fn body(&self, limit: Duration) -> Instant {
        self.answer.min(self.started + limit)
    }

    /// When a look-up that begins now must be answered.
    #[must_use]
    pub fn lookup(&self, now: Instant) -> Instant {
        self.answer.min(now + LOOKUP)
    }
}

/// Reads `timeout` from a query, if it is positive.
fn timeout(query: &str) -> Option<Duration> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("timeout="))?;
    parse(value).filter(|timeout| !timeout.is_zero()).map(|timeout| timeout.min(MAX_TIMEOUT))
}

/// Reads what Go's `Duration.String` writes, as in `10s`, `1m30s`, `1.5s` or `500ms`.
fn parse(mut text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    while !text.is_empty() {
        let number = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (value, rest) = text.split_at_checked(number)?;
        let (unit, rest) = UNITS.iter().find_map(|(name, unit)| Some((*unit, rest.strip_prefix(name)?)))?;
        let seconds = value.parse::<f64>().ok()? * unit;
        total = total.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        text = rest;
    }
    Some(total)
}

/// What Kubernetes uses for a webhook without `timeoutSeconds`.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// The most that `timeoutSeconds` can be.
const MAX_TIMEOUT: Duration = Duration::from_secs(30);
/// How much of the timeout is kept for the way back; of a short timeout it is a fifth.
const MARGIN: Duration = Duration::from_millis(500);
/// How long a look-up may take. A metadata GET takes milliseconds: one that takes longer than this fails anyway, and the
/// user is waiting.
const LOOKUP: Duration = Duration::from_millis(2500);
/// The units of Go's durations, in seconds; `ms` stands before `m`, because it begins with it.
const UNITS: [(&str, f64); 7] =
    [("ms", 1e-3), ("us", 1e-6), ("µs", 1e-6), ("ns", 1e-9), ("h", 3600.0), ("m", 60.0), ("s", 1.0)];
