//! The two checkers, tried on histories made by hand: what they must find, and what they must let be.

use anyhow::{Result, ensure};
use kube::api::WatchEvent;
use serde_json::{Value, json};
use singleton_guard::api::key::KEY;

use super::count::{Identity, Violation};
use super::processes::{Deed, Processes};
use super::revisions::{Pods, Revisions};

#[test]
fn one_after_the_other_is_one() -> Result<()> {
    let mut changes = life("ledger", "a", 11);
    changes.extend(life("ledger", "b", 14));
    // Another key, and the same key in another namespace, at the same time.
    changes.insert(1, added("pay", "till", "c", 12));
    let changes: Vec<_> = changes.into_iter().zip(11..).map(|(it, at)| at_revision(it, at)).collect();
    let seen = replay(changes)?;
    ensure!(seen.count.violations.is_empty(), "{:?}", seen.count.violations);
    ensure!(seen.count.begun == 3, "{} creations", seen.count.begun);
    Ok(())
}

/// Both are there from revision 14 on, until 15: no look at the state in between need ever have seen it.
#[test]
fn an_overlap_of_one_revision_is_found() -> Result<()> {
    let [created, asked, gone] = <[Value; 3]>::try_from(life("ledger", "a", 11)).expect("three");
    let second = at_revision(added("pay", "ledger", "b", 0), 14);
    // Under another name, and after the first has lost its label.
    let mut hidden = second;
    hidden["object"]["metadata"]["name"] = json!("ledger-x7k");
    let mut relabelled = created.clone();
    relabelled["type"] = json!("MODIFIED");
    relabelled["object"]["metadata"]["labels"] = json!({});
    let history = [created, at_revision(relabelled, 12), at_revision(asked, 13), hidden, at_revision(gone, 15)];
    let seen = replay(history)?;
    let [Violation { identity, at, there, around, .. }] = &seen.count.violations[..] else {
        anyhow::bail!("expected one: {:?}", seen.count.violations)
    };
    ensure!(identity.to_string() == "chaos-pay/ledger" && at == "revision 14", "{identity} at {at}");
    ensure!(there.keys().eq(["a", "b"]) && there["b"] == "ledger-x7k", "{there:?}");
    let told = around.join("\n");
    for part in ["revision 11: ledger (a) begins", "revision 13: a", "asked to end", "revision 15: a gone"] {
        ensure!(told.contains(part), "{part:?} is not in\n{told}");
    }
    Ok(())
}

#[test]
fn a_gap_is_found() -> Result<()> {
    let life = life("ledger", "a", 11);
    let expired = json!({"type": "ERROR", "object": {"kind": "Status", "apiVersion": "v1", "metadata": {},
        "status": "Failure", "message": "too old resource version", "reason": "Expired", "code": 410}});
    for (what, history, words) in [
        ("a change of what was never seen", vec![life[1].clone()], "a gap"),
        ("an end of what was never seen", vec![life[2].clone()], "a gap"),
        ("a second creation", vec![life[0].clone(), at_revision(life[0].clone(), 12)], "a gap"),
        ("a step back", vec![life[0].clone(), at_revision(life[1].clone(), 11)], "went from revision 11 to 11"),
        ("410", vec![life[0].clone(), expired], "410 too old resource version"),
    ] {
        let said = replay(history).err().map(|error| error.to_string()).unwrap_or_default();
        ensure!(said.contains(words), "{what}: {said:?}");
    }
    Ok(())
}

#[test]
fn a_cut_watch_that_went_on_is_no_gap() -> Result<()> {
    let mut seen = Revisions::after(10, "chaos-");
    for change in life("ledger", "a", 11) {
        // A new watch would begin here.
        let last = seen.revision();
        seen.apply(event(change)?)?;
        ensure!(seen.revision() == last + 1, "it would go on from {last}");
    }
    Ok(())
}

#[test]
fn what_the_watch_left_out_shows_in_the_list() -> Result<()> {
    let seen = replay([added("pay", "ledger", "a", 11)])?;
    let list = |items: &[Value]| {
        let items: Vec<_> = items.iter().map(|change| change["object"].clone()).collect();
        serde_json::from_value::<Pods>(json!({"metadata": {"resourceVersion": "20"}, "items": items}))
    };
    let (first, second) = (added("pay", "ledger", "a", 11), added("pay", "ledger", "b", 12));
    ensure!(seen.differs_from(&list(std::slice::from_ref(&first))?)?.is_none(), "it is the same");
    for (what, listed) in
        [("one more", vec![first.clone(), second]), ("one less", vec![]), ("a change", vec![at_revision(first, 12)])]
    {
        ensure!(seen.differs_from(&list(&listed)?)?.is_some(), "{what} is not noticed");
    }
    Ok(())
}

/// Its kubelet may have heard of one that is gone, and starts it when the node comes back.
#[test]
fn a_node_has_been_given_what_is_gone_too() -> Result<()> {
    let seen = replay(life("ledger", "a", 11))?;
    ensure!(seen.pods().count() == 0 && seen.given_to("one") == ["a"], "{:?}", seen.given_to("one"));
    ensure!(seen.given_to("two").is_empty(), "{:?}", seen.given_to("two"));
    Ok(())
}

#[test]
fn two_processes_are_found_but_for_a_node_that_was_declared_dead() -> Result<()> {
    let start = |uid: &str, node: &str| Deed::Started {
        node: node.to_owned(),
        identity: Identity { namespace: "chaos-pay".to_owned(), key: "ledger".to_owned() },
        uid: uid.to_owned(),
        name: "ledger".to_owned(),
    };
    let end = |uid: &str| Deed::Ended { uid: uid.to_owned() };
    let mut processes = Processes::default();
    processes.apply("1 s", &start("a", "one"));
    processes.apply("2 s", &end("a"));
    processes.apply("3 s", &start("b", "one"));
    processes.declare_dead("4 s", "one");
    processes.apply("5 s", &start("c", "two"));
    // The node was not dead after all.
    processes.apply("6 s", &end("b"));
    processes.disregard(vec!["e".to_owned()]);
    processes.apply("6 s", &start("e", "one"));
    processes.apply("6 s", &end("e"));
    ensure!(processes.count.violations.is_empty(), "{:?}", processes.count.violations);
    processes.apply("7 s", &start("d", "one"));
    let [violation] = &processes.count.violations[..] else { anyhow::bail!("{:?}", processes.count.violations) };
    ensure!(violation.there.keys().eq(["c", "d"]) && violation.at == "7 s", "{violation}");
    Ok(())
}

fn replay(history: impl IntoIterator<Item = Value>) -> Result<Revisions> {
    let mut seen = Revisions::after(10, "chaos-");
    history.into_iter().try_for_each(|change| seen.apply(event(change)?))?;
    Ok(seen)
}

/// As the watch sends it.
fn event(change: Value) -> Result<WatchEvent<super::revisions::Pod>> {
    Ok(serde_json::from_value(change)?)
}

/// Created, asked to end, gone.
fn life(key: &str, uid: &str, from: u64) -> Vec<Value> {
    let created = added("pay", key, uid, from);
    let mut asked = at_revision(created.clone(), from + 1);
    asked["type"] = json!("MODIFIED");
    asked["object"]["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let mut gone = at_revision(asked.clone(), from + 2);
    gone["type"] = json!("DELETED");
    vec![created, asked, gone]
}

fn added(namespace: &str, key: &str, uid: &str, at: u64) -> Value {
    let metadata = json!({"namespace": format!("chaos-{namespace}"), "name": key, "uid": uid,
        "resourceVersion": at.to_string(), "labels": {KEY: key}});
    json!({"type": "ADDED", "object": {"apiVersion": "v1", "kind": "Pod", "metadata": metadata,
        "spec": {"nodeName": "one"}, "status": {"phase": "Running"}}})
}

fn at_revision(mut change: Value, at: u64) -> Value {
    change["object"]["metadata"]["resourceVersion"] = json!(at.to_string());
    change
}
