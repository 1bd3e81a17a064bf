//! The decision, pure: a request and the settings in, a decision out, with at most one question to the cluster in
//! between. No IO, no clock, no `Result`: a decision always exists.
//!
//! All control flow is on this page. A question is asked only if its answer matters: the rules are run for every
//! answer that is possible, and where all of them decide alike nobody is asked.

pub(crate) mod cel;
pub mod change;
pub mod companions;
pub mod decision;
mod defaults;
pub mod exemption;
pub mod floor;
pub mod holder;
pub mod int_or_string;
pub(crate) mod json;
pub mod key;
pub mod kind;
pub mod liveness;
pub mod lookup;
pub mod mark;
pub mod object;
pub mod pod;
pub mod replicas;
pub mod request;
pub mod rules;
pub mod template;
pub(crate) mod text;
pub mod violation;
pub mod webhook;
mod words;

use std::borrow::Cow;
use std::time::SystemTime;

use change::{Change, Standing, Via, Workload};
use companions::wish::Consent;
use decision::{Decision, Denial, Mode, Subject};
use kind::{Kind, Resource};
use lookup::{Found, Lookup, ObjectRef, Owner, Parent, Unknown};
use object::Object;
use pod::Arrival;
use request::{Operation, Phase, Request};
use template::Template;
use violation::Violation;

use crate::settings::Settings;

/// How far a request is decided.
#[derive(Debug)]
pub enum Step<'a> {
    /// It is.
    Decided(Decision),
    /// The answer to the question decides it.
    Ask(Lookup<'a>, Pending<'a>),
}

/// A request that waits for the answer to its one question.
#[derive(Debug)]
pub enum Pending<'a> {
    /// What somebody wants to do to a workload.
    Workload(Box<Change<'a>>),
    /// A new Pod of a strict singleton.
    Pod(Box<Arrival>),
}

/// Decides a request, as far as that is possible without asking. `now` is the time by which it is judged.
#[must_use]
pub fn evaluate<'a>(phase: Phase, request: Request<'a>, settings: &Settings, now: SystemTime) -> Step<'a> {
    let judged = request.operation != Operation::Other && request.resource != Resource::Unknown;
    if !judged || exemption::applies(&request, settings) {
        return Step::Decided(Decision::ALLOWED);
    }
    match phase {
        Phase::Mutate if request.resource == Resource::Pod => Step::Decided(pod::complete(&request, settings)),
        Phase::Validate if request.resource == Resource::Pod => pod::validate(request, settings),
        Phase::Mutate => Step::Decided(defaults::complete(&request, settings)),
        Phase::Validate => validate(request, settings, now),
    }
}

impl Pending<'_> {
    /// Decides the request with what the cluster said. An answer to another question counts as none.
    #[must_use]
    pub fn resume(self, found: Result<Found, Unknown>) -> Decision {
        let another = || Unknown::Unreadable("it answers another question".to_owned());
        match (self, found) {
            (Self::Pod(arrival), Ok(Found::Holder(holder))) => arrival.resume(Ok(holder)),
            (Self::Pod(arrival), Ok(_)) => arrival.resume(Err(another())),
            (Self::Pod(arrival), Err(unknown)) => arrival.resume(Err(unknown)),
            (Self::Workload(change), Ok(found)) => match standing(&change, &found) {
                Some(standing) => decide(&change, standing),
                None => undecided(&change, &another()),
            },
            (Self::Workload(change), Err(unknown)) => undecided(&change, &unknown),
        }
    }
}

fn validate<'a>(request: Request<'a>, settings: &Settings, now: SystemTime) -> Step<'a> {
    let Request { resource, subresource, namespace, name, object, old_object, .. } = request;
    let Some(to) = object else { return Step::Decided(Decision::ALLOWED) };
    let workload = Workload { resource, namespace, name };
    let (key, consent) = (settings.mark.clone(), Consent { now, max: settings.companions.consent_window_max });
    let (release, mode) = (settings.release, settings.mode(&workload.namespace));
    let (via, strict) = (subresource.into(), settings.strict);
    let change = Change { workload, via, from: old_object, to, key, consent, release, mode, strict };
    let Some(lookup) = question(&change) else {
        return Step::Decided(decide(&change, own_standing(&change)));
    };
    // What a decision follows from is compared, not the decision: most of the work of a refusal is its words.
    let mut outcomes = possible_answers(&lookup).filter_map(|found| {
        let standing = standing(&change, &found)?;
        Some((rules::judge(&change, standing), standing))
    });
    match outcomes.next() {
        Some((violations, standing))
            if outcomes.all(|(others, other)| others == violations && other.releases() == standing.releases()) =>
        {
            Step::Decided(conclude(&change, standing, violations))
        }
        _ => Step::Ask(lookup, Pending::Workload(Box::new(change))),
    }
}

/// What would have to be known about other objects.
fn question<'a>(change: &Change<'a>) -> Option<Lookup<'a>> {
    let Resource::Guarded(kind) = change.workload.resource else { return None };
    let namespace = &change.workload.namespace;
    if change.via == Via::Scale {
        let (name, uid) = (change.workload.name.clone(), change.to.metadata.uid.clone());
        let version = change.from.as_ref().map(|from| from.metadata.resource_version.clone()).unwrap_or_default();
        let object = ObjectRef { kind, namespace: namespace.clone(), name, uid };
        return Some(Lookup::Parent(Parent { object, version }));
    }
    let owner = |object: &Object<'a>| object.metadata.deployment(namespace).filter(|_| kind == Kind::ReplicaSet);
    let (before, after) = (change.from.as_ref().and_then(owner), owner(&change.to));
    (before.is_some() || after.is_some()).then_some(Lookup::Owners { before, after })
}

/// Every answer that the cluster could give.
fn possible_answers(lookup: &Lookup<'_>) -> impl Iterator<Item = Found> + use<> {
    const PARENTS: &[bool] = &[true, false];
    const OWNERS: &[Option<Owner>] = &[Some(Owner::Marked), Some(Owner::Unmarked), Some(Owner::Gone)];
    let options = |owner: &Option<ObjectRef<'_>>| if owner.is_some() { OWNERS } else { &[None] };
    let (parents, befores, afters, alike) = match lookup {
        // Asked for what is said about it, whatever it is.
        Lookup::Holder(_) => (&[][..], &[][..], &[][..], false),
        Lookup::Parent(_) => (PARENTS, &[][..], &[][..], false),
        Lookup::Owners { before, after } => (&[][..], options(before), options(after), before == after),
    };
    let owners = befores.iter().flat_map(move |before| afters.iter().map(move |after| (*before, *after)));
    let parents = parents.iter().map(|marked| Found::Parent { marked: *marked, owner: None });
    // One and the same owner cannot be two things.
    let owners = owners.filter(move |(before, after)| !alike || before == after);
    parents.chain(owners.map(|(before, after)| Found::Owners { before, after }))
}

/// Whether the workload is a singleton, where only its own mark counts.
fn own_standing(change: &Change<'_>) -> Standing {
    let guarded = matches!(change.workload.resource, Resource::Guarded(_));
    Standing {
        before: guarded && change.mark_before().is_present(),
        after: guarded && change.mark_after().is_present(),
        behind_singleton: false,
    }
}

/// The same with the answer, if it is one to the question. A ReplicaSet with a Deployment is a singleton exactly if that Deployment is; its own
/// mark counts only without one.
fn standing(change: &Change<'_>, found: &Found) -> Option<Standing> {
    let judged_by = |owner: Option<Owner>, own_mark: bool| match owner {
        Some(Owner::Marked) => true,
        Some(Owner::Unmarked) => false,
        Some(Owner::Gone) | None => own_mark,
    };
    match *found {
        Found::Parent { marked, owner } if change.via == Via::Scale => {
            let singleton = judged_by(owner, marked);
            Some(Standing { before: singleton, after: singleton, behind_singleton: owner == Some(Owner::Marked) })
        }
        Found::Owners { before, after } if change.via != Via::Scale => {
            let own = own_standing(change);
            Some(Standing {
                before: judged_by(before, own.before),
                after: judged_by(after, own.after),
                behind_singleton: before == Some(Owner::Marked),
            })
        }
        _ => None,
    }
}

fn decide(change: &Change<'_>, standing: Standing) -> Decision {
    conclude(change, standing, rules::judge(change, standing))
}

/// Of the standing nothing counts here but whether it releases.
fn conclude(change: &Change<'_>, standing: Standing, violations: Vec<Violation>) -> Decision {
    let mut violations = violations.into_iter();
    if let Some(first) = violations.next() {
        let (subject, key) = (subject(change), change.key.clone());
        let denied = Decision::denied(Denial { subject, key, first, others: violations.collect() });
        return match change.mode {
            Mode::Enforce => denied,
            Mode::Warn => denied.only_warned(standing.releases()),
        };
    }
    let key_stays = change.was_strict() && !change.is_strict() && Template::of(&change.to).key().is_some();
    if standing.releases() {
        return Decision::release(&subject(change), key_stays);
    }
    if key_stays { Decision::allowed_with(vec![decision::KEY_STAYS.to_owned()]) } else { Decision::ALLOWED }
}

fn undecided(change: &Change<'_>, cause: &Unknown) -> Decision {
    let undecided = Decision::unknown(&subject(change), cause);
    match change.mode {
        Mode::Enforce => undecided,
        Mode::Warn => undecided.only_warned(false),
    }
}

fn subject(change: &Change<'_>) -> Subject {
    let Workload { resource, namespace, name } = &change.workload;
    Subject {
        group: resource.group(),
        kind: resource.kind_name(),
        namespace: Cow::clone(namespace).into_owned(),
        name: name.clone().into_owned(),
        uid: change.to.metadata.uid.clone().into_owned(),
    }
}
