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
use crate::api::kind::{Kind, KindInfo, Kinds, PodNames, Resource, Rollout};
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
    let replaces = kind.info().rollout.is_some();
    let other_pod = (!replaces && change.may_have_pod()).then_some(Sg012::KeepsPod.into());
    let held_back = held_back(kind, &change.to).filter(|_| !change.was_strict());
    other_pod.or(held_back.map(|(field, requested)| Sg012::HeldBack { field, requested }.into())).into_iter().collect()
}

fn is_right(kind: Kind, workload: &Object<'_>, key: Option<&Cow<'_, str>>) -> bool {
    key.is_some_and(|key| match kind.info().pod_names {
        PodNames::Ordinal => **key == key::pod_of_stateful_set(workload),
        PodNames::Key(_) | PodNames::Unknown => key::is_key(key),
    })
}

fn trigger(row: Row, kinds: Kinds) -> Option<String> {
    let may_be_strict = kinds.that(KindInfo::can_be_strict).next().is_some();
    (row == Row::Workload && may_be_strict).then(|| {
        // A mark that is not strict any more is told what its template still carries.
        let goes = format!("{} && {} && {} != {}", cel::UPDATE, cel::WAS_STRICT, cel::MARK, cel::OLD_MARK);
        let parts = [Some(lacks_key(kinds)), keeps_pod(kinds), is_held_back(kinds), Some(goes)];
        parts.into_iter().flatten().collect::<Vec<_>>().join("\n|| ")
    })
}

fn floor(place: Place, kinds: Kinds) -> Vec<Refusal> {
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
            let kept = format!("{} && {} && {}", cel::UPDATE, cel::WAS_STRICT, right("oldObject", kinds));
            let wanted = format!("({kept} ? {old_key}.orValue('') : {})", derived(kinds));
            std::iter::once(template_key(wanted, lacks_key(kinds))).chain(keep_the_old_pod(kinds)).collect()
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
fn keep_the_old_pod(kinds: Kinds) -> impl Iterator<Item = Refusal> {
    let held = |field, requested: &str, when: Option<String>, values| {
        let violation = Sg012::HeldBack { field, requested: requested.to_owned() };
        when.map(|when| Refusal::new(violation, becomes_strict(&when), values))
    };
    let partition = vec![("{partition}", format!("string({PARTITION_OF})"))];
    let refusals = [
        keeps_pod(kinds).map(|when| Refusal::new(Sg012::KeepsPod, when, Vec::new())),
        held(rollout::PAUSED, "true", cel::is_paused(kinds), Vec::new()),
        held(rollout::UPDATE_STRATEGY, rollout::ON_DELETE, is_on_delete(kinds), Vec::new()),
        held(rollout::PARTITION, "{partition}", is_partitioned(kinds), partition),
    ];
    refusals.into_iter().flatten()
}

/// The template lacks the key that it must have.
fn lacks_key(kinds: Kinds) -> String {
    format!(
        "{is_strict} && ({create} ? !{of_deployment} : !{was_strict} || {after} != {before})\n\
         && (!{right} || {update} && {was_strict} && {was_right})",
        is_strict = cel::IS_STRICT,
        was_strict = cel::WAS_STRICT,
        create = cel::CREATE,
        update = cel::UPDATE,
        of_deployment = cel::of_deployment(kinds),
        after = template_label("object"),
        before = template_label("oldObject"),
        right = right("object", kinds),
        was_right = right("oldObject", kinds),
    )
}

/// There may be a Pod without it.
fn keeps_pod(kinds: Kinds) -> Option<String> {
    let is = cel::is(kinds, |info| info.rollout.is_none() && info.can_be_strict())?;
    Some(format!(
        "{is} && {update} && {is_strict}\n\
         && (!{was_strict} || {after} != {before})\n\
         && ({replicas} > 0 || {running} > 0 || {ending} > 0)",
        update = cel::UPDATE,
        is_strict = cel::IS_STRICT,
        was_strict = cel::WAS_STRICT,
        after = template_label("object"),
        before = template_label("oldObject"),
        replicas = cel::old_replicas(kinds),
        running = cel::OLD_RUNNING,
        ending = "oldObject.?status.?terminatingReplicas.orValue(0)",
    ))
}

/// No rollout gives its Pod the key.
fn is_held_back(kinds: Kinds) -> Option<String> {
    let held: Vec<_> =
        [cel::is_paused(kinds), is_on_delete(kinds), is_partitioned(kinds)].into_iter().flatten().collect();
    (!held.is_empty()).then(|| becomes_strict(&format!("({})", held.join(" || "))))
}

fn is_on_delete(kinds: Kinds) -> Option<String> {
    let is = cel::is(kinds, |info| info.rollout == Some(Rollout::UpdateStrategy))?;
    Some(format!("{is} && object.spec.?updateStrategy.?type.orValue('') == 'OnDelete'"))
}

fn is_partitioned(kinds: Kinds) -> Option<String> {
    let is = cel::is(kinds, |info| info.rollout == Some(Rollout::UpdateStrategy))?;
    Some(format!("{is}\n&& {PARTITION_OF} > 0"))
}

fn becomes_strict(and: &str) -> String {
    format!("{} && {} && !{} && {and}", cel::UPDATE, cel::IS_STRICT, cel::WAS_STRICT)
}

fn right(workload: &str, kinds: Kinds) -> String {
    let key = template_label(workload);
    let is_name = format!("{key}.orValue('').matches('^[a-z0-9]([-a-z0-9]{{0,61}}[a-z0-9])?$')");
    match cel::is(kinds, |info| info.pod_names == PodNames::Ordinal) {
        Some(is) => format!("({is} ? {key}.orValue('') == {}\n: {is_name})", pod_of_stateful_set(workload)),
        None => is_name,
    }
}

/// The derived key of a name that is short and plain; of others it is what the words begin with.
fn derived(kinds: Kinds) -> String {
    let suffixes = kinds.that(|_| true).filter_map(|info| match info.pod_names {
        PodNames::Key(suffix) => Some(format!("'{}': '{suffix}'", info.resource)),
        PodNames::Ordinal | PodNames::Unknown => None,
    });
    let suffixes = suffixes.collect::<Vec<_>>().join(", ");
    let by_key = format!("object.metadata.name + {{{suffixes}}}[request.resource.resource]");
    match cel::is(kinds, |info| info.pod_names == PodNames::Ordinal) {
        Some(is) => format!("({is} ? {}\n: {by_key})", pod_of_stateful_set("object")),
        None => by_key,
    }
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

const PARTITION_OF: &str = "object.spec.?updateStrategy.?rollingUpdate.?partition.orValue(0)";
/// For a workload whose name is still to be generated.
const GENERATED: &str = "a-name-of-yours";
