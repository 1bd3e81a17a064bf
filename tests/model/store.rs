//! The API server's store, the scheduler and the kubelets: what a step that somebody takes makes of the world. Each says
//! whether it is possible.

use crate::pod::{Claim, Name, Pod, Process, Uid, Write};
use crate::world::World;

impl World {
    /// The Pod that has this name.
    pub fn named(&self, name: Name) -> Option<Uid> {
        self.pods.iter().position(|pod| pod.is_stored && pod.name == name && name != Name::Generated)
    }

    /// A new Pod is admitted.
    pub fn is_asked(&mut self, write: Write) -> bool {
        self.writes.push(write);
        self.writes.sort_unstable();
        true
    }

    /// Create-if-absent: there is at most one object of a name.
    pub fn creates(&mut self, write: Write) -> bool {
        self.has_lost(write);
        if self.named(write.name).is_none() {
            self.pods.push(Pod::new(write));
        }
        true
    }

    /// A new Pod is not under way any more.
    pub fn has_lost(&mut self, write: Write) -> bool {
        self.writes.iter().position(|other| *other == write).map(|at| self.writes.remove(at)).is_some()
    }

    /// Compare-and-swap: the Lease is taken if nobody has since it was read.
    pub fn claims(&mut self, write: Write) -> bool {
        self.has_lost(write);
        if write.claim != Some(Claim::Free { holder: self.lease }) {
            return true;
        }
        let ticket = self.lease.map_or(0, |last| last + 1);
        self.lease = Some(ticket);
        self.is_asked(Write { claim: Some(Claim::Holds(ticket)), ..write })
    }

    /// Whether the holder of the Lease is in the store.
    pub fn lease_is_held(&self) -> bool {
        let holds = self.lease.map(Claim::Holds);
        holds.is_some() && self.pods.iter().any(|pod| pod.is_stored && pod.claim == holds)
    }
}

impl Pod {
    /// The scheduler binds it; the API server refuses that for one that is being deleted.
    pub fn binds(&mut self) -> bool {
        let may = self.is_stored && !self.is_bound && !self.is_deleting && !self.has_failed;
        self.is_bound = true;
        may
    }

    /// Somebody updates it, its kubelet or anybody: one that is to be deleted without grace goes with that.
    pub fn is_updated(&mut self) -> bool {
        let goes = self.is_stored && self.has_no_grace;
        self.is_taken_out();
        goes
    }

    /// Its kubelet starts it once, and needs to have heard of it only, not to hear that it is still there.
    pub fn starts(&mut self) -> bool {
        let may = self.is_bound && self.process == Process::Awaited;
        self.process = Process::Runs;
        may
    }

    /// It ends.
    pub fn ends(&mut self) -> bool {
        let may = self.process == Process::Runs;
        self.is_over_as(Process::Ended);
        may
    }

    /// Its kubelet does not take it, or hears of its deletion before it has begun.
    pub fn is_refused(&mut self) -> bool {
        let may = self.is_bound && self.process == Process::Awaited;
        self.is_over_as(Process::Refused);
        may
    }

    fn is_over_as(&mut self, process: Process) {
        self.process = process;
        if !self.is_stored {
            self.is_taken_out();
        }
    }

    /// The kubelet never writes a final phase while containers may run (`mergePodStatus` of its status manager). Not in the
    /// model: one that has just started and does not take a Pod back, for which [`admission::is_cleaned`] waits.
    pub fn reports(&mut self) -> bool {
        let may = self.is_stored && self.is_over() && !self.has_failed;
        self.has_failed = true;
        may
    }

    /// Somebody deletes its Node object, or says that the machine is out of service.
    pub fn node_dies(&mut self) -> bool {
        let may = self.is_stored && self.is_bound && !self.node_is_dead;
        self.node_is_dead = true;
        may
    }
}
