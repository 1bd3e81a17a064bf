//! What holds for every request, not just for those somebody thought of.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::SystemTime;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Value, json};
use singleton_guard::api::kind::{Kind, Kinds};
use singleton_guard::api::reference::Regarding;
use singleton_guard::policy::decision::Decision;
use singleton_guard::policy::lookup::{Found, Owner, Unknown};
use singleton_guard::policy::request::Phase;
use singleton_guard::policy::{Step, evaluate};
use singleton_guard::review;
use singleton_guard::settings::Settings;

use super::case::{self, Case, MARK};
use super::model::Model;
use super::pure::Core;

/// No bytes make us panic, and an unreadable body that has a uid keeps it.
#[test]
fn any_bytes_are_answered() -> Result<(), String> {
    let whole = base_review("StatefulSet", "UPDATE").to_string();
    check(
        4_000,
        (any::<Vec<u8>>(), 0..whole.len(), any::<prop::sample::Index>(), any::<u8>()),
        |(noise, cut, at, byte)| {
            let mut mutated = whole.clone().into_bytes();
            let at = at.index(mutated.len());
            mutated[at] = byte;
            for body in [noise.as_slice(), &whole.as_bytes()[..cut], mutated.as_slice()] {
                answers(body);
            }
            Ok(())
        },
    )?;
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for path in READ_PATHS {
        let deep = base_review("Deployment", "UPDATE").to_string().replacen(
            &format!("\"{}\":", last(path)),
            &format!("\"{}\":{nested},\"x\":", last(path)),
            1,
        );
        answers(deep.as_bytes());
    }
    let twice = whole.replacen("\"uid\":", "\"uid\":\"other\",\"uid\":", 1);
    let unreadable = review::read(twice.as_bytes(), Kinds::BUILT_IN).expect_err("a key that comes twice is refused");
    assert!(unreadable.cause.contains("duplicate"), "a key that comes twice must be named: {unreadable}");
    Ok(())
}

/// Any JSON at any place that a decision reads leaves an answer with the uid, and never an allowed increase.
#[test]
fn any_type_at_any_field_is_answered() -> Result<(), String> {
    let strategy =
        (prop::sample::select(READ_PATHS.to_vec()), any_json(), any::<bool>(), prop::sample::select(KINDS.to_vec()));
    check(6_000, strategy, |(path, value, in_old, kind)| {
        let mut review = base_review(kind, "UPDATE");
        let side = if in_old { "oldObject" } else { "object" };
        set(&mut review["request"][side], path, value.clone());
        let body = review.to_string();
        for answer in answers(body.as_bytes()) {
            prop_assert_eq!(&answer["response"]["uid"], "u-1");
        }
        if path == "spec/replicas" && !in_old && !(value.is_null() || value.as_i64().is_some_and(|count| count <= 1)) {
            for answer in answers_in(Phase::Validate, body.as_bytes()) {
                prop_assert_eq!(&answer["response"]["allowed"], false, "{} was let through", value);
            }
        }
        Ok(())
    })
}

/// No sequence of requests takes a marked workload, or the ReplicaSet behind one, past one replica. Of each way to ask some
/// requests change what is stored and, where it can scale up, some are refused: else the property would say nothing.
#[test]
fn no_sequence_of_requests_takes_a_singleton_past_one() -> Result<(), String> {
    let tally = RefCell::new(BTreeMap::<(String, &str), u32>::new());
    check(
        1_500,
        (prop::sample::select(KINDS.to_vec()), any::<bool>(), prop::collection::vec(any_request(), 1..12)),
        |(kind, exists, requests)| {
            let ledger = json!({"kind": kind, "metadata": {"name": "ledger", "labels": {MARK: "true"}}, "spec": {"strategy": {"type": "Recreate"}}});
            let before = Case { cluster: Vec::from_iter(exists.then_some(ledger)), ..Case::default() };
            let steps: Vec<Value> = requests.into_iter().map(|request| json!({"request": request})).collect();
            let text = serde_json::to_string(&steps).expect("steps").replace("$KIND", kind).replace("$MARK", MARK);
            let ways: Vec<Value> = serde_json::from_str(&text).expect("steps");
            let steps: Vec<case::Step> =
                serde_json::from_str(&text).map_err(|error| TestCaseError::fail(error.to_string()))?;
            let (mut model, core) = (Model::new(&before), Core(Settings::default()));
            for (step, way) in steps.iter().zip(&ways) {
                let came = match model.outcome(step, &core) {
                    Ok(outcome) if !outcome.allowed => "refused",
                    Ok(outcome) if outcome.changed => "let through",
                    // It changes nothing, or is about an object that is not there.
                    Ok(_) | Err(_) => "nothing",
                };
                let way = way["request"].as_object().and_then(|request| request.keys().next()).expect("a request");
                *tally.borrow_mut().entry((way.clone(), came)).or_default() += 1;
                prop_assert_eq!(model.singletons_above_one(), Vec::<String>::new(), "after {:?}", step);
            }
            Ok(())
        },
    )?;
    let tally = tally.into_inner();
    let lacks = |way: &str, came| tally.get(&(way.to_owned(), came)).is_none_or(|times| *times < 100);
    let scales = ["create", "replace", "apply", "patch", "scale"];
    let lacking = scales.iter().any(|way| lacks(way, "let through") || lacks(way, "refused"));
    assert!(!lacking && !lacks("delete", "let through"), "too little of something has happened: {tally:#?}");
    Ok(())
}

/// Completing an object that was completed changes nothing more.
#[test]
fn completing_twice_changes_nothing_more() -> Result<(), String> {
    check(
        1_500,
        (prop::sample::select(KINDS.to_vec()), any_strategy(), any::<bool>(), any::<bool>()),
        |(kind, strategy, update, marked)| {
            let mut review = base_review(kind, if update { "UPDATE" } else { "CREATE" });
            let object = &mut review["request"]["object"];
            object["spec"]["strategy"] = strategy;
            object["spec"].as_object_mut().expect("a spec").remove("serviceName");
            if !marked {
                object["metadata"]["labels"] = json!({});
            }
            let first = mutated(&review);
            if let Some(patch) = first["response"]["patch"].as_str() {
                let patch = super::model::decoded(patch).map_err(TestCaseError::fail)?;
                json_patch::patch(&mut review["request"]["object"], &patch)
                    .map_err(|error| TestCaseError::fail(error.to_string()))?;
                let second = mutated(&review);
                prop_assert!(second["response"].get("patch").is_none(), "{} then {}", first, second);
            }
            Ok(())
        },
    )
}

/// The order of fields, unknown fields and deep nesting in them never change a verdict.
#[test]
fn field_order_unknown_fields_and_nesting_do_not_matter() -> Result<(), String> {
    let strategy = (prop::sample::select(KINDS.to_vec()), any_strategy(), any::<u64>(), 0..4_i64);
    check(1_500, strategy, |(kind, strategy, seed, replicas)| {
        let mut review = base_review(kind, "UPDATE");
        review["request"]["object"]["spec"]["strategy"] = strategy;
        review["request"]["object"]["spec"]["replicas"] = json!(replicas);
        let plain = answers(review.to_string().as_bytes());
        review["request"]["object"]["spec"]["later"] = json!({"field": "value"});
        let nested = format!("{}1{}", "[".repeat(500), "]".repeat(500));
        let shuffled = shuffled(&review, seed).replace("\"value\"", &nested);
        prop_assert_eq!(plain, answers(shuffled.as_bytes()));
        Ok(())
    })
}

pub fn check<S: Strategy>(
    cases: u32,
    strategy: S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) -> Result<(), String> {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    )
    .run(&strategy, test)
    .map_err(|error| error.to_string())
}

/// The answers to a body in both phases, with every answer that the cluster could give.
fn answers(body: &[u8]) -> Vec<Value> {
    [Phase::Mutate, Phase::Validate].into_iter().flat_map(|phase| answers_in(phase, body)).collect()
}

fn answers_in(phase: Phase, body: &[u8]) -> Vec<Value> {
    let step = |body| {
        review::read(body, Kinds::BUILT_IN)
            .map(|read| (read.uid.to_string(), evaluate(phase, read.request, &Settings::default(), SystemTime::now())))
    };
    let decisions = match step(body) {
        Ok((uid, Step::Decided(decision))) => vec![(uid, decision)],
        Ok((_, Step::Ask(..))) => {
            let marked = Found::Owners { before: Some(Owner::Marked), after: Some(Owner::Marked) };
            let target = Found::Target(Some(Regarding::workload(Kind::STATEFUL_SET, "pay", "ledger", "")));
            let parent = Found::Parent { marked: true, owner: None, custom: None };
            let found = [Ok(parent), Ok(marked), Ok(target), Err(Unknown::Busy)];
            let resumed = found.into_iter().filter_map(|found| match step(body) {
                Ok((uid, Step::Ask(_, pending))) => Some((uid, pending.resume(found))),
                _ => None,
            });
            resumed.collect()
        }
        // Unreadable, but possibly with a uid: then it is refused in words.
        Err(unreadable) => {
            unreadable.uid.map(|uid| (uid, Decision::could_not_decide("it could not be read"))).into_iter().collect()
        }
    };
    let written = decisions.iter().map(|(uid, decision)| review::write(uid, decision));
    written.map(|bytes| serde_json::from_slice(&bytes).expect("an answer is JSON")).collect()
}

fn mutated(review: &Value) -> Value {
    let body = review.to_string();
    let read = review::read(body.as_bytes(), Kinds::BUILT_IN).expect("readable");
    let decision = match evaluate(Phase::Mutate, read.request, &Settings::default(), SystemTime::now()) {
        Step::Decided(decision) => decision,
        Step::Ask(_, pending) => pending.resume(Ok(Found::Autoscaler(None))),
    };
    serde_json::from_slice(&review::write("u-1", &decision)).expect("an answer is JSON")
}

/// A review of a marked workload that is edited.
fn base_review(kind: &str, operation: &str) -> Value {
    let object = json!({
        "kind": kind,
        "metadata": {"name": "ledger", "namespace": "pay", "uid": "o-1", "labels": {MARK: "true", "app": "ledger"}},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "ledger"}}, "template": {"metadata": {"labels": {"app": "ledger"}}},
            "serviceName": "ledger", "ordinals": {"start": 0},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}},
        "status": {"replicas": 1},
    });
    let old = if operation == "CREATE" { Value::Null } else { object.clone() };
    let group = if kind == "ReplicationController" { "" } else { "apps" };
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
        "uid": "u-1", "resource": {"group": group, "version": "v1", "resource": case::plural(kind)}, "name": "ledger",
        "namespace": "pay", "operation": operation, "userInfo": {"username": "alice", "groups": ["system:authenticated"]},
        "object": object, "oldObject": old, "dryRun": false,
    }})
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".*".prop_map(Value::from),
        Just(json!("2")),
        Just(json!(2.0)),
        Just(json!(1e30)),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(".*", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn any_strategy() -> impl Strategy<Value = Value> + Clone {
    let bound = prop::sample::select(vec![Value::Null, json!(0), json!(1), json!("0%"), json!("1%"), json!("25%")]);
    let type_ = prop::sample::select(vec![Value::Null, json!("Recreate"), json!("RollingUpdate")]);
    (type_, prop::option::of((bound.clone(), bound))).prop_map(|(type_, bounds)| match bounds {
        None => json!({"type": type_}),
        Some((surge, unavailable)) => {
            json!({"type": type_, "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}})
        }
    })
}

/// One request about the workload `ledger` or its ReplicaSet, in the format of the cases.
fn any_request() -> impl Strategy<Value = Value> {
    let count = prop::sample::select(vec![json!(0), json!(1), json!(2), json!(7), Value::Null]);
    let mark = prop::sample::select(vec![
        json!({MARK: "true"}),
        json!({MARK: null}),
        json!({MARK: "yes"}),
        json!({"team": "a"}),
        json!({"app": "b"}),
    ]);
    let object = (count.clone(), mark.clone(), any_strategy(), any::<bool>()).prop_map(|(replicas, labels, strategy, owned)| {
        let owners = if owned { json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "ledger", "uid": "uid-of:ledger", "controller": true}]) } else { json!([]) };
        json!({"kind": "$KIND", "metadata": {"name": "ledger", "labels": labels, "ownerReferences": owners}, "spec": {"replicas": replicas, "strategy": strategy}})
    });
    let name = prop::sample::select(vec![("$KIND", "ledger"), ("ReplicaSet", "rs-of:ledger")]);
    let body = (count.clone(), mark, any_strategy(), any::<bool>()).prop_map(|(replicas, labels, strategy, disown)| {
        let mut body = json!({"metadata": {"labels": labels}, "spec": {"replicas": replicas, "strategy": strategy}});
        if disown {
            body["metadata"]["ownerReferences"] = Value::Null;
        }
        body
    });
    prop_oneof![
        object.clone().prop_map(|object| json!({"create": object})),
        object.clone().prop_map(|object| json!({"replace": object})),
        object.prop_map(|object| json!({"apply": object})),
        (name.clone(), body, prop::option::of(Just("status"))).prop_map(|((kind, name), body, subresource)| {
            json!({"patch": {"kind": kind, "name": name, "type": "merge", "body": body, "subresource": subresource}})
        }),
        (name.clone(), prop::sample::select(vec![0, 1, 2, 9]), any::<bool>()).prop_map(
            |((kind, name), replicas, put)| {
                json!({"scale": {"kind": kind, "name": name, "replicas": replicas, "put": put}})
            }
        ),
        name.prop_map(|(kind, name)| json!({"delete": {"kind": kind, "name": name}})),
    ]
}

fn set(object: &mut Value, path: &str, value: Value) {
    let mut at = object;
    for token in path.split('/') {
        if !at.is_object() {
            *at = json!({});
        }
        at = &mut at[token];
    }
    *at = value;
}

/// The JSON with the members of every object in another order.
fn shuffled(value: &Value, seed: u64) -> String {
    let mut text = String::new();
    write_shuffled(value, seed, &mut text);
    text
}

fn write_shuffled(value: &Value, seed: u64, text: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            let length = members.len().max(1);
            members.rotate_left(usize::try_from(seed).unwrap_or(1) % length);
            if seed % 2 == 1 {
                members.reverse();
            }
            text.push('{');
            for (index, (key, value)) in members.into_iter().enumerate() {
                let _ = write!(text, "{}{}:", if index == 0 { "" } else { ", " }, json!(key));
                write_shuffled(value, seed.rotate_right(7), text);
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                let _ = write!(text, "{}", if index == 0 { "" } else { " ," });
                write_shuffled(item, seed, text);
            }
            text.push(']');
        }
        leaf => {
            let _ = write!(text, "{leaf}");
        }
    }
}

fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

const KINDS: [&str; 4] = ["StatefulSet", "ReplicaSet", "Deployment", "ReplicationController"];

/// Every field that a decision reads.
const READ_PATHS: [&str; 24] = [
    "metadata",
    "metadata/name",
    "metadata/uid",
    "metadata/generation",
    "metadata/labels",
    "metadata/labels/app",
    "metadata/ownerReferences",
    "metadata/deletionTimestamp",
    "spec",
    "spec/replicas",
    "spec/strategy",
    "spec/strategy/type",
    "spec/strategy/rollingUpdate/maxSurge",
    "spec/serviceName",
    "spec/ordinals/start",
    "spec/selector",
    "spec/template",
    "spec/paused",
    "spec/updateStrategy",
    "spec/podManagementPolicy",
    "status/replicas",
    "status/updatedReplicas",
    "status/observedGeneration",
    "status/terminatingReplicas",
];
