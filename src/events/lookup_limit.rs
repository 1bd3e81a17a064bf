//! How often an object is looked up before an Event about it is written: a bound of its own, so that forged reviews cannot use
//! up the Events that may be written. Data only; the clock is passed in.

use std::collections::VecDeque;

use tokio::time::Instant;

use super::aggregator::PERIOD;

/// When the last look-ups were made, the oldest first.
#[derive(Debug, Default)]
pub struct LookupLimit(VecDeque<Instant>);

impl LookupLimit {
    /// Whether one more question may be asked now. Then it counts as asked.
    pub fn may_ask(&mut self, now: Instant) -> bool {
        while self.0.front().is_some_and(|first| *first + PERIOD <= now) {
            self.0.pop_front();
        }
        let may = self.0.len() < ASKED_MAX;
        if may {
            self.0.push_back(now);
        }
        may
    }
}

/// At most so many questions in a [`PERIOD`]: ten a second on average, which an API server does not notice.
pub const ASKED_MAX: usize = 600;
