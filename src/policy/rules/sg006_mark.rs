//! SG006: the mark has a value that means something, on a kind that can keep the promise; and so have the annotations
//! that say what companions the workload wants.
//!
//! Judged when the value is written. A bad mark that is stored already (the guard was installed later) counts as
//! `enabled`, a bad annotation as none, and the object stays editable. `"strict"` is refused where the settings
//! switch it off, because a promise that is accepted and not kept is worse than none. A Job that a CronJob makes takes the
//! labels of its template: what a controller makes is not judged, refusing it would help nobody. Consent to a disruption
//! ends by itself, so it may not be given for longer than the settings allow. A Service is made with our rights, so its name
//! must be the workload's own; `serviceName` is not judged, because it may just as well name a Service of the user's. Where
//! the chart says so, what gets a Service may only be written by who may create one: that is held by a policy in the API
//! server, which alone can ask what a user may do.

use std::borrow::Cow;

use super::super::annotation::Annotation;
use super::super::cel;
use super::super::change::{Change, Via};
use super::super::code::Code;
use super::super::standing::Standing;
use super::super::violation::{Sg006, Violation};
use super::Rule;
use crate::api::annotation::{
    Annotations, BadWindow, DISRUPTION, DISRUPTION_ALLOWED_UNTIL, Disruption, HEADLESS_SERVICE, HeadlessService,
    PUBLISH_NOT_READY, parse_publishes,
};
use crate::api::kind::{KindInfo, Kinds, Makes, Resource, Unmarkable};
use crate::api::mark::{Mark, STRICT};
use crate::policy::entry::{Place, Refusal, Row};

pub(super) const RULE: Rule = Rule {
    code: Code::Sg006,
    summary: "the mark must have one of the allowed values, on a {kinds}, and so must the annotations beside it; a Service that they name must be the workload's own, and consent to a disruption must not be given too far ahead",
    check,
    trigger,
    floor,
};

fn check(change: &Change<'_>, _: Standing) -> Vec<Violation> {
    if change.via != Via::Object || !change.mark_after().is_present() {
        return Vec::new();
    }
    let unmarkable = match change.workload.resource {
        Resource::Unmarkable(kind) => Some(kind),
        _ => None,
    };
    if unmarkable.is_some() && change.to.metadata.controller().is_some() {
        return Vec::new();
    }
    mark(change, unmarkable)
        .into_iter()
        .chain(annotations(change).into_iter().filter(|_| unmarkable.is_none()))
        .collect()
}

fn mark(change: &Change<'_>, unmarkable: Option<&'static Unmarkable>) -> Option<Violation> {
    let mark = change.mark_after();
    if mark == change.mark_before() {
        return None;
    }
    if let Some(kind) = unmarkable {
        let requested = change.to.metadata.labels.get(change.key.as_str()).unwrap_or_default().to_owned();
        return Some(Sg006::UnmarkableKind { kind, guarded: change.kinds, requested }.into());
    }
    let malformed = |value: &str, strict| Some(Sg006::MalformedMark { requested: value.to_owned(), strict }.into());
    let can_be_strict = change.kind().is_some_and(KindInfo::can_be_strict);
    match mark {
        Mark::Absent | Mark::Singleton => None,
        Mark::Strict if !can_be_strict => malformed(STRICT, false),
        Mark::Strict => (!change.strict).then_some(Sg006::StrictMark.into()),
        Mark::Malformed(value) => malformed(value, change.strict && can_be_strict),
    }
}

/// The annotations that this request writes, or makes count by adding the mark.
fn annotations(change: &Change<'_>) -> Vec<Violation> {
    let after = &change.to.metadata.annotations.ours;
    let before = change.from.as_ref().filter(|_| change.mark_before().is_present());
    let before = before.map(|object| &object.metadata.annotations.ours);
    let written = |value: for<'a> fn(&'a Annotations<Cow<'_, str>>) -> Option<&'a str>| {
        value(after).filter(|new| before.and_then(value) != Some(new))
    };
    let malformed =
        |annotation| move |value: &str| Sg006::MalformedAnnotation { annotation, requested: value.to_owned() }.into();
    let service = written(|annotations| annotations.headless_service.as_deref());
    let publishes = written(|annotations| annotations.publish_not_ready.as_deref());
    let disruption = written(|annotations| annotations.disruption.as_deref());
    let until = written(|annotations| annotations.disruption_allowed_until.as_deref());
    let (max, allowed, workload) = (change.consent.max, change.allowed, &change.workload.name);
    [
        service.and_then(|value| match HeadlessService::parse(value) {
            None => Some(malformed(Annotation::HeadlessService)(value)),
            // The name of a workload that is still to be given one is nobody's.
            Some(HeadlessService::Named(name)) if !allowed.names(workload, name) => {
                Some(Sg006::ForeignName { requested: name.to_owned() }.into())
            }
            Some(_) => None,
        }),
        publishes.filter(|value| parse_publishes(value).is_none()).map(malformed(Annotation::PublishNotReady)),
        disruption.and_then(|value| match Disruption::parse(value) {
            None => Some(malformed(Annotation::Disruption)(value)),
            Some(Disruption::Block) if !allowed.block => Some(Sg006::BlockDenied.into()),
            Some(_) => None,
        }),
        until.and_then(|value| match change.consent.until(value) {
            Err(BadWindow::Malformed) => Some(malformed(Annotation::DisruptionAllowedUntil)(value)),
            Err(BadWindow::TooFar { .. }) => Some(Sg006::ConsentTooLong { requested: value.to_owned(), max }.into()),
            Ok(_) => None,
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn trigger(row: Row, kinds: Kinds) -> Option<String> {
    (row == Row::Workload).then(|| {
        let is_bad = format!("!({mark}.orValue('') in [{allowed}])", mark = cel::MARK, allowed = cel::singletons());
        let is_bad = match is_unmarkable(kinds) {
            Some(is_unmarkable) => format!("({is_unmarkable} ? !{} : {is_bad})", cel::CONTROLLED),
            None => is_bad,
        };
        format!(
            "{marks}\n\
             && {is_bad}\n\
             || {is_marked} && ({service} || {publishes} || {disruption} || {until})",
            marks = marks(),
            is_marked = cel::IS_MARKED,
            service = writes(HEADLESS_SERVICE, &format!("({BAD_SERVICE}\n|| {FOREIGN_SERVICE})")),
            publishes = writes(PUBLISH_NOT_READY, BAD_PUBLISH),
            disruption = writes(DISRUPTION, MORE_THAN_ALLOW),
            until = writes(DISRUPTION_ALLOWED_UNTIL, "true"),
        )
    })
}

/// All but how far ahead consent is given, because CEL has no clock; whether `strict` is switched off; and the name of a
/// Service for a workload whose own name cannot be one.
fn floor(place: Place, kinds: Kinds) -> Vec<Refusal> {
    if place == Place::ServiceRight {
        return vec![Refusal {
            violation: Sg006::NoServiceRight.into(),
            when: lacks_service_right(kinds),
            values: Vec::new(),
        }];
    }
    if place != Place::Workload {
        return Vec::new();
    }
    let unmarkable = is_unmarkable(kinds).unwrap_or_else(|| "false".to_owned());
    let (marks, mark) = (marks(), format!("{}.orValue('')", cel::MARK));
    let refusal = |violation, when| Refusal { violation, when, values: vec![("{mark}", cel::clip(&mark))] };
    let written = |violation, annotation: Annotation, condition: &str| Refusal {
        violation,
        when: format!("{} && !({unmarkable}) && {}", cel::IS_MARKED, writes(annotation.key(), condition)),
        values: vec![(
            "{value}",
            cel::clip(&format!("object.metadata.?annotations[?'{}'].orValue('')", annotation.key())),
        )],
    };
    let requested = || "{value}".to_owned();
    let malformed = |annotation, condition| {
        written(Sg006::MalformedAnnotation { annotation, requested: requested() }.into(), annotation, condition)
    };
    let unmarkables = kinds.unmarkable().iter().map(|kind| {
        let is_kind = format!("request.resource.resource == '{}'", kind.resource);
        refusal(
            Sg006::UnmarkableKind { kind, guarded: kinds, requested: "{mark}".to_owned() }.into(),
            format!("{marks} && {is_kind} && !{}", cel::CONTROLLED),
        )
    });
    let others = vec![
        refusal(
            Sg006::MalformedMark { requested: "{mark}".to_owned(), strict: true }.into(),
            format!("{marks} && !({unmarkable}) && !({mark} in [{}, '{STRICT}'])", cel::singletons()),
        ),
        malformed(Annotation::HeadlessService, BAD_SERVICE),
        written(
            Sg006::ForeignName { requested: requested() }.into(),
            Annotation::HeadlessService,
            &format!("{NAMES_ARE_DENIED} && {FOREIGN_SERVICE}\n&& {NAME_IS_LABEL}"),
        ),
        malformed(Annotation::PublishNotReady, BAD_PUBLISH),
        malformed(Annotation::Disruption, BAD_DISRUPTION),
        written(Sg006::BlockDenied.into(), Annotation::Disruption, DENIED_BLOCK),
        malformed(Annotation::DisruptionAllowedUntil, BAD_TIME),
    ];
    unmarkables.chain(others).collect()
}

/// The mark is written.
fn marks() -> String {
    format!("{} && ({} || {})", cel::IS_MARKED, cel::CREATE, cel::mark_differs())
}

fn is_unmarkable(kinds: Kinds) -> Option<String> {
    let resources: Vec<_> = kinds.unmarkable().iter().map(|kind| format!("'{}'", kind.resource)).collect();
    (!resources.is_empty()).then(|| format!("request.resource.resource in [{}]", resources.join(", ")))
}

/// The annotation is written, or comes to count, with a value for which the condition holds; `VALUE` stands for it.
fn writes(annotation: &str, condition: &str) -> String {
    let value = format!("metadata.?annotations[?'{annotation}']");
    format!(
        "object.{value}.hasValue() && {condition}\n\
         && ({create} || !{was_marked} || object.{value} != oldObject.{value})",
        condition = condition.replace("VALUE", &format!("object.{value}.orValue('')")),
        create = cel::CREATE,
        was_marked = cel::WAS_MARKED,
    )
}

/// The request makes us make a Service that we would not make without it, and its author may not make one himself.
fn lacks_service_right(kinds: Kinds) -> String {
    let is_set = cel::is(kinds, |info| info.makes == Makes::PodsForOwner).unwrap_or_else(|| "false".to_owned());
    let gets = |object: &str| {
        format!(
            "{object}.metadata.?labels[?'MARK'].hasValue()\n\
             && {object}.metadata.?annotations[?'{HEADLESS_SERVICE}'].orValue('UNSAID') != 'none'\n\
             && !({is_set} && {})",
            cel::CONTROLLED.replacen("object", object, 1),
        )
    };
    format!(
        "{after}\n\
         && !({update} && {before}\n\
         && object.metadata.?annotations[?'{HEADLESS_SERVICE}'] == oldObject.metadata.?annotations[?'{HEADLESS_SERVICE}'])\n\
         && !authorizer.group('').resource('services').namespace(request.namespace).check('create').allowed()",
        after = gets("object"),
        before = gets("oldObject"),
        update = cel::UPDATE,
    )
}

const BAD_SERVICE: &str = "!VALUE.matches('^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$')";
const BAD_PUBLISH: &str = "!(VALUE in ['true', 'false'])";
const BAD_DISRUPTION: &str = "!(VALUE in ['allow', 'block', 'none'])";
// What is refused where the settings say so is asked about always: they may change while the conditions stay.
const FOREIGN_SERVICE: &str = "!(VALUE in ['auto', 'none'])\n\
     && VALUE != object.metadata.?name.orValue('') && !VALUE.startsWith(object.metadata.?name.orValue('') + '-')";
const MORE_THAN_ALLOW: &str = "!(VALUE in ['allow', 'none'])";
// In a policy `DENY-NAMES` and `DENY-BLOCK` stand for what the chart's values say.
const NAMES_ARE_DENIED: &str = "'DENY-NAMES' == 'deny'";
const DENIED_BLOCK: &str = "'DENY-BLOCK' == 'deny' && VALUE == 'block'";
/// The name is such that every name of ours begins with it and a dash; a policy cannot derive the others. The longest of
/// ours adds 32 characters to it (`-singleton-replicationcontroller`), and a label has 63.
const NAME_IS_LABEL: &str = "object.metadata.?name.orValue('').matches('^[a-z]([-a-z0-9]{0,29}[a-z0-9])?$')";
/// The form of RFC 3339, not the calendar.
const BAD_TIME: &str =
    "!VALUE.matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}.[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[-+][0-9]{2}:[0-9]{2})$')";
