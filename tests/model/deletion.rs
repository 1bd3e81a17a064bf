//! Deletions: who wants them, what is sent, and what the API server does when one arrives.
//!
//! The grace is decided on when the API server reads the Pod, before it writes: nothing for one that is on no node or
//! has ended (`podStrategy.CheckGracefulDelete`). The admission of a deletion is told that grace, and sees the Pod in the
//! very revision that is written (`Store.updateForGracefulDeletionAndFinalizers`). With a grace of 0 the Pod is then taken
//! out, and the admission asked once more, with what was written (`Store.Delete`). Where it says no, the next update takes
//! the Pod out, whoever's it is, and no deletion's admission is asked (`Store.Update`, `ShouldDeleteDuringUpdate`).
//!
//! An eviction reads the Pod before the deletion does, and asks no admission when it comes to that. If the Pod is on no node
//! yet it carries the revision that was read, which comes to the same as being asked. If not, it carries the uid where that
//! was written into it as it was sent, and otherwise nothing (`EvictionREST.Create`). Not in the model, and a limit: an update
//! that meets a Pod at its very end takes out whatever has the name a moment later, and an eviction makes one.

use crate::admission::{self, Way};
use crate::cluster::Cluster;
use crate::pod::{Name, Pod, Uid};
use crate::world::World;

/// Somebody who deletes Pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Deleter {
    /// A person or a controller that deletes by name, or evicts what is on no node yet, and waits.
    Waits,
    /// A person that deletes by name and waits, and meets a Pod at its very end, with a grace of 0 in it: nothing is
    /// decided on, so the admission is told nothing, and whatever has the name by then is taken out.
    ComesLate,
    /// A person that deletes by name with a grace of 0, or evicts so, and the API server knows the Pod as it is.
    Forces,
    /// A person or a controller that evicts a Pod which is on a node, has ended or is to end, and waits: it has read the
    /// Pod once.
    Evicts,
    /// The deletion at the end of that.
    EvictsAtLast,
    /// A person that evicts by name with a grace of 0: judged when it is sent, by the Pod as a cache knows it.
    EvictsByCache,
    /// A deletion of many: the admission is told the grace that was requested, not the one that was decided on
    /// (`Store.DeleteCollection` hands on a copy of the options).
    DeletesMany,
    /// The Pod garbage collector: Pods that have ended, or whose node is gone; by name, with a grace of 0. It writes
    /// `Failed` first, to that very Pod (`markFailedAndDeletePodWithCondition`).
    PodGc,
    /// Our controller: Pods that have ended, by uid and with a grace of 0.
    Cleaner,
}

/// A deletion that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deletion {
    /// Who sent it.
    pub by: Deleter,
    /// The one Pod that it can meet, by its precondition or because its name was generated. Otherwise it meets the Pod
    /// that has the one name when it arrives, which may be the next one.
    pub uid: Option<Uid>,
    /// The grace that the API server has decided on, where it is known already.
    pub grace: Option<i64>,
}

impl Cluster {
    /// Somebody sees a Pod and sends a deletion.
    pub fn decides(&self, world: &mut World, by: Deleter, uid: Uid) -> bool {
        let seen = world.pods[uid].clone();
        let at_once = ends_at_once(&seen);
        let (may, grace) = match by {
            Deleter::Waits | Deleter::DeletesMany => (!seen.is_deleting, at_once.then_some(0)),
            Deleter::ComesLate => (seen.has_no_grace, Some(0)),
            Deleter::Evicts => (!at_once || seen.has_failed || seen.is_deleting, None),
            Deleter::EvictsAtLast => (false, None),
            Deleter::Forces => (true, Some(0)),
            Deleter::EvictsByCache => {
                let way = Way { grace: Some(0), written: None, user: PERSON, is_of_many: false };
                (!self.is_guarded || admission::admits_end(uid, &seen, way), Some(0))
            }
            Deleter::PodGc => (seen.has_failed || seen.node_is_dead, Some(0)),
            Deleter::Cleaner => (admission::is_cleaned(uid, &seen), Some(0)),
        };
        if may && by == Deleter::PodGc {
            world.pods[uid].has_failed = true;
        }
        let says_which = by == Deleter::Cleaner || by == Deleter::Evicts && self.evictions_say_which;
        let meets_one = says_which || seen.name == Name::Generated;
        world.is_sent(Deletion { by, uid: meets_one.then_some(uid), grace });
        may
    }

    /// A deletion arrives.
    pub fn deletes(&self, world: &mut World, deletion: Deletion) -> bool {
        world.has_answered(deletion);
        let Deletion { by, uid, grace } = deletion;
        let target = uid.or_else(|| world.named(Name::Key)).filter(|target| world.pods[*target].is_stored);
        let Some(target) = target else { return true };
        let pod = &mut world.pods[target];
        let (told, user) = match by {
            // The grace of the Pod's template, where it is no other.
            Deleter::Waits | Deleter::Forces => (grace.or(Some(30)), PERSON),
            Deleter::DeletesMany if !self.many_is_known => (Some(30), PERSON),
            Deleter::DeletesMany
            | Deleter::ComesLate
            | Deleter::Evicts
            | Deleter::EvictsAtLast
            | Deleter::EvictsByCache => (None, PERSON),
            Deleter::PodGc => (grace, POD_GC),
            Deleter::Cleaner => (grace, CLEANER),
        };
        let is_of_many = by == Deleter::DeletesMany && self.many_is_known;
        let is_admitted = |pod: &Pod, written| {
            let way = Way { grace: told, written, user, is_of_many };
            // Of an eviction, nobody is asked when the Pod itself is deleted.
            let is_asked = self.is_guarded && !matches!(by, Deleter::EvictsAtLast | Deleter::EvictsByCache);
            !is_asked || admission::admits_end(target, pod, way)
        };
        let written = pod.has_no_grace.then_some(0);
        if !is_admitted(pod, written) {
            return true;
        }
        pod.is_deleting = true;
        let at_once = grace == Some(0) || ends_at_once(pod);
        pod.has_no_grace = at_once;
        if at_once && is_admitted(pod, Some(0)) {
            pod.was_cleaned = by == Deleter::Cleaner;
            pod.is_taken_out();
        }
        true
    }

    /// A kubelet deletes a Pod that is to go and whose process has ended, by uid and with a grace of 0: the first step of
    /// the API server. The second is an update like any other.
    pub fn finishes(&self, pod: &mut Pod, uid: Uid) -> bool {
        let user = format!("system:node:worker-{uid}");
        let way = Way { grace: Some(0), written: None, user: &user, is_of_many: false };
        let is_admitted = !self.is_guarded || admission::admits_end(uid, pod, way);
        let may = pod.is_stored && pod.is_deleting && pod.is_over() && !pod.has_no_grace;
        pod.has_no_grace = true;
        may && is_admitted
    }
}

impl World {
    /// An eviction comes to its deletion, which reads the Pod again and decides on the grace: on nothing for one at its
    /// very end, and takes out whatever it meets then.
    pub fn reads_again(&mut self, eviction: Deletion) -> bool {
        self.has_answered(eviction);
        let target = eviction.uid.or_else(|| self.named(Name::Key)).map(|uid| &self.pods[uid]);
        if let Some(pod) = target.filter(|pod| pod.is_stored) {
            let grace = (pod.has_no_grace || ends_at_once(pod)).then_some(0);
            self.is_sent(Deletion { by: Deleter::EvictsAtLast, grace, ..eviction });
        }
        true
    }

    /// A deletion is under way; which of them came first makes no difference.
    fn is_sent(&mut self, deletion: Deletion) {
        self.deletions.push(deletion);
        self.deletions.sort_unstable();
        self.deletions.dedup();
    }

    /// A deletion is not under way any more.
    pub fn has_answered(&mut self, deletion: Deletion) -> bool {
        self.deletions.retain(|other| *other != deletion);
        true
    }
}

fn ends_at_once(pod: &Pod) -> bool {
    !pod.is_bound || pod.has_failed
}

const PERSON: &str = "kubernetes-admin";
const POD_GC: &str = "system:serviceaccount:kube-system:pod-garbage-collector";
const CLEANER: &str = "system:serviceaccount:singleton-guard:singleton-guard";
