//! The decision, pure: a request and the settings in, a decision out, with at most one question to the cluster in
//! between. No IO, no clock, no `Result`: a decision always exists.
//!
//! The control flow of a request about a workload is on this page; a request about a Pod goes on in [`pod`], and one about
//! an autoscaler in [`autoscaler`], which ask the rules about these by their names. A question about a workload is asked
//! only if its answer matters: the rules are run for every answer that is possible, and where all of them decide alike
//! nobody is asked.

pub mod annotation;
pub mod autoscaler;
pub(crate) mod cel;
pub mod change;
pub mod code;
pub mod decision;
pub(crate) mod defaults;
pub mod denial;
pub mod entry;
pub mod exemption;
pub mod holder;
pub mod lookup;
pub mod pod;
pub mod request;
pub mod rollout;
pub mod rules;
pub mod standing;
mod surplus;
pub mod violation;
mod words;

use std::time::SystemTime;

use crate::api::annotation::Consent;
use crate::api::kind::{Makes, Resource, SPEC_REPLICAS};
use crate::api::object::Object;
use crate::api::reference::ObjectRef;
use crate::api::template::Template;
use autoscaler::{Marking, Reach};
use change::{Change, Via, Workload};
use decision::Decision;
use denial::Denial;
use lookup::{Found, Lookup, Parent, Unknown};
use pod::{Arrival, Judged};
use request::{Operation, Phase, Request};
use standing::Standing;
use surplus::Ending;
use violation::Violation;

use crate::settings::Settings;

/// How far a request is decided.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a box would cost every review that asks")]
pub enum Step<'a> {
    /// It is.
    Decided(Decision),
    /// The answer to the question decides it.
    Ask(Lookup<'a>, Pending<'a>),
}

/// A request that waits for the answer to its one question.
#[derive(Debug)]
pub enum Pending<'a> {
    /// What somebody wants to do to a workload, and what is wrong with it by the answers that were tried.
    Workload(Change<'a>, Vec<Outcome>),
    /// A new Pod of a strict singleton.
    Pod(Box<Arrival>),
    /// An autoscaler that may ask for more than one replica.
    Autoscaler(Box<Reach>),
    /// A workload that becomes marked.
    Marking(Box<Marking>),
}

/// What is wrong with a change, if its workload stands so.
#[derive(Debug)]
pub struct Outcome {
    standing: Standing,
    violations: Vec<Violation>,
    /// What becomes of other Pods, where it becomes a singleton.
    ending: Option<Ending>,
}

/// Decides a request, as far as that is possible without asking. `now` is the time by which it is judged.
///
/// ```
/// # use std::time::SystemTime;
/// # use singleton_guard::api::kind::Kinds;
/// # use singleton_guard::policy::{Step, evaluate, request::Phase};
/// # use singleton_guard::{review, settings::Settings};
/// let body = br#"{"kind": "AdmissionReview", "request": {
///     "uid": "1",
///     "operation": "UPDATE",
///     "resource": {"group": "apps", "version": "v1", "resource": "statefulsets"},
///     "namespace": "pay",
///     "name": "ledger",
///     "oldObject": {"metadata": {"labels": {"singleton-guard.io/singleton": "true"}}, "spec": {"replicas": 1}},
///     "object": {"metadata": {"labels": {"singleton-guard.io/singleton": "true"}}, "spec": {"replicas": 2}}
/// }}"#;
/// let request = review::read(body, Kinds::BUILT_IN)?.request;
/// match evaluate(Phase::Validate, request, &Settings::default(), SystemTime::now()) {
///     Step::Decided(decision) => assert!(decision.message().is_some_and(|line| line.starts_with("SG001 "))),
///     Step::Ask(..) => unreachable!("both objects carry the label"),
/// }
/// # Ok::<(), review::Unreadable>(())
/// ```
#[must_use]
pub fn evaluate<'a>(phase: Phase, request: Request<'a>, settings: &Settings, now: SystemTime) -> Step<'a> {
    let judged = request.operation != Operation::Other && request.resource != Resource::Unknown;
    if !judged || exemption::applies(&request, settings) {
        return Step::Decided(Decision::ALLOWED);
    }
    match phase {
        Phase::Mutate if request.resource == Resource::Pod => Step::Decided(pod::complete(&request, settings)),
        Phase::Validate if request.resource == Resource::Pod => match pod::validate(request, settings) {
            Judged::Decided(decision) => Step::Decided(decision),
            Judged::Held(pod, arrival) => Step::Ask(Lookup::Holder(pod), Pending::Pod(Box::new(arrival))),
        },
        Phase::Mutate => {
            let completed = defaults::complete(&request, settings);
            match autoscaler::marks(&request, settings, &completed) {
                Some((workload, marking)) => {
                    Step::Ask(Lookup::Autoscaler(workload), Pending::Marking(Box::new(marking)))
                }
                None => Step::Decided(completed),
            }
        }
        Phase::Validate => match request.resource {
            Resource::Autoscaler(kind) => match autoscaler::validate(kind, request, settings) {
                Some((target, reach)) => Step::Ask(Lookup::Target(target), Pending::Autoscaler(Box::new(reach))),
                None => Step::Decided(Decision::ALLOWED),
            },
            _ => validate(request, settings, now),
        },
    }
}

impl Pending<'_> {
    /// Decides the request with what the cluster said. An answer to another question counts as none.
    ///
    /// ```
    /// # use std::time::SystemTime;
    /// # use singleton_guard::api::kind::Kinds;
    /// # use singleton_guard::policy::lookup::{Found, Lookup};
    /// # use singleton_guard::policy::{Step, evaluate, request::Phase};
    /// # use singleton_guard::{review, settings::Settings};
    /// // A Scale carries no labels, so the cluster has to be asked for those of its parent.
    /// let body = br#"{"kind": "AdmissionReview", "request": {
    ///     "uid": "1",
    ///     "operation": "UPDATE",
    ///     "resource": {"group": "apps", "version": "v1", "resource": "statefulsets"},
    ///     "subResource": "scale",
    ///     "namespace": "pay",
    ///     "name": "ledger",
    ///     "oldObject": {"spec": {"replicas": 1}},
    ///     "object": {"spec": {"replicas": 2}}
    /// }}"#;
    /// let request = review::read(body, Kinds::BUILT_IN)?.request;
    /// match evaluate(Phase::Validate, request, &Settings::default(), SystemTime::now()) {
    ///     Step::Ask(Lookup::Parent(parent), pending) => {
    ///         assert_eq!(parent.object.name, "ledger");
    ///         assert!(!pending.resume(Ok(Found::Parent { marked: true, owner: None, custom: None })).allowed());
    ///     }
    ///     other => unreachable!("{other:?}"),
    /// }
    /// # Ok::<(), review::Unreadable>(())
    /// ```
    #[must_use]
    pub fn resume(self, found: Result<Found, Unknown>) -> Decision {
        let another = || Unknown::Unreadable("it answers another question".to_owned());
        match (self, found) {
            (Self::Autoscaler(reach), Ok(Found::Target(singleton))) => reach.resume(singleton),
            (Self::Autoscaler(_), _) => Decision::ALLOWED,
            (Self::Marking(marking), Ok(Found::Autoscaler(scaler))) => marking.resume(scaler),
            (Self::Marking(marking), _) => marking.resume(None),
            (Self::Pod(arrival), Ok(Found::Holder(holder))) => arrival.resume(Ok(holder)),
            (Self::Pod(arrival), Ok(_)) => arrival.resume(Err(another())),
            (Self::Pod(arrival), Err(unknown)) => arrival.resume(Err(unknown)),
            (Self::Workload(change, tried), Ok(found)) => match Standing::by(&change, &found) {
                Some(standing) => {
                    let known = tried.into_iter().find(|outcome| outcome.standing == standing);
                    let of_parent = match found {
                        Found::Parent { custom, .. } => custom,
                        _ => None,
                    };
                    known.unwrap_or_else(|| Outcome::of(&change, standing)).conclude(&change, of_parent)
                }
                None => undecided(&change, &another()),
            },
            (Self::Workload(change, _), Err(unknown)) => undecided(&change, &unknown),
        }
    }
}

impl Outcome {
    fn of(change: &Change<'_>, standing: Standing) -> Self {
        let violations = rules::judge(change, standing);
        let becomes = violations.is_empty() && standing.becomes(change);
        Self { standing, violations, ending: becomes.then(|| Ending::of(change)).flatten() }
    }

    /// What a decision follows from is compared, not the decision: most of the work of a refusal is its words.
    fn decides_like(&self, other: &Self) -> bool {
        self.violations == other.violations
            && self.standing.releases() == other.standing.releases()
            && self.ending == other.ending
    }

    /// `of_parent` is the custom resource that controls the parent of a Scale: the Scale itself does not say.
    fn conclude(self, change: &Change<'_>, of_parent: Option<String>) -> Decision {
        let releases = self.standing.releases();
        let mut violations = self.violations.into_iter();
        if let Some(first) = violations.next() {
            let owner = if change.via == Via::Scale { of_parent } else { change.to.metadata.owner() };
            let replicas = change.kind().map_or(SPEC_REPLICAS.path, |info| info.replicas.path);
            let denial = Denial::new(change.subject(), change.key.clone(), first, violations, owner, replicas);
            return Decision::denied(denial).under(change.mode, releases);
        }
        let key_stays = change.was_strict() && !change.is_strict() && Template::of(&change.to).key().is_some();
        if releases {
            return Decision::release(&change.subject(), key_stays);
        }
        if let Some(ending) = self.ending {
            return Decision::ends_others(&change.subject(), ending);
        }
        if key_stays { Decision::allowed_with(vec![words::KEY_STAYS.to_owned()]) } else { Decision::ALLOWED }
    }
}

fn validate<'a>(request: Request<'a>, settings: &Settings, now: SystemTime) -> Step<'a> {
    let Request { resource, subresource, namespace, name, object, old_object, .. } = request;
    let Some(to) = object else { return Step::Decided(Decision::ALLOWED) };
    let workload = Workload { resource, namespace, name };
    let (key, consent) = (settings.mark.clone(), Consent { now, max: settings.companions.consent_window_max });
    let (release, mode) = (settings.release, settings.mode(&workload.namespace));
    let (via, strict) = (subresource.into(), settings.strict);
    let allowed = settings.companions.allowed;
    let kinds = settings.kinds;
    let change = Change { workload, via, from: old_object, to, kinds, key, consent, allowed, release, mode, strict };
    let Some(lookup) = question(&change) else {
        return Step::Decided(Outcome::of(&change, Standing::own(&change)).conclude(&change, None));
    };
    let mut tried: Vec<Outcome> = Vec::new();
    for standing in Standing::possible(&change, &lookup) {
        let outcome = Outcome::of(&change, standing);
        let matters = tried.first().is_some_and(|first| !first.decides_like(&outcome));
        tried.push(outcome);
        if matters {
            return Step::Ask(lookup, Pending::Workload(change, tried));
        }
    }
    match tried.pop() {
        Some(any) => Step::Decided(any.conclude(&change, None)),
        None => Step::Ask(lookup, Pending::Workload(change, tried)),
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
    if kind.info().makes != Makes::PodsForOwner {
        return None;
    }
    let owner = |object: &Object<'a>| object.metadata.made_by(namespace, change.kinds);
    let (before, after) = (change.from.as_deref().and_then(owner), owner(&change.to));
    (before.is_some() || after.is_some()).then_some(Lookup::Owners { before, after })
}

fn undecided(change: &Change<'_>, cause: &Unknown) -> Decision {
    Decision::unknown(&change.subject(), cause).under(change.mode, false)
}
