//! Requests about autoscalers: whether one may newly scale a singleton above one ([`judge`]). It is asked which
//! singleton the target is, and only where the answer matters; a target of which nothing is known is none. And the other way
//! round: a mark that comes while an autoscaler targets the workload.

use super::decision::Decision;
use super::denial::Denial;
use super::lookup::Scaler;
use super::request::{Request, Subresource};
use super::rules::sg003_autoscaler::{Excess, judge};
use super::violation::Sg003;
use super::words::sg003;
use crate::api::autoscaler::Autoscaler;
use crate::api::kind::{Resource, SPEC_REPLICAS};
use crate::api::mark::MarkKey;
use crate::api::object::Object;
use crate::api::reference::{Regarding, WorkloadRef};
use crate::settings::{Autoscalers, Mode, Settings};

/// An autoscaler that may ask for more than one.
#[derive(Debug)]
pub struct Reach {
    autoscaler: Autoscaler,
    subject: Regarding,
    mark: MarkKey,
    mode: Mode,
    excess: Excess,
    /// The custom resource that controls it, as a text.
    owner: Option<String>,
}

/// Judges an autoscaler that is created or changed, as far as that is possible without asking: the target that has to be
/// asked about, or nothing where it is allowed.
#[must_use]
pub(super) fn validate<'a>(
    autoscaler: Autoscaler,
    request: Request<'a>,
    settings: &Settings,
) -> Option<(WorkloadRef<'a>, Reach)> {
    let mode = match (settings.autoscalers, settings.mode(&request.namespace)) {
        (Autoscalers::Off, _) => return None,
        (Autoscalers::Deny, Mode::Enforce) => Mode::Enforce,
        (Autoscalers::Warn, _) | (_, Mode::Warn) => Mode::Warn,
    };
    let to = request.object.filter(|_| request.subresource == Subresource::Main)?;
    let excess = judge(autoscaler, settings.kinds, request.old_object.as_deref(), &to)?;
    let (kind, name) = autoscaler.target(&to, settings.kinds)?;
    let subject = Regarding {
        group: autoscaler.info().group,
        version: autoscaler.info().version,
        kind: autoscaler.info().name,
        namespace: request.namespace.to_string(),
        name: request.name.into_owned(),
        uid: to.metadata.uid.to_string(),
    };
    let target = WorkloadRef { kind, namespace: request.namespace, name };
    let (mark, owner) = (settings.mark.clone(), to.metadata.owner());
    Some((target, Reach { autoscaler, subject, mark, mode, excess, owner }))
}

impl Reach {
    /// `singleton` is what the target is, or belongs to.
    pub(super) fn resume(self, singleton: Option<Regarding>) -> Decision {
        let Self { autoscaler, subject, mark: key, mode, excess: Excess { newly }, owner } = self;
        let Some(singleton) = singleton.map(|singleton| singleton.id()) else { return Decision::ALLOWED };
        let violation = |(bound, requested)| Sg003 { autoscaler, bound, requested, singleton: singleton.clone() };
        let mut violations = newly.into_iter().map(|excess| violation(excess).into());
        let Some(first) = violations.next() else { return Decision::still_autoscaled(&subject) };
        Decision::denied(Denial::new(subject, key, first, violations, owner, SPEC_REPLICAS.path)).under(mode, false)
    }
}

/// A workload that becomes marked, by a request that is completed first.
#[derive(Debug)]
pub struct Marking {
    subject: Regarding,
    completed: Decision,
}

/// The workload that this request puts the mark on, if it does and autoscalers matter. `completed` is the answer without them.
pub(super) fn marks<'a>(
    request: &Request<'a>,
    settings: &Settings,
    completed: &Decision,
) -> Option<(WorkloadRef<'a>, Marking)> {
    let Resource::Guarded(kind) = request.resource else { return None };
    let is_marked = |object: &Object<'_>| object.mark(&settings.mark).is_present();
    let object = request.object.as_deref().filter(|_| request.subresource == Subresource::Main)?;
    let becomes = is_marked(object) && !request.old_object.as_deref().is_some_and(is_marked);
    if !becomes || request.name.is_empty() || settings.autoscalers == Autoscalers::Off {
        return None;
    }
    let workload = WorkloadRef { kind, namespace: request.namespace.clone(), name: request.name.clone() };
    let subject = Regarding::workload(kind, &request.namespace, &request.name, &object.metadata.uid);
    Some((workload, Marking { subject, completed: completed.clone() }))
}

impl Marking {
    /// The mark makes it safer, whatever scales it: that is not refused, but told.
    pub(super) fn resume(self, scaler: Option<Scaler>) -> Decision {
        let Self { subject, completed } = self;
        match scaler {
            Some(scaler) => completed.and_warned(sg003::marked_while_autoscaled(&subject, &scaler)),
            None => completed,
        }
    }
}
