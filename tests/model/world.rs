//! The state of the whole cluster, and what must and can be true of it.

use crate::deletion::Deletion;
use crate::pod::{Pod, Process, Ticket, Write};

/// Everything there is at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct World {
    /// The Pods, by uid.
    pub pods: Vec<Pod>,
    /// The new Pods that are under way, sorted: which came first makes no difference.
    pub writes: Vec<Write>,
    /// The deletions that are under way, sorted.
    pub deletions: Vec<Deletion>,
    /// Who holds the Lease.
    pub lease: Option<Ticket>,
}

impl World {
    /// Never two Pod objects of one key.
    pub fn has_one_pod(&self) -> bool {
        self.pods.iter().filter(|pod| pod.is_stored && pod.has_key).count() <= 1
    }

    /// Never two processes of one key, unless somebody declared the node of one dead.
    pub fn has_one_process(&self) -> bool {
        self.pods.iter().filter(|pod| pod.runs() && !pod.node_is_dead).count() <= 1
    }

    /// One runs, and one has run before.
    pub fn has_taken_over(&self) -> bool {
        let ended = |pod: &Pod| !pod.is_stored && pod.process == Process::Ended;
        self.pods.iter().any(ended) && self.pods.iter().any(Pod::runs)
    }

    /// One runs, and one was deleted by the cleaner before.
    pub fn has_replaced_what_was_cleaned(&self) -> bool {
        self.pods.iter().any(|pod| pod.was_cleaned) && self.pods.iter().any(Pod::runs)
    }

    /// Two run: nothing in a cluster can stop a machine that was declared dead and is not.
    pub fn runs_on_where_declared_dead(&self) -> bool {
        self.pods.iter().filter(|pod| pod.runs()).count() > 1
    }
}

/// [`World::has_one_pod`].
pub const ONE_POD: &str = "never two Pods";
/// [`World::has_one_process`].
pub const ONE_PROCESS: &str = "never two processes";
/// [`World::has_taken_over`].
pub const TAKEOVER: &str = "the next one runs when the one before has ended";
/// [`World::has_replaced_what_was_cleaned`].
pub const CLEANED: &str = "the next one runs when one that ended was cleaned up";
/// [`World::runs_on_where_declared_dead`].
pub const DECLARED_DEAD: &str = "two run, where the node of one was declared dead";
