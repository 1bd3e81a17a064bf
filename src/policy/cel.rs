//! The pieces of CEL that the rules' triggers are made of. `MARK` stands for the label key of the mark. `NODE_USERS`, a line
//! of its own, stands for the setting `strict.nodeUsers`: one condition for each entry, that it is not who asks.
//!
//! A condition that fails to evaluate makes the API server refuse the request (`failurePolicy: Fail`), so what may be
//! absent is read with optional syntax, or asked for with `has`. The macro `optMap` is no choice: where one expression has
//! two of them, Kubernetes 1.30 does not compile it (cel-go 0.17: "incompatible type already exists"). `oldObject` is null
//! on CREATE; every use of it stands behind a test of the operation.

use crate::api::kind::{KindInfo, Kinds, Makes, ReplicasField, Rollout};
use crate::api::mark::SINGLETON;

/// The object is new.
pub(crate) const CREATE: &str = "request.operation == 'CREATE'";
/// The object exists.
pub(crate) const UPDATE: &str = "request.operation == 'UPDATE'";

/// Desired replicas after the request, of anything but a Scale.
pub(crate) fn replicas(kinds: Kinds) -> String {
    replicas_of("object", kinds)
}

/// Desired replicas before the request.
pub(crate) fn old_replicas(kinds: Kinds) -> String {
    replicas_of("oldObject", kinds)
}

/// Where most kinds have them, unless it is one that has them elsewhere.
fn replicas_of(object: &str, kinds: Kinds) -> String {
    let read = |field: ReplicasField| {
        let path = field.path.replace('.', ".?");
        format!("{object}.{path}.orValue({})", field.absent)
    };
    let Some(most) = kinds.that(|_| true).map(|info| info.replicas).next() else { return "0".to_owned() };
    let others = kinds.that(|info| info.replicas != most);
    let elsewhere = others.map(|info| {
        let is = among(kinds, std::iter::once(info)).unwrap_or_default();
        format!("{is} ? {} : ", read(info.replicas))
    });
    let elsewhere: String = elsewhere.collect();
    if elsewhere.is_empty() { read(most) } else { format!("({elsewhere}{})", read(most)) }
}

/// Whether the object is of a kind of which this holds; `None` if there is no such kind.
pub(crate) fn is(kinds: Kinds, holds: impl Fn(&KindInfo) -> bool) -> Option<String> {
    among(kinds, kinds.that(holds))
}

/// Whether the object is of one of these kinds.
pub(crate) fn among(kinds: Kinds, these: impl Iterator<Item = &'static KindInfo>) -> Option<String> {
    let these: Vec<_> = these.collect();
    // A plural may exist in several groups.
    let is_unique = |info: &KindInfo| kinds.that(|other| other.resource == info.resource).count() == 1;
    let quoted: Vec<_> = these.iter().map(|info| format!("'{}'", info.resource)).collect();
    match quoted.as_slice() {
        [] => None,
        [only] if these.iter().all(|info| is_unique(info)) => Some(format!("request.resource.resource == {only}")),
        all if these.iter().all(|info| is_unique(info)) => {
            Some(format!("request.resource.resource in [{}]", all.join(", ")))
        }
        all => {
            let both = these.iter().zip(all).map(|(info, resource)| {
                format!("request.resource.group == '{}' && request.resource.resource == {resource}", info.group)
            });
            Some(format!("({})", both.collect::<Vec<_>>().join(" || ")))
        }
    }
}

/// Pods that the controller counted before it.
pub(crate) const OLD_RUNNING: &str = "oldObject.?status.?replicas.orValue(0)";

/// Whether it is a Deployment that is paused after the request.
pub(crate) fn is_paused(kinds: Kinds) -> Option<String> {
    let is = is(kinds, |info| info.rollout == Some(Rollout::Strategy))?;
    Some(format!("{is} && object.spec.?paused.orValue(false)"))
}

/// The mark after the request, as an optional: an empty value is a value.
pub(crate) const MARK: &str = "object.metadata.?labels[?'MARK']";
/// The mark before it.
pub(crate) const OLD_MARK: &str = "oldObject.metadata.?labels[?'MARK']";
/// Whether there is a mark after the request.
pub(crate) const IS_MARKED: &str = "object.metadata.?labels[?'MARK'].hasValue()";
/// Whether there was one before it.
pub(crate) const WAS_MARKED: &str = "oldObject.metadata.?labels[?'MARK'].hasValue()";

/// Whether it is strict after the request.
pub(crate) const IS_STRICT: &str = "(object.metadata.?labels[?'MARK'].orValue('') == 'strict')";
/// Whether it was strict before it, of an object that exists.
pub(crate) const WAS_STRICT: &str = "(oldObject.metadata.?labels[?'MARK'].orValue('') == 'strict')";

/// Whether a Deployment controls this object.
fn behind(object: &str, kinds: Kinds) -> String {
    let owners = kinds
        .that(|info| info.makes == Makes::ReplicaSets)
        .map(|info| format!("r.kind == '{}' && r.apiVersion.startsWith('{}/')", info.name, info.group));
    let owners: Vec<_> = owners.collect();
    let is_owner = match owners.as_slice() {
        [] => "false".to_owned(),
        [owner] => owner.clone(),
        owners => format!("({})", owners.join(" || ")),
    };
    format!("{object}.metadata.?ownerReferences.orValue([])\n.exists(r, r.?controller.orValue(false) && {is_owner})")
}

/// Whether a Deployment controls the object, or did: the ones of `oldObject` must stand behind [`UPDATE`].
pub(crate) fn is_or_was_behind(kinds: Kinds) -> String {
    format!("[object, oldObject].exists(o, o != null && {})", behind("o", kinds))
}

/// Whether a Deployment controls the object after the request.
pub(crate) fn is_behind(kinds: Kinds) -> String {
    behind("object", kinds)
}

/// Whether one did before it.
pub(crate) fn was_behind(kinds: Kinds) -> String {
    behind("oldObject", kinds)
}

/// Whether a controller manages the object after the request.
pub(crate) const CONTROLLED: &str =
    "object.metadata.?ownerReferences.orValue([]).exists(r, r.?controller.orValue(false))";
/// Whether the managing controller changes.
pub(crate) const CONTROLLER_DIFFERS: &str = "object.metadata.?ownerReferences.orValue([]).filter(r, r.?controller.orValue(false))\n\
     != oldObject.metadata.?ownerReferences.orValue([]).filter(r, r.?controller.orValue(false))";

/// Whether it is a ReplicaSet that a Deployment controls: a new one has the labels and the template of that.
pub(crate) fn of_deployment(kinds: Kinds) -> String {
    let is = is(kinds, |info| info.makes == Makes::PodsForOwner);
    is.map_or_else(|| "false".to_owned(), |is| format!("({is} && {})", is_behind(kinds)))
}

/// Whether the Pod template of a strict workload comes to count, or is another one.
pub(crate) fn brings_template(kinds: Kinds) -> String {
    format!(
        "({CREATE} ? !{of_deployment}\n\
         : !{WAS_STRICT} || object.spec.?template != oldObject.spec.?template)",
        of_deployment = of_deployment(kinds),
    )
}

/// Whether the name of a new object is still to be given.
pub(crate) const IS_NAMELESS: &str = "object.metadata.?name.orValue('') == ''";

/// Whether the mark changes: its values that mean the same are one.
pub(crate) fn mark_differs() -> String {
    format!(
        "{MARK} != {OLD_MARK}\n\
         && !({MARK}.orValue('') in [{values}] && {OLD_MARK}.orValue('') in [{values}])",
        values = singletons(),
    )
}

/// The values that make a workload a singleton.
pub(crate) fn singletons() -> String {
    SINGLETON.map(|value| format!("'{value}'")).join(", ")
}

/// Whether the mark goes.
pub(crate) fn unmarks() -> String {
    format!("{UPDATE} && {WAS_MARKED} && !{IS_MARKED}")
}

/// A text for a message, as `text::clip` shows it with 24 characters: on one line, and without its middle where it is
/// longer.
pub(crate) fn clip(text: &str) -> String {
    format!(
        "({text}.matches(r'\\pC|\\p{{Zl}}|\\p{{Zp}}') ? '(unprintable)'\n\
         : size({text}) > 24 ? {text}.substring(0, 11) + '...' + {text}.substring(size({text}) - 10) : {text})"
    )
}

/// An optional text for a message: in quotes, or `none`.
pub(crate) fn or_none(optional: &str) -> String {
    format!("({optional}.hasValue() ? '\"' + {} + '\"' : 'none')", clip(&format!("{optional}.orValue('')")))
}
