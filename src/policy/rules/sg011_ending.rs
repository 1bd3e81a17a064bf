//! SG011: the Pod of a strict singleton is given time to end.
//!
//! A deletion with a grace of 0 takes the Pod out of the store at once, while its process may run on: its name is free,
//! and the next one starts beside it. So neither a deletion nor an eviction may ask for that, and no template for a grace
//! of 0, which asks for it every time. Nothing is lost where no process can be: the Pod was never bound, it has ended,
//! or the kubelet of its own node says so, or a user whom `strict.nodeUsers` names for that node. A node that is gone for
//! good is declared so, with the taint `node.kubernetes.io/out-of-service` or by deleting it: then the Pod
//! garbage collector fails the Pod first.
//!
//! A deletion of many (`deletecollection`) may come to the same whatever it asks for. It decides on the grace when it reads
//! the Pod, 0 for one that is bound to no node yet, and shows only what was asked to those who judge it
//! (`Store.DeleteCollection`). If the Pod is bound before the write, that writes 0 into a Pod that starts, and from then on
//! any update takes it out of the store, its kubelet's own included, and no deletion is judged any more
//! (`ShouldDeleteDuringUpdate`). So a Pod on a node is deleted by its name, except with its whole namespace: there no next
//! one can start before that is made anew.
//!
//! A deletion by name says which grace was decided on, with one exception: one that met a Pod at its very end, with a
//! grace of 0 in it, has decided on nothing, and takes out whatever has the name when it is written (`Store.Delete`).

use super::super::cel;
use super::super::change::Change;
use super::super::code::Code;
use super::super::holder::is_terminal;
use super::super::standing::Standing;
use super::super::violation::{Sg011, Violation};
use super::Rule;
use crate::api::kind::{KindInfo, Kinds};
use crate::api::template::Template;
use crate::policy::entry::{Place, Refusal, Row};
use crate::settings::node_users::{NODE_USER, NodeUsers};

pub(super) const RULE: Rule = Rule {
    code: Code::Sg011,
    summary: "the Pod of a strict singleton must not be deleted or evicted with a grace of 0 while it may run, except by the kubelet of its node or a user of `strict.nodeUsers`; it must not be deleted as one of many by one request, and its template must not ask for a grace of 0",
    check,
    trigger,
    floor,
};

/// Who wants a Pod to end, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending<'a> {
    /// `deleteOptions.gracePeriodSeconds`: what the API server has decided on, or only what was asked for if it is one
    /// of many.
    pub grace: Option<i64>,
    /// `metadata.deletionGracePeriodSeconds`.
    pub written: Option<i64>,
    /// The node that the Pod is bound to; empty if it is to none.
    pub node: &'a str,
    /// `status.phase`.
    pub phase: &'a str,
    /// Who asks.
    pub user: &'a str,
    /// The groups of that user.
    pub groups: &'a [&'a str],
    /// Whether one request deletes many: `request.name` is empty.
    pub is_of_many: bool,
    /// Whether all of its namespace is being deleted.
    pub namespace_ends: bool,
}

/// What is wrong with it.
#[must_use]
pub fn judge(ending: &Ending<'_>, node_users: &NodeUsers) -> Option<Violation> {
    let Ending { grace, written, node, phase, user, groups, is_of_many, namespace_ends } = *ending;
    let is_its_node = user.strip_prefix(NODE_USER) == Some(node) || node_users.speak_for(node, user, groups);
    let may_run = !node.is_empty() && !is_terminal(phase) && !is_its_node;
    let node = || node.to_owned();
    let at_once = grace == Some(0) || written == Some(0) || (grace.is_none() && !is_of_many);
    if may_run && at_once {
        // Written with the time at which it was asked to end.
        return Some(Sg011::Forced { node: node(), is_ending: written.is_some() }.into());
    }
    (may_run && is_of_many && !namespace_ends).then(|| Sg011::OneOfMany { node: node() }.into())
}

fn check(change: &Change<'_>, _: Standing) -> Vec<Violation> {
    let ends_at_once = change.is_strict() && change.brings_template() && Template::of(&change.to).ends_at_once();
    ends_at_once.then_some(Sg011::EndsAtOnce { is_pod: false }.into()).into_iter().collect()
}

fn trigger(row: Row, kinds: Kinds) -> Option<String> {
    let may_be_strict = kinds.that(KindInfo::can_be_strict).next().is_some();
    (row == Row::Workload && may_be_strict).then(|| template_ends_at_once(kinds))
}

fn floor(place: Place, kinds: Kinds) -> Vec<Refusal> {
    let forced = |is_ending| Sg011::Forced { node: "{node}".to_owned(), is_ending };
    match place {
        Place::Strict => {
            vec![Refusal::new(Sg011::EndsAtOnce { is_pod: false }, template_ends_at_once(kinds), Vec::new())]
        }
        Place::Pods => vec![Refusal::new(
            Sg011::EndsAtOnce { is_pod: true },
            format!(
                "{} && request.resource.resource == 'pods' && request.?subResource.orValue('') == ''\n\
                 && object.spec.?terminationGracePeriodSeconds.orValue(30) == 0",
                cel::CREATE
            ),
            Vec::new(),
        )],
        Place::Deletion => {
            let node = || vec![("{node}", "oldObject.spec.nodeName".to_owned())];
            let of_many = Sg011::OneOfMany { node: "{node}".to_owned() };
            vec![
                Refusal::new(forced(false), format!("({AT_ONCE}) && {MAY_RUN}\n&& !{IS_ENDING}"), node()),
                Refusal::new(forced(true), format!("({AT_ONCE}) && {MAY_RUN}\n&& {IS_ENDING}"), node()),
                Refusal::new(of_many, format!("{OF_MANY}\n&& {MAY_RUN}"), node()),
            ]
        }
        // The condition of the policy has seen to the grace. What else is known of the Pod is a moment old, and nothing
        // judges the deletion that follows; one that was never bound, or has ended, needs no force.
        Place::Eviction => {
            let ending = "params.metadata.?deletionTimestamp.hasValue()";
            let evicted = |is_ending, when| {
                let node = vec![("{node}", "params.spec.?nodeName.orValue('(none yet)')".to_owned())];
                Refusal::new(forced(is_ending), format!("request.name == params.metadata.name && {when}"), node)
            };
            vec![evicted(false, format!("!{ending}")), evicted(true, ending.to_owned())]
        }
        _ => Vec::new(),
    }
}

fn template_ends_at_once(kinds: Kinds) -> String {
    format!(
        "{} && {}\n&& object.spec.?template.?spec.?terminationGracePeriodSeconds.orValue(30) == 0",
        cel::IS_STRICT,
        cel::brings_template(kinds)
    )
}

/// What was decided on, and what is written in the second of the two steps in which the API server takes a Pod out of the
/// store.
const AT_ONCE: &str = "request.?options.?gracePeriodSeconds.orValue(request.?name.orValue('') == '' ? 30 : 0) == 0\n\
     || oldObject.metadata.?deletionGracePeriodSeconds.orValue(30) == 0";

/// It was asked to end before.
const IS_ENDING: &str = "oldObject.metadata.?deletionTimestamp.hasValue()";

/// The admission of a deletion by name knows the name; that of a collection is asked about each Pod without it
/// (`AdmissionToValidateObjectDeleteFunc`).
const OF_MANY: &str = "request.?name.orValue('') == '' && !namespaceObject.metadata.?deletionTimestamp.hasValue()";

/// [`NODE_USER`] is in it, and the line `NODE_USERS` ([`cel`]).
const MAY_RUN: &str = "oldObject.spec.?nodeName.orValue('') != ''\n\
     && request.userInfo.username != 'system:node:' + oldObject.spec.nodeName\n\
     NODE_USERS\n\
     && !(oldObject.?status.?phase.orValue('') in ['Succeeded', 'Failed'])";
