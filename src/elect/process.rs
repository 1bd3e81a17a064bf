//! The elector as a process: its end of the link to the keeper, its store, and the number that it draws.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tokio::time::sleep;
use tracing::error;

use super::clock::now;
use super::control::Control;
use super::elector::{self, Keeper};
use super::keeper::fallback;
use super::link::{Came, Link};
use super::lock::Lock;
use super::state::Candidate;
use super::store::{Failed, Store};
use super::timing::Timing;
use super::wire::{ToElector, ToKeeper};

/// Why there is no elector.
#[derive(Debug, Error)]
pub enum NoElector {
    /// What was configured cannot be used.
    #[error(transparent)]
    Store(#[from] Failed),
    /// There is no keeper at the other end of the standard input.
    #[error("elect was not started by its keeper: {0}")]
    Keeper(#[from] io::Error),
}

/// Runs in the process that a keeper has started as its elector, until there is nothing left to do.
pub async fn run(lock: &Lock, holder: &str, timing: Timing, control: &Control) -> Result<(), NoElector> {
    let store = Store::open(lock)?;
    let link = Link::inherited()?;
    // It is no socket for datagrams, but tokio is only to say when it can be read.
    let socket = UnixDatagram::from_std(link.as_fd().try_clone_to_owned()?.into())?;
    let keeper = OverLink { control, timing, unanswered: Cell::new(None), link, socket };
    // Two that drew the same would take each other's record for their own: one chance in 2^64.
    let me = Candidate { holder: Arc::from(holder), by: fastrand::u64(..), timing };
    elector::run(me, &store, &keeper, control).await;
    Ok(())
}

struct OverLink<'d> {
    control: &'d Control,
    timing: Timing,
    /// Since when the keeper owes an answer.
    unanswered: Cell<Option<Duration>>,
    link: Link,
    /// The same.
    socket: UnixDatagram,
}

impl OverLink<'_> {
    async fn heard(&self) -> Option<ToElector> {
        let receive = || match self.link.receive() {
            Came::Nothing => Err(ErrorKind::WouldBlock.into()),
            came => Ok(came),
        };
        loop {
            self.socket.readable().await.ok()?;
            match self.socket.try_io(Interest::READABLE, receive) {
                Ok(Came::Message(message)) => {
                    self.unanswered.set(None);
                    self.control.update(|status| status.keeper_answers = true);
                    return Some(message);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Ok(Came::Nothing | Came::Ended) | Err(_) => return None,
            }
        }
    }

    /// Returns when the keeper has been silent for as long as the store may be: one that was stopped passes no signal on, and
    /// is done without. Whoever waits here may be dropped and come again.
    async fn silent(&self) {
        loop {
            let silence = self.unanswered.get().map(|since| now().boot.saturating_sub(since)).unwrap_or_default();
            if silence >= self.timing.call {
                self.control.update(|status| status.keeper_answers = false);
            }
            if silence >= self.timing.stop_after {
                return;
            }
            sleep(self.timing.look()).await;
        }
    }
}

impl Keeper for OverLink<'_> {
    fn tell(&self, message: ToKeeper) -> io::Result<()> {
        if matches!(message, ToKeeper::Until { .. }) && self.unanswered.get().is_none() {
            self.unanswered.set(Some(now().boot));
        }
        self.link.send(message)
    }

    async fn hears(&self) -> Option<ToElector> {
        tokio::select! {
            biased;
            heard = self.heard() => heard,
            () = self.silent() => {
                error!("the keeper does not answer, so the command and the keeper are killed");
                self.kill();
                None
            }
        }
    }

    fn kill(&self) {
        match fallback::end(self.timing.margin / 2) {
            Ok(true) => {}
            Ok(false) => error!("something of the command is still alive"),
            Err(error) => error!("the command cannot be ended: {error}"),
        }
    }
}
