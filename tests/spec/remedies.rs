//! Remedies that can be followed: a case below `tests/cases/remedy` reads each from a refusal, does what it says, word for
//! word, and sees the state that it promises, on the live server too. What no case can follow is listed here with the
//! reason, and with the test that does where there is one.

use std::collections::BTreeSet;

use super::case::{self, Verdict};
use super::generated::every_violation;

/// Every remedy of the catalogue is followed by a case, or listed. So whoever changes the words of one follows it again.
#[test]
fn each_is_followed_or_listed_with_the_reason() -> Result<(), String> {
    let mut followed = BTreeSet::new();
    for case in case::load(&crate::root().join("tests/cases")).iter().filter(|case| case.name.starts_with("remedy/")) {
        for (index, step) in case.steps.iter().enumerate() {
            let Some(remedy) = &step.remedy else { continue };
            let next = case.steps.get(index + 1).and_then(|next| next.decision);
            if step.decision != Some(Verdict::Deny) || next.is_none() {
                return Err(format!("{}: nothing follows {remedy:?}", case.name));
            }
            followed.insert(remedy.clone());
        }
    }
    let listed: BTreeSet<_> = NOT_BY_A_CASE.iter().map(|(remedy, _)| (*remedy).to_owned()).collect();
    let all: BTreeSet<_> = every_violation().iter().map(|violation| violation.remedy().to_owned()).collect();
    let known: BTreeSet<_> = followed.union(&listed).cloned().collect();
    let (missing, stale): (Vec<_>, Vec<_>) = (all.difference(&known).collect(), listed.difference(&all).collect());
    let twice: Vec<_> = followed.intersection(&listed).collect();
    if missing.is_empty() && stale.is_empty() && twice.is_empty() {
        return Ok(());
    }
    Err(format!("nobody follows {missing:#?}; no remedy any more: {stale:#?}; followed, and listed too: {twice:#?}"))
}

/// Remedies, and why no case follows them.
const NOT_BY_A_CASE: [(&str, &str); 17] = [
    (
        "delete that Pod, and make it anew under another name if you need it: nothing deletes it for you",
        "no case has two objects of a name: `stories::strict::a_foreign_pod_on_the_name_is_reported`",
    ),
    (
        "set spec.replicas to 1 (or 0) first, in a request that changes nothing else, then add the singleton label",
        "it takes a rollout, or a deletion, that hangs: `stories::becoming`",
    ),
    (
        "scale it to 1, then mark it enabled; once status.replicas is 1, make it strict",
        "it takes a rollout, or a deletion, that hangs: `stories::becoming`",
    ),
    (
        "leave the label out here, and mark the workload that takes its place",
        "it takes a rollout, or a deletion, that hangs: `stories::becoming`",
    ),
    (
        "set spec.paused to false in the same request, or resume it first (kubectl rollout resume)",
        "it takes a rollout, or a deletion, that hangs: `stories::becoming`",
    ),
    (
        "try again in a moment: the Deployment controller has not seen the last change yet",
        "it takes a rollout, or a deletion, that hangs: `stories::becoming`",
    ),
    (
        "wait for its end; if none comes, set spec.strategy to {\"type\":\"RollingUpdate\",\"rollingUpdate\":{\"maxSurge\":0}}",
        "it takes a rollout, or a deletion, that hangs: `stories::becoming`",
    ),
    (
        "ask for that right, or annotate the workload with singleton-guard.io/headless-service: none",
        "its policy is there only with companions.requireServiceRight: `stories::companions::deputy` follows it",
    ),
    (
        "nothing is to be done if that Pod is the singleton; two workloads with one key share one Pod",
        "nothing is to be done",
    ),
    (
        "wait until its kubelet (or one of strict.nodeUsers) says that it has ended; a forced deletion would let two run",
        "a kubelet does it: `stories::strict::one_pod_at_every_revision`",
    ),
    (
        "it is deleted in a moment; if it stays, delete it",
        "we do it: `stories::strict::a_pod_that_has_ended_gives_its_name_free`",
    ),
    (
        "its kubelet takes it away, or it is deleted after a minute; if it stays, delete it",
        "a kubelet or we do it: `stories::strict::nodes`, a Pod that has ended under a node that is silent",
    ),
    (
        "whoever put metadata.finalizers on it has to take them off; nothing else keeps it",
        "who that is, only a person knows",
    ),
    (
        "to run more than one copy take the mark off, and that label off the Pod template (a rollout)",
        "a controller is refused: `stories::remedies`",
    ),
    (
        "wait for its kubelet or strict.nodeUsers; a node off for sure: taint node.kubernetes.io/out-of-service:NoExecute",
        "it takes a node: `stories::strict::nodes`",
    ),
    (
        "name each Pod, as kubectl delete does: of many at once the API server may drop one that is just being started",
        "a case deletes nothing but by its name, which is the remedy: `stories::strict::held_up`",
    ),
    (
        "leave it as it is; what the next Pod carries is what the Pod template of its workload says",
        "nothing is to be done",
    ),
];
