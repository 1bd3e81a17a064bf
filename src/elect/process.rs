//! The elector as a process: its end of the link to the keeper, its store, and the number that it draws.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::io::Interest;
use tokio::net::UnixDatagram;
use tracing::error;

use super::desk::Desk;
use super::elector::{self, Keeper};
use super::keeper::instead;
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
pub async fn run(lock: &Lock, holder: &str, timing: Timing, desk: &Desk) -> Result<(), NoElector> {
    let store = Store::open(lock)?;
    let link = Link::inherited()?;
    // It is no socket for datagrams, but tokio is only to say when it can be read.
    let socket = UnixDatagram::from_std(link.as_fd().try_clone_to_owned()?.into())?;
    let keeper = OverLink { link, socket, patience: timing.margin / 2 };
    // Two that drew the same would take each other's record for their own: one chance in 2^64.
    let me = Candidate { holder: Arc::from(holder), by: fastrand::u64(..), timing };
    elector::run(me, &store, &keeper, desk).await;
    Ok(())
}

struct OverLink {
    link: Link,
    /// The same.
    socket: UnixDatagram,
    /// For how long what was killed may take to be gone.
    patience: Duration,
}

impl Keeper for OverLink {
    fn tell(&self, message: ToKeeper) -> io::Result<()> {
        self.link.send(message)
    }

    async fn hears(&self) -> Option<ToElector> {
        let receive = || match self.link.receive() {
            Came::Nothing => Err(ErrorKind::WouldBlock.into()),
            came => Ok(came),
        };
        loop {
            self.socket.readable().await.ok()?;
            match self.socket.try_io(Interest::READABLE, receive) {
                Ok(Came::Message(message)) => return Some(message),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Ok(Came::Nothing | Came::Ended) | Err(_) => return None,
            }
        }
    }

    fn kill(&self) {
        match instead::end(self.patience) {
            Ok(true) => {}
            Ok(false) => error!("something of the command is still alive"),
            Err(error) => error!("the command cannot be ended: {error}"),
        }
    }
}
