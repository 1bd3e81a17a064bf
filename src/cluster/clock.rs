//! The API server's clock. Certificates are verified by it, and it is the one clock that all replicas have in common:
//! ours may be wrong by any amount. Every answer tells it (the header `Date` of RFC 9110); what has passed since then
//! is measured by a clock that only goes forward.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, header};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// The time by the API server's clock, as its answers tell it. Clones share what they know.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    known: Arc<RwLock<Option<Known>>>,
}

/// The latest that the API server's time was known to be, and when that was.
#[derive(Debug, Clone, Copy)]
struct Known {
    time: SystemTime,
    at: Instant,
}

impl Clock {
    /// What time it is: never ahead of the API server, and behind it by less than a second. Before the first answer it is
    /// what our own clock says.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.at(Instant::now()).unwrap_or_else(SystemTime::now)
    }

    /// What time it is at a moment; `None` before the first answer.
    #[must_use]
    pub fn at(&self, moment: Instant) -> Option<SystemTime> {
        let known = *self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.map(|known| known.time + moment.saturating_duration_since(known.at))
    }

    /// An answer that was asked for and has come at these moments says this time, in whole seconds.
    pub fn heard(&self, said: SystemTime, asked: Instant, come: Instant) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // It was written after the question, so the time is at most a part of a second and the wait for it later than
        // said. Whoever is ahead of that believes in a clock that was set back since.
        let latest = said + FRACTION + come.saturating_duration_since(asked);
        let believed = known.map(|known| known.time + come.saturating_duration_since(known.at));
        if believed.is_none_or(|believed| believed < said || believed > latest) {
            *known = Some(Known { time: said, at: come });
        }
    }

    pub(super) fn heed(&self, headers: &HeaderMap, asked: Instant) {
        if let Some(said) = date(headers) {
            self.heard(said, asked, Instant::now());
        }
    }
}

/// When an answer was written, by the clock of who wrote it.
pub(crate) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    OffsetDateTime::parse(headers.get(header::DATE)?.to_str().ok()?, &Rfc2822).ok().map(SystemTime::from)
}

/// `Date` leaves it out.
const FRACTION: Duration = Duration::from_secs(1);
