//! Requests about autoscalers: whether one may newly scale a singleton above one ([`judge`]). It is asked which
//! singleton the target is, and only where the answer matters; a target of which nothing is known is none.

use super::decision::Decision;
use super::denial::Denial;
use super::lookup::Singleton;
use super::request::{Request, Subresource};
use super::rules::sg003_autoscaler::{Excess, judge};
use super::violation::Sg003;
use crate::api::autoscaler::Autoscaler;
use crate::api::kind::SPEC_REPLICAS;
use crate::api::mark::MarkKey;
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
    pub(super) fn resume(self, singleton: Option<Singleton>) -> Decision {
        let Self { autoscaler, subject, mark: key, mode, excess: Excess { newly }, owner } = self;
        let Some(Singleton { kind, name }) = singleton else { return Decision::ALLOWED };
        let singleton = format!("{} {}/{name}", kind.info().name, subject.namespace);
        let violation = |(bound, requested)| Sg003 { autoscaler, bound, requested, singleton: singleton.clone() };
        let mut violations = newly.into_iter().map(|excess| violation(excess).into());
        let Some(first) = violations.next() else { return Decision::still_autoscaled(&subject) };
        Decision::denied(Denial::new(subject, key, first, violations, owner, SPEC_REPLICAS.path)).under(mode, false)
    }
}
