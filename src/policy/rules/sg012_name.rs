//! SG012: the Pods of a strict singleton have one name, its key.
//!
//! A Pod gets the key with the labels of its template, and may have no other name than the key: so the API server stores
//! one such Pod at a time, whoever creates them. The key must be in the template when the workload becomes strict and
//! stay there; on a Pod that exists it neither comes nor goes nor changes. A new ReplicaSet of a Deployment takes its labels
//! and its template from there, where they were judged.
//!
//! A ReplicaSet or ReplicationController that has a Pod must not become strict, whenever its template got the key: it does
//! not replace that Pod, which has another name. A Deployment may, because `Recreate` waits for the end of every Pod of the
//! old template, and so may a StatefulSet, whose Pod has always had the name; but not while it is held back: then the
//! Pods without the key stay, and come again.

use std::borrow::Cow;

use super::super::cel;
use super::super::change::Change;
use super::super::code::Code;
use super::super::rollout::{self, held_back};
use super::super::standing::Standing;
use super::super::violation::{Sg012, Violation};
use super::Rule;
use crate::api::key;
use crate::api::key::KEY;
use crate::api::kind::{KINDS, Kind, Resource};
use crate::api::object::Object;
use crate::api::template::Template;
use crate::policy::entry::{Place, Refusal, Row};

pub(super) const RULE: Rule = Rule {
    code: Code::Sg012,
    summary: "the Pods of a strict singleton have one name, the label `singleton-guard.io/key` of its template, which must be there and stay as it is",
    check,
    trigger,
    floor,
};

/// What is wrong with a Pod that is created or changed. `before` is its key as it is, if it exists.
#[must_use]
pub fn judge(before: Option<Option<&str>>, after: Option<&str>, name: &str) -> Option<Violation> {
    match (before, after) {
        (Some(before), after) => {
            (before != after).then(|| Sg012::KeyChanged { requested: after.map(str::to_owned) }.into())
        }
        (None, Some(key)) => {
            (key != name).then(|| Sg012::NotNamed { key: key.to_owned(), requested: name.to_owned() }.into())
        }
        (None, None) => None,
    }
}

/// The name that a new Pod gets which brings none.
#[must_use]
pub fn given<'a>(key: Option<&'a str>, name: &str) -> Option<&'a str> {
    key.filter(|key| name.is_empty() && key::is_key(key))
}

fn check(change: &Change<'_>, _: Standing) -> Vec<Violation> {
    let Resource::Guarded(kind) = change.workload.resource else { return Vec::new() };
    if !change.is_strict() {
        return Vec::new();
    }
    let (old, new) = (change.from.as_deref().map(Template::of), Template::of(&change.to));
    let (before, after) = (old.as_ref().and_then(Template::key), new.key());
    let kept = change.was_strict() && before == after;
    if kept || change.is_of_deployment() {
        return Vec::new();
    }
    let stored = change.from.as_ref().filter(|from| change.was_strict() && is_right(kind, from, before.as_ref()));
    if stored.is_some() || !is_right(kind, &change.to, after.as_ref()) {
        let wanted = stored.and(before).map(Cow::into_owned).or_else(|| key::derived(kind, &change.to));
        let wanted = wanted.unwrap_or_else(|| GENERATED.to_owned());
        return vec![Sg012::TemplateKey { wanted, requested: key::owned(after.as_ref()) }.into()];
    }
    if change.from.is_none() {
        return Vec::new();
    }
    // From here on it becomes strict, or its key is put right.
    let replaces = !matches!(kind, Kind::ReplicaSet | Kind::ReplicationController);
    let other_pod = (!replaces && change.may_have_pod()).then_some(Sg012::KeepsPod.into());
    let held_back = held_back(kind, &change.to).filter(|_| !change.was_strict());
    other_pod.or(held_back.map(|(field, requested)| Sg012::HeldBack { field, requested }.into())).into_iter().collect()
}

fn is_right(kind: Kind, workload: &Object<'_>, key: Option<&Cow<'_, str>>) -> bool {
    key.is_some_and(|key| match kind {
        Kind::StatefulSet => **key == key::pod_of_stateful_set(workload),
        _ => key::is_key(key),
    })
}

fn trigger(row: Row) -> Option<String> {
    // A mark that is not strict any more is told what its template still carries.
    (row == Row::Workload).then(|| {
        format!(
            "{}\n|| {}\n|| {}\n|| {} && {} && {} != {}",
            lacks_key(),
            keeps_pod(),
            is_held_back(),
            cel::UPDATE,
            cel::WAS_STRICT,
            cel::MARK,
            cel::OLD_MARK
        )
    })
}

fn floor(place: Place) -> Vec<Refusal> {
    let requested = |key: String| ("\"{requested}\"", cel::or_none(&key));
    let template_key = |wanted: String, when: String| {
        let violation = Sg012::TemplateKey { wanted: "{wanted}".to_owned(), requested: Some("{requested}".to_owned()) };
        Refusal::new(violation, when, vec![("{wanted}", wanted), requested(template_label("object"))])
    };
    let key_changed = || {
        Refusal::new(
            Sg012::KeyChanged { requested: Some("{requested}".to_owned()) },
            format!("{} && {} != {}", cel::UPDATE, label("object"), label("oldObject")),
            vec![requested(label("object"))],
        )
    };
    let old_key = template_label("oldObject");
    match place {
        Place::Strict => {
            let kept = format!("{} && {} && {}", cel::UPDATE, cel::WAS_STRICT, right("oldObject"));
            let wanted = format!("({kept} ? {old_key}.orValue('') : {})", derived());
            std::iter::once(template_key(wanted, lacks_key())).chain(keep_the_old_pod()).collect()
        }
        Place::StrictBehind => {
            let differs = format!("{} != {old_key} && {old_key}.hasValue()", template_label("object"));
            vec![template_key(format!("{old_key}.orValue('')"), differs), key_changed()]
        }
        Place::Pods => vec![
            Refusal::new(
                Sg012::NotNamed { key: "{key}".to_owned(), requested: "{pod}".to_owned() },
                format!("{} && {}.orValue('') != object.metadata.name", cel::CREATE, label("object")),
                vec![
                    ("{key}", format!("{}.orValue('')", label("object"))),
                    ("{pod}", cel::clip("object.metadata.name")),
                ],
            ),
            key_changed(),
        ],
        _ => Vec::new(),
    }
}

/// Workloads that become strict and would keep a Pod without the key.
fn keep_the_old_pod() -> [Refusal; 4] {
    let held = |field, requested: &str, when: &str, values| {
        Refusal::new(Sg012::HeldBack { field, requested: requested.to_owned() }, becomes_strict(when), values)
    };
    let partition = vec![("{partition}", format!("string({PARTITION_OF})"))];
    [
        Refusal::new(Sg012::KeepsPod, keeps_pod(), Vec::new()),
        held(rollout::PAUSED, "true", cel::IS_PAUSED, Vec::new()),
        held(rollout::UPDATE_STRATEGY, rollout::ON_DELETE, IS_ON_DELETE, Vec::new()),
        held(rollout::PARTITION, "{partition}", &is_partitioned(), partition),
    ]
}

/// The template lacks the key that it must have.
fn lacks_key() -> String {
    format!(
        "{is_strict} && ({create} ? !{of_deployment} : !{was_strict} || {after} != {before})\n\
         && (!{right} || {update} && {was_strict} && {was_right})",
        is_strict = cel::IS_STRICT,
        was_strict = cel::WAS_STRICT,
        create = cel::CREATE,
        update = cel::UPDATE,
        of_deployment = cel::of_deployment(),
        after = template_label("object"),
        before = template_label("oldObject"),
        right = right("object"),
        was_right = right("oldObject"),
    )
}

/// There may be a Pod without it.
fn keeps_pod() -> String {
    format!(
        "request.resource.resource in ['replicasets', 'replicationcontrollers'] && {update} && {is_strict}\n\
         && (!{was_strict} || {after} != {before})\n\
         && ({replicas} > 0 || {running} > 0 || {ending} > 0)",
        update = cel::UPDATE,
        is_strict = cel::IS_STRICT,
        was_strict = cel::WAS_STRICT,
        after = template_label("object"),
        before = template_label("oldObject"),
        replicas = cel::OLD_REPLICAS,
        running = cel::OLD_RUNNING,
        ending = "oldObject.?status.?terminatingReplicas.orValue(0)",
    )
}

/// No rollout gives its Pod the key.
fn is_held_back() -> String {
    becomes_strict(&format!("({} || {IS_ON_DELETE} || {})", cel::IS_PAUSED, is_partitioned()))
}

fn is_partitioned() -> String {
    format!("request.resource.resource == 'statefulsets'\n&& {PARTITION_OF} > 0")
}

fn becomes_strict(and: &str) -> String {
    format!("{} && {} && !{} && {and}", cel::UPDATE, cel::IS_STRICT, cel::WAS_STRICT)
}

fn right(workload: &str) -> String {
    format!(
        "(request.resource.resource == 'statefulsets' ? {key}.orValue('') == {pod}\n\
         : {key}.orValue('').matches('^[a-z0-9]([-a-z0-9]{{0,61}}[a-z0-9])?$'))",
        key = template_label(workload),
        pod = pod_of_stateful_set(workload),
    )
}

/// The derived key of a name that is short and plain; of others it is what the words begin with.
fn derived() -> String {
    let of = |(resource, suffix)| format!("'{resource}': '{suffix}'");
    let suffixes = KINDS.iter().filter_map(|info| Some((info.resource, key::suffix(info.kind)?))).map(of);
    format!(
        "(request.resource.resource == 'statefulsets' ? {}\n: object.metadata.name + {{{}}}[request.resource.resource])",
        pod_of_stateful_set("object"),
        suffixes.collect::<Vec<_>>().join(", ")
    )
}

fn pod_of_stateful_set(workload: &str) -> String {
    format!("{workload}.metadata.name + '-' + string({workload}.spec.?ordinals.?start.orValue(0))")
}

fn template_label(workload: &str) -> String {
    format!("{workload}.spec.?template.?metadata.?labels[?'{KEY}']")
}

fn label(pod: &str) -> String {
    format!("{pod}.metadata.?labels[?'{KEY}']")
}

const IS_ON_DELETE: &str =
    "request.resource.resource == 'statefulsets' && object.spec.?updateStrategy.?type.orValue('') == 'OnDelete'";
const PARTITION_OF: &str = "object.spec.?updateStrategy.?rollingUpdate.?partition.orValue(0)";
/// For a workload whose name is still to be generated.
const GENERATED: &str = "a-name-of-yours";
