//! Requests about Pods: only those are looked at that carry the key of a strict singleton, before or after. What is
//! refused here is refused by the API server itself too, and more of it: we are asked about new Pods alone, for the words.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation};
use serde_json::Value;

use super::decision::Decision;
use super::denial::Denial;
use super::holder::Holder;
use super::lookup::Unknown;
use super::request::{Operation, Request, Subresource};
use super::rules::{sg010_taken, sg012_name};
use super::violation::{Sg011, Violation};
use crate::api::key::KEY;
use crate::api::kind::SPEC_REPLICAS;
use crate::api::mark::MarkKey;
use crate::api::object::Object;
use crate::api::reference::{PodRef, Regarding};
use crate::api::replicas::Replicas;
use crate::settings::{Mode, Settings};

/// A new Pod of a strict singleton.
#[derive(Debug)]
pub struct Arrival {
    subject: Regarding,
    mark: MarkKey,
    mode: Mode,
    /// The uid of who makes it; empty where that is no controller.
    controller: String,
}

/// How far a request about a Pod is judged.
pub(super) enum Judged<'a> {
    /// It is decided.
    Decided(Decision),
    /// It is decided by who holds the name of this Pod.
    Held(PodRef<'a>, Arrival),
}

/// Gives a new Pod its name.
#[must_use]
pub(super) fn complete(request: &Request<'_>, settings: &Settings) -> Decision {
    let Some(pod) = created(request, settings) else { return Decision::ALLOWED };
    let Some(name) = sg012_name::given(pod.metadata.labels.get(KEY), &pod.metadata.name) else {
        return Decision::ALLOWED;
    };
    let path = PointerBuf::from_tokens(["metadata", "name"]);
    let add = PatchOperation::Add(AddOperation { path, value: Value::String(name.to_owned()) });
    Decision::completed(Patch(vec![add]), Vec::new())
}

/// Judges a new Pod, as far as that is possible without asking.
#[must_use]
pub(super) fn validate<'a>(request: Request<'a>, settings: &Settings) -> Judged<'a> {
    let Some(pod) = request.object.as_ref().filter(|_| settings.strict) else {
        return Judged::Decided(Decision::ALLOWED);
    };
    let is_new = created(&request, settings).is_some();
    let key = pod.metadata.labels.get(KEY);
    let before = request.old_object.as_ref().map(|old| old.metadata.labels.get(KEY));
    let named = sg012_name::judge(before, key, &pod.metadata.name);
    let ends_at_once = is_new && key.is_some() && pod.spec.termination_grace_period_seconds == Replicas::Count(0);
    let asks = is_new && key.is_some();
    let violations: Vec<_> =
        ends_at_once.then_some(Sg011::EndsAtOnce { is_pod: true }.into()).into_iter().chain(named).collect();
    let subject = Regarding {
        group: "",
        version: "v1",
        kind: "Pod",
        namespace: request.namespace.to_string(),
        name: request.name.to_string(),
        uid: pod.metadata.uid.to_string(),
    };
    let controller = pod.metadata.controller().map(|owner| owner.uid.clone().into_owned()).unwrap_or_default();
    let arrival = Arrival { subject, mark: settings.mark.clone(), mode: settings.mode(&request.namespace), controller };
    if violations.is_empty() && asks {
        let pod = PodRef { namespace: request.namespace, name: request.name };
        return Judged::Held(pod, arrival);
    }
    Judged::Decided(arrival.decide(violations))
}

impl Arrival {
    /// What could not be found out is not refused: the name is the lock, and holds without this.
    pub(super) fn resume(self, holder: Result<Option<Holder>, Unknown>) -> Decision {
        let taken = sg010_taken::judge(holder.ok().flatten(), &self.controller);
        self.decide(taken.into_iter().collect())
    }

    fn decide(self, violations: Vec<Violation>) -> Decision {
        let mut violations = violations.into_iter();
        let Some(first) = violations.next() else { return Decision::ALLOWED };
        let denial = Denial::new(self.subject, self.mark, first, violations, None, SPEC_REPLICAS.path);
        Decision::denied(denial).under(self.mode, false)
    }
}

fn created<'r, 'a>(request: &'r Request<'a>, settings: &Settings) -> Option<&'r Object<'a>> {
    let creates = request.operation == Operation::Create && request.subresource == Subresource::Main;
    request.object.as_deref().filter(|_| creates && settings.strict)
}
