//! The tasks that a process consists of, and what asks it to end.

use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{Id, JoinSet};

use super::error::RunError;

/// Tasks by name.
pub(super) struct Tasks {
    pub(super) follower: Handle,
    pub(super) set: JoinSet<()>,
    pub(super) names: Vec<(Id, &'static str)>,
}

impl Tasks {
    pub(super) fn start(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.names.push((self.set.spawn(task).id(), name));
    }

    /// Starts it where the cluster is followed.
    pub(super) fn follow(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.names.push((self.set.spawn_on(task, &self.follower).id(), name));
    }

    /// Also after a panic, which the log has words about.
    pub(super) async fn first_to_end(&mut self) -> &'static str {
        let id = match self.set.join_next_with_id().await {
            Some(Ok((id, ()))) => id,
            Some(Err(error)) => error.id(),
            None => return "none",
        };
        self.names.iter().find(|(task, _)| *task == id).map_or("unknown", |(_, name)| *name)
    }
}

/// What asks a process to end.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, RunError> {
        let listen = |kind| signal(kind).map_err(|cause| RunError::System { what: "cannot wait for signals", cause });
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
