//! The elector's process, whole: its log, what it serves to the outside, and the lock that it keeps.

use std::io;
use std::sync::Arc;

use tokio::runtime::Builder;
use tracing::{error, info, warn};

use super::args::Flags;
use super::control::Control;
use super::keeper::signals;
use super::lock::Lock;
use super::process::{self, NoElector};
use super::status::Status;
use super::timing::Timing;
use super::{exit, http, socket};

/// Runs until the command is gone and the lock is released, or the keeper has ended. Returns the exit status.
pub fn run(flags: &Flags, lock: &Lock, identity: &str, timing: Timing) -> io::Result<u8> {
    // Before there are threads.
    signals::leave_to_the_keeper()?;
    // There is no other in this process.
    let _set = tracing_subscriber::fmt().with_writer(io::stderr).with_target(false).with_ansi(false).try_init();
    let control = Arc::new(Control::new(Status::new(lock.to_string(), identity.to_owned(), timing.lease)));
    // A write every few seconds, and a few who look: one thread is enough.
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        if let Err(error) = serve(flags, lock, identity, &control).await {
            error!("{error}");
            return Ok(exit::CONFIGURATION);
        }
        info!("{identity} waits for {lock}: {timing}");
        match process::run(lock, identity, timing, &control).await {
            Ok(()) => Ok(0),
            Err(NoElector::Store(error)) => {
                error!("{error}");
                Ok(exit::CONFIGURATION)
            }
            Err(NoElector::Keeper(error)) => Err(error),
        }
    })
}

async fn serve(flags: &Flags, lock: &Lock, identity: &str, control: &Arc<Control>) -> Result<(), String> {
    if let Some(address) = &flags.http {
        let listener = http::listen(address).await.map_err(|error| format!("--http {address}: {error}"))?;
        tokio::spawn(http::serve(listener, Arc::clone(control)));
    }
    match socket::open(&lock.to_string(), identity) {
        Ok(listener) => drop(tokio::spawn(socket::serve(listener, Arc::clone(control)))),
        // What is asked locally is a convenience. Another elect of this lock and name is worth a word.
        Err(error) => warn!("elect status and elect step-down do not reach this replica: {error}"),
    }
    Ok(())
}
