//! What the core makes of what is written: single values, whole reviews. Tables, data in and data out.

use serde_json::{Value, json};
use singleton_guard::api::key::KEY;
use singleton_guard::api::kind::{Kind, Kinds, Resource};
use singleton_guard::policy::holder::{Holder, State};
use singleton_guard::policy::lookup::{Found, Lookup, Owner, Unknown};
use singleton_guard::policy::request::Phase;
use singleton_guard::policy::{Step, evaluate};
use singleton_guard::review;
use singleton_guard::settings::Settings;

use super::case::MARK;

/// `maxSurge` is rounded up, as the Deployment controller does at one replica.
#[test]
fn maxsurge_is_rounded_up() -> Result<(), String> {
    let surging =
        [Value::Null, json!(1), json!(-1), json!("1%"), json!("10%"), json!("%"), json!(""), json!({}), json!(0.5)];
    let still = [json!(0), json!("0%"), json!("00%")];
    for (values, allowed) in [(&surging[..], false), (&still[..], true)] {
        for value in values {
            let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": value}});
            expect(
                &edit("Deployment", json!({"spec": {"strategy": strategy}})),
                allowed,
                &format!("maxSurge {value}"),
            )?;
        }
    }
    for strategy in [json!({}), json!({"type": "RollingUpdate"}), json!({"rollingUpdate": {}}), Value::Null] {
        expect(&edit("Deployment", json!({"spec": {"strategy": strategy}})), false, &format!("strategy {strategy}"))?;
    }
    Ok(())
}

/// There may be a Pod if one is desired or one is still counted.
#[test]
fn the_numbering_moves_only_without_a_pod() -> Result<(), String> {
    for (desired, counted) in [(0, None), (0, Some(0)), (0, Some(1)), (1, Some(0)), (1, None), (1, Some(1))] {
        let mut review = edit("StatefulSet", json!({"spec": {"replicas": desired, "ordinals": {"start": 5}}}));
        review["request"]["oldObject"]["spec"]["replicas"] = json!(desired);
        for side in ["object", "oldObject"] {
            review["request"][side]["status"] = json!({"replicas": counted});
        }
        let pod = desired > 0 || counted.is_some_and(|counted| counted > 0);
        expect(&review, !pod, &format!("{desired} desired, {counted:?} counted"))?;
    }
    Ok(())
}

/// A review that lacks what it must have is unreadable, with its uid; what the API server never trusts is not read.
#[test]
fn reviews_are_read_strictly() -> Result<(), String> {
    for (change, uid) in [
        (json!({"request": {"object": null}}), Some("u-1")),
        (json!({"request": {"oldObject": null}}), Some("u-1")),
        (json!({"kind": "Something"}), Some("u-1")),
        (json!({"request": {"uid": ""}, "kind": 1}), None),
        (json!({"request": null}), None),
        (json!({"request": {"object": {"metadata": {"labels": {"a": 1}}}}}), Some("u-1")),
    ] {
        let mut review = edit("StatefulSet", json!({}));
        json_patch::merge(&mut review, &change);
        let body = review.to_string();
        let unreadable =
            review::read(body.as_bytes(), Kinds::BUILT_IN).err().ok_or_else(|| format!("{change} was read"))?;
        assert!(unreadable.uid.as_deref() == uid, "{change}: uid {:?}", unreadable.uid);
    }
    // What is said of it, and logged, does not grow with it.
    for field in ["kind", "request"] {
        let mut review = edit("StatefulSet", json!({}));
        review[field] = json!("x".repeat(1 << 20));
        let body = review.to_string();
        let unreadable =
            review::read(body.as_bytes(), Kinds::BUILT_IN).err().ok_or_else(|| format!("a long {field} was read"))?;
        assert!(unreadable.cause.len() <= 300, "a long {field}: a cause of {} bytes", unreadable.cause.len());
    }
    // Long lists are made only to fill our memory.
    let many = |count: usize| {
        let labels: serde_json::Map<_, _> = (1..count).map(|n| (format!("l{n}"), json!(""))).collect();
        let mut review = edit("StatefulSet", json!({"spec": {"replicas": 3}, "metadata": {"labels": labels}}));
        review["request"]["object"]["metadata"]["ownerReferences"] = json!(vec![json!({}); count]);
        review["request"]["userInfo"]["groups"] = json!(vec![""; count]);
        review
    };
    expect(&many(2_048), false, "as many labels, owners and groups as may be")?;
    for list in ["/object/metadata/labels", "/object/metadata/ownerReferences", "/userInfo/groups"] {
        let mut review = many(2_048);
        let longer = many(2_049).pointer(&format!("/request{list}")).cloned().ok_or("no such list")?;
        *review.pointer_mut(&format!("/request{list}")).ok_or("no such list")? = longer;
        let body = review.to_string();
        let unreadable =
            review::read(body.as_bytes(), Kinds::BUILT_IN).err().ok_or_else(|| format!("{list} has no end"))?;
        assert!(
            unreadable.uid.as_deref() == Some("u-1") && unreadable.cause.contains("more than 2048"),
            "{list}: {unreadable}"
        );
    }
    // From a number that cannot be read, everything may be an increase.
    let mut unreadable = edit("StatefulSet", json!({"spec": {"replicas": 3}}));
    unreadable["request"]["oldObject"]["spec"]["replicas"] = json!("9");
    expect(&unreadable, false, "an increase from a string")?;
    // A CREATE has no old object, whatever it carries: this one would look like an edit of what is above one.
    let mut forged = edit("StatefulSet", json!({"spec": {"replicas": 3}}));
    forged["request"]["operation"] = json!("CREATE");
    forged["request"]["oldObject"]["spec"]["replicas"] = json!(3);
    expect(&forged, false, "a CREATE with an old object")?;
    // A subresource that we do not know is judged as the object itself.
    let mut unknown = edit("StatefulSet", json!({"spec": {"replicas": 3}}));
    unknown["request"]["subResource"] = json!("later");
    expect(&unknown, false, "an unknown subresource")?;
    expect(&edit("StatefulSet", json!({"spec": {"replicas": null}})), true, "replicas null")?;
    // The name comes from the object where the API server leaves it out.
    let mut generated = edit("StatefulSet", json!({"spec": {"replicas": 3}}));
    generated["request"]["name"] = json!("");
    let message = answer(&generated)["response"]["status"]["message"].as_str().unwrap_or_default().to_owned();
    if message.contains("pay/ledger ") { Ok(()) } else { Err(message) }
}

/// A resource is known by its group too; about others no rule speaks.
#[test]
fn only_the_guarded_groups_are_judged() -> Result<(), String> {
    let found = [
        (Kinds::BUILT_IN.find("apps", "deployments"), Resource::Guarded(Kind::DEPLOYMENT)),
        (Kinds::BUILT_IN.find("", "replicationcontrollers"), Resource::Guarded(Kind::REPLICATION_CONTROLLER)),
        (Kinds::BUILT_IN.find("example.com", "deployments"), Resource::Unknown),
        (Kinds::BUILT_IN.find("", "statefulsets"), Resource::Unknown),
        (Kinds::BUILT_IN.find("apps", "jobs"), Resource::Unknown),
    ];
    if let Some((found, expected)) = found.iter().find(|(found, expected)| found != expected) {
        return Err(format!("{found:?} instead of {expected:?}"));
    }
    let mut review = edit("StatefulSet", json!({"metadata": {"labels": {MARK: "yes"}}, "spec": {"replicas": 5}}));
    review["request"]["resource"]["group"] = json!("example.com");
    expect(&review, true, "a StatefulSet of another group")
}

/// An answer that is none, or answers another question, never lets an increase through.
#[test]
fn no_answer_is_no_consent() -> Result<(), String> {
    let mut scale = edit("ReplicaSet", json!({"spec": {"replicas": 3}}));
    scale["request"]["subResource"] = json!("scale");
    let mut owned = edit("ReplicaSet", json!({"spec": {"replicas": 3}}));
    for side in ["object", "oldObject"] {
        owned["request"][side]["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d-1", "controller": true}]);
    }
    let unmarked = Found::Owners { before: Some(Owner::Unmarked), after: Some(Owner::Unmarked) };
    for (review, other) in [(&scale, unmarked), (&owned, Found::Parent { marked: false, owner: None, custom: None })] {
        let others = [Ok(other), Ok(Found::Holder(None))];
        for found in [Err(Unknown::NotFound), Err(Unknown::Replaced), Err(Unknown::Busy)].into_iter().chain(others) {
            let body = review.to_string();
            let read = review::read(body.as_bytes(), Kinds::BUILT_IN).map_err(|error| error.to_string())?;
            let Step::Ask(_, pending) =
                evaluate(Phase::Validate, read.request, &Settings::default(), std::time::SystemTime::now())
            else {
                return Err("it is decided without asking".to_owned());
            };
            let decision = pending.resume(found.clone());
            assert!(decision.is_undecided(), "{found:?} led to {decision:?}");
        }
    }
    Ok(())
}

/// Who holds the name of a strict singleton is asked for the words. The name is the lock, so no answer refuses nothing.
#[test]
fn advice_that_does_not_come_refuses_nothing() -> Result<(), String> {
    let mut arrival = edit("Pod", json!({"metadata": {"labels": {KEY: "ledger"}}}));
    arrival["request"]["operation"] = json!("CREATE");
    let holder = |is_strict| {
        Ok(Found::Holder(Some(Holder {
            node: "a".to_owned(),
            is_strict,
            state: State::Stays,
            controller: String::new(),
        })))
    };
    for (found, allowed) in [
        (holder(true), false),
        (holder(false), false),
        (Ok(Found::Holder(None)), true),
        (Ok(Found::Parent { marked: true, owner: None, custom: None }), true),
        (Err(Unknown::Busy), true),
    ] {
        let body = arrival.to_string();
        let read = review::read(body.as_bytes(), Kinds::BUILT_IN).map_err(|error| error.to_string())?;
        let Step::Ask(Lookup::Holder(pod), pending) =
            evaluate(Phase::Validate, read.request, &Settings::default(), std::time::SystemTime::now())
        else {
            return Err("the Pod of that name is not asked for".to_owned());
        };
        let decision = pending.resume(found.clone());
        assert!(
            (&*pod.namespace, &*pod.name) == ("pay", "ledger") && decision.allowed() == allowed,
            "{found:?} about {pod:?} led to {decision:?}"
        );
    }
    Ok(())
}

/// The answer carries what `Status` of `metav1` has room for.
#[test]
fn a_refusal_is_a_whole_status() -> Result<(), String> {
    let review = edit("StatefulSet", json!({"metadata": {"labels": {MARK: null}}, "spec": {"replicas": 3}}));
    let answer = answer(&review);
    let status = &answer["response"]["status"];
    let causes: Vec<_> = status["details"]["causes"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|cause| (&cause["reason"], &cause["field"]))
        .collect();
    let expected = [("SG005", format!("metadata.labels[{MARK}]")), ("SG001", "spec.replicas".to_owned())];
    let whole = status["code"] == 403
        && status["reason"] == "Forbidden"
        && status["status"] == "Failure"
        && status["details"]["kind"] == "StatefulSet"
        && status["details"]["group"] == "apps"
        && status["details"]["name"] == "ledger"
        && status["details"]["uid"] == "o-1"
        && status["details"]["causes"][0]["message"] == status["message"]
        && answer["response"]["auditAnnotations"]
            == json!({"decision": "denied", "code": "SG005", "singleton": "pay/ledger", "requested-replicas": "3", "mode": "enforce"})
        && causes.len() == expected.len()
        && causes.iter().zip(&expected).all(|((reason, field), (code, path))| **reason == *code && **field == *path);
    if whole { Ok(()) } else { Err(answer.to_string()) }
}

/// An edit of a marked workload.
#[expect(clippy::needless_pass_by_value, reason = "so that a table's row stays one line")]
fn edit(kind: &str, change: Value) -> Value {
    let strategy = json!({"type": "Recreate"});
    let object = json!({
        "kind": kind, "metadata": {"name": "ledger", "namespace": "pay", "uid": "o-1", "labels": {MARK: "true"}},
        "spec": {"replicas": 1, "strategy": strategy, "selector": {"matchLabels": {"app": "a"}}}, "status": {"replicas": 1},
    });
    let mut edited = object.clone();
    json_patch::merge(&mut edited, &change);
    // A strategy is given whole.
    if let Some(strategy) = change["spec"].get("strategy") {
        edited["spec"]["strategy"] = strategy.clone();
    }
    let group = if matches!(kind, "ReplicationController" | "Pod") { "" } else { "apps" };
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
        "uid": "u-1", "resource": {"group": group, "version": "v1", "resource": super::case::plural(kind)}, "name": "ledger",
        "namespace": "pay", "operation": "UPDATE", "userInfo": {"username": "alice"}, "object": edited, "oldObject": object,
    }})
}

fn expect(review: &Value, allowed: bool, what: &str) -> Result<(), String> {
    let answer = answer(review);
    if answer["response"]["allowed"] == allowed { Ok(()) } else { Err(format!("{what}: {answer}")) }
}

fn answer(review: &Value) -> Value {
    let body = review.to_string();
    let read = review::read(body.as_bytes(), Kinds::BUILT_IN).expect("readable");
    let uid = read.uid.to_string();
    let Step::Decided(decision) =
        evaluate(Phase::Validate, read.request, &Settings::default(), std::time::SystemTime::now())
    else {
        panic!("nothing has to be asked about {body}")
    };
    serde_json::from_slice(&review::write(&uid, &decision)).expect("an answer is JSON")
}
