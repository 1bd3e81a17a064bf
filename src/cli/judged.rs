//! What the guard says of a new object: the mutating webhook completes it, and the validating one judges it, both by the
//! rooms that the server has. Pure.

use std::time::SystemTime;

use serde_json::{Value, json};

use super::defaulting;
use super::manifest::{KINDS, Manifest};
use crate::api::kind::{Kind, PODS, Resource};
use crate::api::reference::{ObjectRef, Regarding, WorkloadRef};
use crate::policy::decision::{Decision, Verdict};
use crate::policy::lookup::{Found, Lookup, Parent};
use crate::policy::request::Phase;
use crate::policy::{Step, evaluate};
use crate::review;
use crate::settings::Settings;

/// What became of it.
#[derive(Debug)]
pub struct Judged {
    /// The object as it would be stored.
    pub object: Value,
    /// What is said while it is completed.
    pub warnings: Vec<String>,
    /// The verdict.
    pub outcome: Outcome,
}

/// The verdict.
#[derive(Debug)]
pub enum Outcome {
    /// It is decided.
    Decided(Decision),
    /// It takes the cluster to decide it: why.
    Asks(String),
    /// It depends on what an autoscaler scales, which the set may hold.
    Targets(Target),
}

/// The workload that an autoscaler scales.
#[derive(Debug)]
pub struct Target {
    /// Its kind.
    pub kind: Kind,
    /// Its name.
    pub name: String,
    /// Its namespace.
    namespace: String,
    /// The review of the autoscaler.
    body: Vec<u8>,
}

impl Target {
    /// Judges the autoscaler, once it is known whether the target is a singleton.
    ///
    /// # Errors
    /// The review cannot be read: why.
    pub fn judge(&self, is_singleton: bool, settings: &Settings, now: SystemTime) -> Result<Decision, String> {
        let singleton = is_singleton.then(|| Regarding::workload(self.kind, &self.namespace, &self.name, ""));
        let request = review::read(&self.body, KINDS).map_err(|unreadable| unreadable.cause)?.request;
        Ok(match evaluate(Phase::Validate, request, settings, now) {
            Step::Decided(decision) => decision,
            Step::Ask(_, pending) => pending.resume(Ok(Found::Target(singleton))),
        })
    }
}

/// Judges the creation of an object.
///
/// # Errors
/// It cannot be what the API server would send: why.
pub fn judge(
    manifest: &Manifest<'_, '_>,
    resource: Resource,
    settings: &Settings,
    now: SystemTime,
) -> Result<Judged, String> {
    let mut object = defaulting::object(manifest, resource);
    let body = body(manifest, resource, &object);
    let warnings = match evaluated(Phase::Mutate, &body, settings, now)? {
        Outcome::Decided(decision) => {
            if let Verdict::Completed(patch) = decision.verdict() {
                json_patch::patch(&mut object, patch).map_err(|error| error.to_string())?;
            }
            decision.warnings().to_vec()
        }
        Outcome::Asks(_) | Outcome::Targets(_) => Vec::new(),
    };
    defaulting::name(&mut object, manifest);
    let body = self::body(manifest, resource, &object);
    let outcome = evaluated(Phase::Validate, &body, settings, now)?;
    Ok(Judged { object, warnings, outcome })
}

fn evaluated(phase: Phase, body: &[u8], settings: &Settings, now: SystemTime) -> Result<Outcome, String> {
    let request = review::read(body, KINDS).map_err(|unreadable| unreadable.cause)?.request;
    Ok(match evaluate(phase, request, settings, now) {
        Step::Decided(decision) => Outcome::Decided(decision),
        Step::Ask(Lookup::Target(WorkloadRef { kind, namespace, name }), _) => {
            let (namespace, name) = (namespace.into_owned(), name.into_owned());
            Outcome::Targets(Target { kind, name, namespace, body: body.to_vec() })
        }
        // The autoscalers of the set are judged themselves.
        Step::Ask(Lookup::Autoscaler(_), pending) => Outcome::Decided(pending.resume(Ok(Found::Autoscaler(None)))),
        Step::Ask(lookup, _) => Outcome::Asks(question(&lookup)),
    })
}

fn question(lookup: &Lookup<'_>) -> String {
    match lookup {
        Lookup::Owners { before, after } => {
            let owner = after.as_ref().or(before.as_ref()).map(|owner| owner.name.as_ref()).unwrap_or_default();
            format!("whether it is a singleton depends on its owner, Deployment {owner}, as the cluster knows it")
        }
        Lookup::Holder(pod) => {
            format!("whether it may be made depends on whether there is a Pod {}/{} already", pod.namespace, pod.name)
        }
        Lookup::Parent(Parent { object: ObjectRef { name, .. }, .. })
        | Lookup::Target(WorkloadRef { name, .. })
        | Lookup::Autoscaler(WorkloadRef { name, .. }) => {
            format!("it depends on {name}, as the cluster knows it")
        }
    }
}

/// The review that the API server would send.
#[must_use]
pub fn body(manifest: &Manifest<'_, '_>, resource: Resource, object: &Value) -> Vec<u8> {
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let review = json!({"kind": "AdmissionReview", "request": {
        "uid": "check",
        "operation": "CREATE",
        "resource": {"group": manifest.group, "version": manifest.version, "resource": plural(resource)},
        "namespace": manifest.namespace,
        "name": name,
        "object": object,
    }});
    review.to_string().into_bytes()
}

/// The resource as the API server names it.
const fn plural(resource: Resource) -> &'static str {
    match resource {
        Resource::Guarded(kind) => kind.info().resource,
        Resource::Unmarkable(kind) => kind.resource,
        Resource::Autoscaler(kind) => kind.info().resource,
        Resource::Pod => PODS,
        Resource::Unknown => "",
    }
}
