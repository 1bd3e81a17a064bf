//! Whenever a Deployment is let become a singleton, its controller ends the other Pods: after any edits, and at any moment of
//! the work of a controller that is modelled.

use std::cell::Cell;
use std::time::SystemTime;

use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_oneof};
use serde_json::json;
use singleton_guard::api::kind::Kinds;
use singleton_guard::policy::request::Phase;
use singleton_guard::policy::{Step, evaluate};
use singleton_guard::review;
use singleton_guard::settings::Settings;

use super::case::MARK;
use super::deployment_controller::{Act, Deployment, Edit, MANY, Rollout, World};
use super::properties::check;

/// Of the requests that are let through many have other Pods to end, and of those that are refused many would have left the
/// Deployment standing still: else the property would say nothing.
#[test]
fn what_may_become_a_singleton_ends_at_one() -> Result<(), String> {
    let (let_through, stood_still) = (Cell::new(0_u32), Cell::new(0_u32));
    let inputs = (prop::collection::vec(any_act(), 0..24), any_edit(), any::<bool>(), 0..2_i64, 1..4_i64);
    check(5_000, inputs, |(acts, mut edit, cannot_surge, replicas, at_first)| {
        let mut world = World::new(at_first);
        for act in acts {
            world.act(act);
        }
        edit.replicas = Some(replicas);
        edit.strategy = Some(if cannot_surge { Rollout::Rolling { surge: 0 } } else { Rollout::Recreate });
        let before = world.clone();
        world.act(Act::Edit(edit));
        let allowed = allowed(&before.deployment, &world.deployment);
        let others = before.deployment.replicas.max(before.deployment.status.replicas) > 1;
        world.act(Act::Quota(MANY));
        for _ in 0..60 {
            world.act(Act::Sync);
            world.act(Act::Run);
        }
        let left: i64 = world.sets.iter().map(|set| set.replicas.max(set.running)).sum();
        if others && allowed {
            let_through.set(let_through.get() + 1);
            prop_assert!(left <= 1, "{} Pods stay: {:#?}\nbecame {:#?}", left, before, world);
        } else if others && left > 1 && !world.deployment.paused {
            stood_still.set(stood_still.get() + 1);
        }
        Ok(())
    })?;
    let (let_through, stood_still) = (let_through.get(), stood_still.get());
    if let_through < 1_000 || stood_still < 100 {
        return Err(format!("too little has happened: {let_through} let through, {stood_still} stood still"));
    }
    Ok(())
}

/// What the guard says of the request that brings the mark.
fn allowed(before: &Deployment, after: &Deployment) -> bool {
    let old = before.object(&before.status, &json!({}));
    // An update keeps the stored status.
    let new = after.object(&before.status, &json!({MARK: "true"}));
    let body = json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": {
        "uid": "u-1", "resource": {"group": "apps", "version": "v1", "resource": "deployments"}, "name": "ledger",
        "namespace": "pay", "operation": "UPDATE", "userInfo": {"username": "alice", "groups": []},
        "object": new, "oldObject": old, "dryRun": false,
    }})
    .to_string();
    let read = review::read(body.as_bytes(), Kinds::BUILT_IN).expect("readable");
    match evaluate(Phase::Validate, read.request, &Settings::default(), SystemTime::now()) {
        Step::Decided(decision) => decision.allowed(),
        Step::Ask(..) => panic!("nobody else need be known"),
    }
}

fn any_edit() -> impl Strategy<Value = Edit> {
    let strategy = prop::sample::select(vec![
        Rollout::Recreate,
        Rollout::Rolling { surge: 0 },
        Rollout::Rolling { surge: 1 },
        Rollout::Rolling { surge: 3 },
    ]);
    (
        prop::option::weighted(0.3, 0..4_i64),
        prop::option::weighted(0.4, 0..3_u8),
        prop::option::weighted(0.3, strategy),
        prop::option::weighted(0.2, any::<bool>()),
    )
        .prop_map(|(replicas, template, strategy, paused)| Edit { replicas, template, strategy, paused })
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![3 => any_edit().prop_map(Act::Edit), 7 => Just(Act::Sync), 2 => Just(Act::Run), 1 => (0..3_usize).prop_map(Act::Lose),
        1 => prop::sample::select(vec![1, 2, MANY]).prop_map(Act::Quota)]
}
