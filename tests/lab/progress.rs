//! What the person in front of the screen sees while the lab is built and booted: one line per step.
//!
//! It only tells. Nothing waits for it, and nothing reads it back.

use std::fmt;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A clock and a place to write to. Clones share both.
#[derive(Clone)]
pub(crate) struct Progress {
    started: Instant,
    sink: Arc<Sink>,
}

impl Progress {
    /// Hands every step to `sink`, with the time since this call.
    pub(crate) fn new(sink: impl Fn(Duration, &str) + Send + Sync + 'static) -> Self {
        Self { started: Instant::now(), sink: Arc::new(sink) }
    }

    /// One line on standard error per step, such as `[  3.1s] the API server is ready`.
    pub(crate) fn to_stderr() -> Self {
        Self::new(|elapsed, step| {
            // A closed standard error is no reason to stop.
            let _ = writeln!(std::io::stderr(), "[{:>5.1}s] {step}", elapsed.as_secs_f64());
        })
    }

    /// Says nothing.
    pub(crate) fn silent() -> Self {
        Self::new(|_, _| ())
    }

    /// Reports that `step` is done, or where a long one stands.
    pub(crate) fn step(&self, step: &str) {
        (self.sink)(self.started.elapsed(), step);
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").field("started", &self.started).finish_non_exhaustive()
    }
}

type Sink = dyn Fn(Duration, &str) + Send + Sync;
