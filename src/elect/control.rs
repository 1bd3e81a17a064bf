//! The state of an elector that it shares with whoever shows it or asks it to hand over: so the elector knows neither HTTP nor
//! sockets.

use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::keeper::boottime;
use super::metrics::Metrics;
use super::status::{Role, Status};

/// One for each elector.
#[derive(Debug)]
pub struct Control {
    status: watch::Sender<Status>,
    hand_over: Notify,
    /// What is counted.
    pub metrics: Metrics,
}

impl Control {
    /// With a first status.
    #[must_use]
    pub fn new(status: Status) -> Self {
        Self { status: watch::Sender::new(status), hand_over: Notify::new(), metrics: Metrics::new() }
    }

    /// Changes the status, and tells those who follow it if that is a change.
    pub fn update(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            *status != before
        });
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Follows it.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Asks the elector to hand over. Whether there is anything to hand over.
    pub fn ask_to_hand_over(&self) -> bool {
        let has_it = self.status.borrow().role != Role::Passive;
        if has_it {
            self.hand_over.notify_one();
        }
        has_it
    }

    /// For the elector: returns when it is asked to hand over.
    pub async fn asked_to_hand_over(&self) {
        self.hand_over.notified().await;
    }
}

/// The time in which a [`Status`] counts.
#[must_use]
pub fn now() -> Duration {
    Duration::from_nanos(boottime())
}
