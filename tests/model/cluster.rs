//! The cluster that is checked: who takes part, what protects, and every step that anybody may take next.
//!
//! Nobody in it remembers anything. A controller that crashed, one whose reply was lost and one whose cache is old do
//! the same: they ask again, while what was asked before is still under way. So a write is two steps, decided on and
//! arriving; what was decided on was true then, anything may happen in between, and it may never arrive.

use stateright::{Model, Property};

use crate::admission;
use crate::deletion::{Deleter, Deletion};
use crate::pod::{Claim, KEY, Name, Pod, Uid, Write};
use crate::world::{CLEANED, DECLARED_DEAD, ONE_POD, ONE_PROCESS, TAKEOVER, World};

/// What is checked.
#[expect(clippy::struct_excessive_bools, reason = "each is something that protects, or a fault, and may be left out")]
#[derive(Debug, Clone)]
pub struct Cluster {
    /// How many Pods there may be in all.
    pub pods: usize,
    /// How many deletions may be under way at once.
    pub deletions: usize,
    /// What keeps the second Pod out.
    pub lock: Lock,
    /// Whether forced deletions are refused.
    pub is_guarded: bool,
    /// Whether a deletion of many is told from one by name.
    pub many_is_known: bool,
    /// Whether the uid of its Pod is written into an eviction.
    pub evictions_say_which: bool,
    /// Which Pods are asked for.
    pub asks: Vec<Ask>,
    /// What our webhook knows then.
    pub webhook: Vec<Webhook>,
    /// Who deletes.
    pub deleters: Vec<Deleter>,
    /// Whether nodes are declared dead.
    pub nodes_die: bool,
}

/// What keeps the second Pod out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// The name: what is shipped.
    Name,
    /// A Lease that is claimed while a Pod is admitted; its holder is gone when the API server does not know it.
    Lease,
    /// Nothing: the Pods have the names that are generated.
    Nothing,
}

/// A Pod that somebody asks for. Which workload's controller it is, or a person, makes no difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ask {
    /// Of a template with the key; the mutating side gives it its name.
    OfTemplate,
    /// With the key and its name: what a StatefulSet's controller asks for, or a person.
    Named,
    /// Of the template, while there is no mutating side.
    Uncompleted,
    /// With the key and another name.
    Misnamed,
    /// Without the key, under the name that is the key.
    Squatter,
    /// Without the key and with another name; somebody adds the key later.
    Stranger,
}

/// One step of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Somebody asks for a Pod; our webhook answers, or cannot.
    Asks(Ask, Webhook),
    /// The Lease is claimed as it was read.
    Claims(Write),
    /// The write of a new Pod arrives.
    Creates(Write),
    /// It never does.
    LosesCreate(Write),
    /// Somebody decides to delete a Pod.
    Decides(Deleter, Uid),
    /// An eviction comes to its deletion.
    ReadsAgain(Deletion),
    /// A deletion arrives.
    Deletes(Deletion),
    /// It never does: its sender crashed, or the API server did.
    LosesDelete(Deletion),
    /// Somebody adds the key to a Pod, or takes it off.
    Relabels(Uid),
    /// Anything else of a Pod is updated, or its kubelet's deletion goes on.
    Updates(Uid),
    /// The scheduler binds a Pod.
    Binds(Uid),
    /// A kubelet starts the process of a Pod, also when it has not heard yet that the Pod is gone.
    Starts(Uid),
    /// The process ends, by itself or because it was told to.
    Ends(Uid),
    /// A kubelet will never start the process of a Pod.
    Refuses(Uid),
    /// A kubelet writes that all containers have ended.
    Reports(Uid),
    /// A kubelet deletes the Pod whose process has ended.
    Finishes(Uid),
    /// Somebody declares the node of a Pod dead. It may well run on.
    DeclaresDead(Uid),
}

/// Whether the webhook's look-up was answered, as of now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Webhook {
    /// It was.
    Sees,
    /// It was not, or the webhook was not there.
    IsBlind,
}

impl Model for Cluster {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World::default()]
    }

    fn actions(&self, world: &World, steps: &mut Vec<Step>) {
        if world.pods.len() + world.writes.len() < self.pods {
            let asks = self.asks.iter().flat_map(|ask| self.webhook.iter().map(|webhook| Step::Asks(*ask, *webhook)));
            steps.extend(asks);
        }
        for write in &world.writes {
            let arrives = if matches!(write.claim, Some(Claim::Free { .. })) { Step::Claims } else { Step::Creates };
            steps.extend([arrives(*write), Step::LosesCreate(*write)]);
        }
        for deletion in &world.deletions {
            let arrives = if deletion.by == Deleter::Evicts { Step::ReadsAgain } else { Step::Deletes };
            steps.extend([arrives(*deletion), Step::LosesDelete(*deletion)]);
        }
        for (uid, pod) in world.pods.iter().enumerate() {
            if pod.is_bound {
                steps.extend([Step::Starts(uid), Step::Ends(uid), Step::Refuses(uid)]);
            }
            if pod.is_stored {
                steps.extend([Step::Relabels(uid), Step::Updates(uid)]);
            }
            // What has another name concerns nobody, until somebody adds the key.
            if pod.is_stored && pod.name != Name::Other {
                steps.extend([Step::Binds(uid), Step::Reports(uid), Step::Finishes(uid), Step::DeclaresDead(uid)]);
                let deleters = self.deleters.iter().filter(|_| world.deletions.len() < self.deletions);
                steps.extend(deleters.map(|deleter| Step::Decides(*deleter, uid)));
            }
        }
    }

    fn next_state(&self, world: &World, step: Step) -> Option<World> {
        let mut next = world.clone();
        let is_taken = match step {
            Step::Asks(ask, webhook) => self.asks(&mut next, ask, webhook),
            Step::Claims(write) => next.claims(write),
            Step::Creates(write) => next.creates(write),
            Step::LosesCreate(write) => next.has_lost(write),
            Step::Decides(deleter, uid) => self.decides(&mut next, deleter, uid),
            Step::ReadsAgain(eviction) => next.reads_again(eviction),
            Step::Deletes(deletion) => self.deletes(&mut next, deletion),
            Step::LosesDelete(deletion) => next.has_answered(deletion),
            Step::Relabels(uid) => self.relabels(&mut next.pods[uid]),
            Step::Updates(uid) => next.pods[uid].is_updated(),
            Step::DeclaresDead(uid) => self.nodes_die && next.pods[uid].node_dies(),
            Step::Finishes(uid) => self.finishes(&mut next.pods[uid], uid),
            Step::Binds(uid) => next.pods[uid].binds(),
            Step::Starts(uid) => next.pods[uid].starts(),
            Step::Ends(uid) => next.pods[uid].ends(),
            Step::Refuses(uid) => next.pods[uid].is_refused(),
            Step::Reports(uid) => next.pods[uid].reports(),
        };
        is_taken.then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONE_POD, |_, world: &World| world.has_one_pod()),
            Property::always(ONE_PROCESS, |_, world: &World| world.has_one_process()),
            Property::sometimes(TAKEOVER, |_, world: &World| world.has_taken_over()),
            Property::sometimes(CLEANED, |_, world: &World| world.has_replaced_what_was_cleaned()),
            Property::sometimes(DECLARED_DEAD, |_, world: &World| world.runs_on_where_declared_dead()),
        ]
    }
}

impl Cluster {
    fn asks(&self, world: &mut World, ask: Ask, webhook: Webhook) -> bool {
        let key = (!matches!(ask, Ask::Squatter | Ask::Stranger)).then_some(KEY);
        let name = match ask {
            Ask::OfTemplate | Ask::Uncompleted => None,
            Ask::Misnamed | Ask::Stranger => Some(Name::Other),
            Ask::Named | Ask::Squatter => Some(Name::Key),
        };
        let (name, claim) = match self.lock {
            Lock::Name => {
                let Some(name) = admission::admits(key, name, ask != Ask::Uncompleted) else { return false };
                let holder = world.named(name).map(|uid| (uid, &world.pods[uid]));
                let holder = holder.filter(|_| key.is_some() && webhook == Webhook::Sees);
                if !admission::lets_through(holder) {
                    return false;
                }
                (name, None)
            }
            Lock::Lease if world.lease_is_held() => return false,
            Lock::Lease => (Name::Generated, Some(Claim::Free { holder: world.lease })),
            Lock::Nothing => (name.unwrap_or(Name::Generated), None),
        };
        world.is_asked(Write { name, has_key: key.is_some(), claim })
    }

    fn relabels(&self, pod: &mut Pod) -> bool {
        let key = (!pod.has_key).then_some(KEY);
        let is_admitted = self.lock == Lock::Name && admission::admits_change(pod, key);
        pod.has_key = key.is_some();
        is_admitted
    }
}
