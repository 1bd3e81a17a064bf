//! The protocol of strict singletons, checked in every state that a small cluster can come to, by [stateright]. What the
//! API server asks about a Pod goes through the very functions of the rules, so a rule that lets one case through turns
//! this red.
//!
//! *Modelled*: three Pods in all, and up to as many creations under way at once, for controllers of any number of
//! workloads with one key and for people; deletions and evictions by people and controllers, forced or not; the Pod
//! garbage collector, which deletes by name what it saw long ago; our cleaner; the scheduler; kubelets, which start a
//! process also when the Pod is gone by then, and go on until they hear of it; nodes that are declared dead and run on.
//! The store refuses a second object of a name, and a deletion of another uid than it names. Nothing else is atomic:
//!
//! | fault | how it is modelled |
//! |---|---|
//! | a crash of a controller or of ours between two steps; a lost reply | nobody remembers anything: whoever asked may ask again at any time |
//! | a write that commits late, after others, or never | deciding and arriving are two steps, with anything between them |
//! | a reader with an old cache (controllers, the garbage collector, SG010, the cleaner) | the same: what was decided on was true once |
//! | our webhook or its look-up is dead | it answers each question or does not |
//! | the mutating side is dead, where a webhook names the Pods | [`Ask::Uncompleted`] |
//!
//! *Not modelled*: a machine that runs on although its node was declared dead (that two run then is shown, not
//! prevented), static Pods, a second cluster, etcd restored from a backup, people who write `status.phase`, who break
//! the glass, or who may change the policies. Time: nothing here depends on it. Whether a step ever comes: only
//! that it can.

#![allow(clippy::panic, clippy::indexing_slicing, clippy::print_stderr, reason = "a test that cannot go on has failed")]
#![allow(unreachable_pub, reason = "the modules of a test are not for others")]

#[path = "model/admission.rs"]
mod admission;
#[path = "model/check.rs"]
mod check;
#[path = "model/cluster.rs"]
mod cluster;
#[path = "model/deletion.rs"]
mod deletion;
#[path = "model/pod.rs"]
mod pod;
#[path = "model/store.rs"]
mod store;
#[path = "model/world.rs"]
mod world;

use check::{holds, is_refuted};
use cluster::{Ask, Cluster, Lock, Webhook};
use deletion::Deleter;
use world::{CLEANED, DECLARED_DEAD, ONE_POD, ONE_PROCESS, TAKEOVER};

/// Everybody takes part, and what is shipped protects.
fn shipped() -> Cluster {
    Cluster {
        pods: 3,
        deletions: 2,
        lock: Lock::Name,
        is_guarded: true,
        many_is_known: true,
        evictions_say_which: true,
        asks: vec![Ask::OfTemplate, Ask::Named, Ask::Uncompleted, Ask::Misnamed, Ask::Squatter, Ask::Stranger],
        webhook: vec![Webhook::Sees, Webhook::IsBlind],
        deleters: vec![
            Deleter::Waits,
            Deleter::ComesLate,
            Deleter::Forces,
            Deleter::DeletesMany,
            Deleter::Evicts,
            Deleter::PodGc,
            Deleter::Cleaner,
        ],
        nodes_die: true,
    }
}

/// Two controllers at most, and no node dies: less is enough to refute.
fn small() -> Cluster {
    Cluster { asks: vec![Ask::OfTemplate], deleters: vec![Deleter::Waits], nodes_die: false, ..shipped() }
}

#[test]
fn never_two_pods_nor_two_processes_whatever_fails() {
    holds("the shipped protocol", shipped(), &[TAKEOVER, CLEANED, DECLARED_DEAD]);
}

#[test]
fn while_our_process_is_dead_there_is_one_and_the_next_one_starts() {
    let deleters = vec![Deleter::Waits, Deleter::Forces, Deleter::PodGc];
    let cluster = Cluster { asks: vec![Ask::OfTemplate], webhook: vec![Webhook::IsBlind], deleters, ..shipped() };
    holds("without our process", cluster, &[TAKEOVER, DECLARED_DEAD]);
}

#[test]
fn while_nothing_names_pods_none_starts() {
    holds("without names", Cluster { asks: vec![Ask::Uncompleted], ..shipped() }, &[]);
}

#[test]
fn a_pod_that_ended_keeps_the_name_until_the_cleaner_comes() {
    holds("without the cleaner", Cluster { deleters: vec![], ..small() }, &[]);
    holds("with the cleaner alone", Cluster { deleters: vec![Deleter::Cleaner], ..small() }, &[TAKEOVER, CLEANED]);
}

/// What is asked about a holder that is admitted and not stored yet is answered "gone".
#[test]
fn a_lease_that_is_claimed_at_creation_lets_two_run() {
    is_refuted("a Lease at CREATE", &Cluster { lock: Lock::Lease, ..small() }, &[ONE_POD, ONE_PROCESS]);
}

#[test]
fn generated_names_let_two_run() {
    is_refuted("generated names", &Cluster { lock: Lock::Nothing, ..small() }, &[ONE_POD, ONE_PROCESS]);
}

/// It deletes by name, with a grace of 0, what it saw end; by then the name is the next one's.
#[test]
fn without_the_guard_a_late_pod_garbage_collector_lets_two_run() {
    let deleters = vec![Deleter::PodGc, Deleter::Cleaner];
    is_refuted("no guard, PodGC", &Cluster { is_guarded: false, deleters, ..small() }, &[ONE_PROCESS]);
}

#[test]
fn without_the_guard_a_forced_deletion_lets_two_run() {
    let deleters = vec![Deleter::Forces];
    is_refuted("no guard, force", &Cluster { is_guarded: false, deleters, ..small() }, &[ONE_PROCESS]);
}

/// It reads the Pod before that is bound, and writes after it.
#[test]
fn a_deletion_of_many_judged_like_one_by_name_lets_two_run() {
    let cluster = Cluster { many_is_known: false, deleters: vec![Deleter::DeletesMany], ..small() };
    is_refuted("a deletion of many, not known as one", &cluster, &[ONE_PROCESS]);
}

/// A limit before Kubernetes 1.36. It was sent for the Pod before, is held up, and takes out the next one as that starts.
#[test]
fn an_eviction_that_does_not_say_which_pod_lets_two_run() {
    let cluster = Cluster { evictions_say_which: false, deleters: vec![Deleter::Evicts], ..small() };
    is_refuted("an eviction by name", &cluster, &[ONE_PROCESS]);
    holds("an eviction by uid", Cluster { deleters: vec![Deleter::Evicts], ..small() }, &[TAKEOVER]);
}

/// A limit. The policy on evictions reads the Pod from a cache of the API server; the deletion itself asks nobody.
#[test]
fn a_forced_eviction_of_a_pod_that_was_just_bound_lets_two_run() {
    let deleters = vec![Deleter::EvictsByCache];
    is_refuted("a forced eviction, judged by a cache", &Cluster { deleters, ..small() }, &[ONE_PROCESS]);
}
