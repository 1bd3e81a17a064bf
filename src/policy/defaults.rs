//! What the mutating webhook fills in, as JSON patches: only where a field is absent or equal to the API server's own
//! default, with one exception. Where a `Recreate` meets a `rollingUpdate`, one of them stored and the other in the
//! request, the API server would refuse the pair: then the strategy is written as the request means it. Applying a
//! patch twice changes nothing more. The validating side judges the result.
//!
//! Never on an object with a controller owner: a label or a strategy added there makes the owner start over. Never in
//! the Pod template of an existing workload: that would restart the singleton; only what a strict one had is put back.
//! Every patch is an `add` of a member to an object that is there, because a patch that does not apply is an error for the
//! user whatever the failure policy.

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation};
use serde_json::{Map, Value, json};

use super::cel;
use super::decision::Decision;
use super::request::{Operation, Request, Subresource};
use super::words::{RECREATED, SERVICE_NAME_KEPT};
use crate::api::annotation::{Allowed, HeadlessService};
use crate::api::int_or_string::IntOrString;
use crate::api::key::KEY;
use crate::api::kind::{Kind, KindInfo, Kinds, PodNames, Resource, Rollout};
use crate::api::mark::Mark;
use crate::api::object::{Object, RollingUpdate, Strategy};
use crate::api::template::Template;
use crate::api::{key, names};
use crate::settings::Settings;

/// Completes the object of a request.
#[must_use]
pub(super) fn complete(request: &Request<'_>, settings: &Settings) -> Decision {
    let Some(object) = request.object.as_ref().filter(|_| request.subresource == Subresource::Main) else {
        return Decision::ALLOWED;
    };
    if object.metadata.deletion_timestamp.is_some() || object.metadata.controller().is_some() {
        return Decision::ALLOWED;
    }
    // The server refuses it, and a patch of a `spec` that is not there would fail before that.
    if object.spec.template.is_none() {
        return Decision::ALLOWED;
    }
    let Resource::Guarded(kind) = request.resource else { return Decision::ALLOWED };
    let is_marked = object.mark(&settings.mark).is_present();
    let old = request.old_object.as_deref();
    let was_marked = old.is_some_and(|old| old.mark(&settings.mark).is_present());
    let info = kind.info();
    let default = match (info.rollout, info.pod_names) {
        (Some(Rollout::Strategy), _) if is_marked => strategy(object, old),
        (_, PodNames::Ordinal) => match (request.operation, old) {
            (Operation::Create, _) if is_marked => governing_service(object, settings.companions.allowed),
            (Operation::Update, Some(old)) => kept_service(object, old, is_marked || was_marked),
            _ => None,
        },
        _ => None,
    };
    let strict =
        |object: &Object<'_>| settings.strict && info.can_be_strict() && object.mark(&settings.mark) == Mark::Strict;
    let key = Some(object).filter(|object| strict(object)).and_then(|object| match old {
        None => given_key(kind, object),
        Some(old) => Some(old).filter(|old| strict(old)).and_then(|old| kept_key(object, old)),
    });
    let defaults: Vec<_> = default.into_iter().chain(key).collect();
    if defaults.is_empty() {
        return Decision::ALLOWED;
    }
    let warnings = defaults.iter().filter_map(|default| default.warning).map(ToOwned::to_owned).collect();
    let add = |Default { path, value, .. }| PatchOperation::Add(AddOperation { path, value });
    Decision::completed(Patch(defaults.into_iter().map(add).collect()), warnings)
}

/// A field to be filled in.
struct Default {
    path: PointerBuf,
    value: Value,
    warning: Option<&'static str>,
}

impl Default {
    /// A field of `spec`.
    fn of_spec(field: &str, value: Value, warning: Option<&'static str>) -> Self {
        Self { path: PointerBuf::from_tokens(["spec", field]), value, warning }
    }

    /// The key of the Pod template.
    fn of_template(key: String) -> Self {
        let path = PointerBuf::from_tokens(["spec", "template", "metadata", "labels", KEY]);
        Self { path, value: Value::String(key), warning: None }
    }
}

/// A new strict singleton gets a key where it brings none. One that exists does not: that would restart it.
fn given_key(kind: Kind, object: &Object<'_>) -> Option<Default> {
    let template = Template::of(object);
    let lacks = template.has_labels() && template.key().is_none();
    key::derived(kind, object).filter(|_| lacks).map(Default::of_template)
}

/// A manifest that never had the key must stay applicable to a workload that was given one.
fn kept_key(object: &Object<'_>, old: &Object<'_>) -> Option<Default> {
    let (template, stored) = (Template::of(object), Template::of(old));
    let lacks = template.has_labels() && template.key().is_none();
    key::owned(stored.key().as_ref()).filter(|_| lacks).map(Default::of_template)
}

/// A singleton Deployment is recreated, not rolled. A later patch may bring only a part of a strategy, and then the
/// stored part and the new one contradict each other; the API server would refuse that, so the part that the request
/// did not bring gives way.
fn strategy(object: &Object<'_>, old: Option<&Object<'_>>) -> Option<Default> {
    let absent = Strategy::default();
    let wanted = object.spec.strategy.as_ref().unwrap_or(&absent);
    let stored = old.map(|old| old.spec.strategy.as_ref().unwrap_or(&absent));
    if wanted.recreates() {
        let bounds = wanted.rolling_update.as_ref()?;
        let brought_bounds = stored?.recreates();
        let value = if brought_bounds {
            json!({"type": ROLLING_UPDATE, "rollingUpdate": brought(bounds)})
        } else {
            json!({"type": RECREATE})
        };
        return Some(Default::of_spec("strategy", value, None));
    }
    let warning = (!stored.is_some_and(Strategy::recreates)).then_some(RECREATED);
    is_server_default(wanted).then(|| Default::of_spec("strategy", json!({"type": RECREATE}), warning))
}

fn is_server_default(strategy: &Strategy<'_>) -> bool {
    strategy.type_.as_deref().is_none_or(|type_| type_ == ROLLING_UPDATE)
        && strategy
            .rolling_update
            .as_ref()
            .is_none_or(|bounds| bounds.max_surge.is_server_default() && bounds.max_unavailable.is_server_default())
}

/// The bounds that a request brought to a stored `Recreate`. The API server keeps them without defaults, and one that
/// was left out reads as 0; two zeros are invalid, so a `maxUnavailable` of 0 is left to the server's default.
fn brought(bounds: &RollingUpdate<'_>) -> Value {
    let mut brought = Map::new();
    if let Some(max_surge) = int_or_string(&bounds.max_surge) {
        brought.insert("maxSurge".to_owned(), max_surge);
    }
    if let Some(max_unavailable) = int_or_string(&bounds.max_unavailable).filter(|bound| *bound != json!(0)) {
        brought.insert("maxUnavailable".to_owned(), max_unavailable);
    }
    Value::Object(brought)
}

/// The value as it was written.
fn int_or_string(bound: &IntOrString<'_>) -> Option<Value> {
    match bound {
        IntOrString::Absent => None,
        IntOrString::Int(count) => Some(json!(count)),
        IntOrString::Text(text) => Some(json!(text)),
        IntOrString::Unreadable(json) => serde_json::from_str(json).ok(),
    }
}

/// A StatefulSet is governed by the Service that we would make for it, so that the Pod has a name of its own. Not where
/// the name is still to be generated.
fn governing_service(object: &Object<'_>, allowed: Allowed) -> Option<Default> {
    let name = &object.metadata.name;
    (service_name(object).is_empty() && !name.is_empty()).then(|| {
        let service = match object.headless_service() {
            Some(HeadlessService::Named(wanted)) if allowed.names(name, wanted) => wanted.to_owned(),
            _ => names::service(name),
        };
        Default::of_spec("serviceName", Value::String(service), None)
    })
}

/// `serviceName` is immutable: a manifest that never had it must stay applicable to a StatefulSet that we gave one,
/// also after its release.
fn kept_service(object: &Object<'_>, old: &Object<'_>, guarded: bool) -> Option<Default> {
    let kept = service_name(old);
    let warning = (!guarded).then_some(SERVICE_NAME_KEPT);
    (service_name(object).is_empty() && !kept.is_empty())
        .then(|| Default::of_spec("serviceName", Value::String(kept.to_owned()), warning))
}

fn service_name<'a>(object: &'a Object<'_>) -> &'a str {
    object.spec.service_name.as_deref().unwrap_or_default()
}

/// The CEL conditions without which nothing is filled in, of an object that is marked or was.
pub(crate) fn triggers(kinds: Kinds) -> impl Iterator<Item = String> {
    [strategy_trigger(kinds), service_name_trigger(kinds), key_trigger(kinds)].into_iter().flatten()
}

fn strategy_trigger(kinds: Kinds) -> Option<String> {
    let is = cel::is(kinds, |info| info.rollout == Some(Rollout::Strategy))?;
    Some(format!(
        "{is} && {is_marked}\n\
         && (object.spec.?strategy.?type.orValue('RollingUpdate') == 'RollingUpdate'\n\
         && object.spec.?strategy.?rollingUpdate.?maxSurge.orValue('25%') == '25%'\n\
         && object.spec.?strategy.?rollingUpdate.?maxUnavailable.orValue('25%') == '25%'\n\
         || {update} && object.spec.?strategy.?type.orValue('') == 'Recreate'\n\
         && object.spec.?strategy.?rollingUpdate.hasValue())",
        is_marked = cel::IS_MARKED,
        update = cel::UPDATE,
    ))
}

fn service_name_trigger(kinds: Kinds) -> Option<String> {
    let is = cel::is(kinds, |info| info.pod_names == PodNames::Ordinal)?;
    Some(format!(
        "{is} && object.spec.?serviceName.orValue('') == ''\n\
         && ({create} && {is_marked} || {update} && oldObject.spec.?serviceName.orValue('') != '')",
        create = cel::CREATE,
        update = cel::UPDATE,
        is_marked = cel::IS_MARKED,
    ))
}

fn key_trigger(kinds: Kinds) -> Option<String> {
    kinds.that(KindInfo::can_be_strict).next()?;
    Some(format!(
        "{is_strict} && !object.spec.?template.?metadata.?labels[?'{KEY}'].hasValue()\n\
         && ({create} || {was_strict} && oldObject.spec.?template.?metadata.?labels[?'{KEY}'].hasValue())",
        is_strict = cel::IS_STRICT,
        was_strict = cel::WAS_STRICT,
        create = cel::CREATE,
    ))
}

/// The CEL condition under which a StatefulSet loses its `serviceName`.
pub(crate) fn service_name_lost() -> String {
    "object.spec.?serviceName.orValue('') == '' && oldObject.spec.?serviceName.orValue('') != ''".to_owned()
}

const RECREATE: &str = "Recreate";
const ROLLING_UPDATE: &str = "RollingUpdate";
