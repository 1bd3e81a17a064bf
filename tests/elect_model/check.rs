//! Running the checker, and what is expected of it.

use std::time::Instant;

use stateright::{Checker, Expectation, HasDiscoveries, Model, Property};

use crate::lock::Lock;

/// What must never be is in no world that can be reached, in as many steps if that is said, and what can be is in one.
pub fn holds(what: &str, lock: Lock, within: Option<usize>, reached: &[&str]) {
    let properties = lock.properties();
    let start = Instant::now();
    let mut builder = lock.checker().threads(THREADS).finish_when(HasDiscoveries::AnyFailures);
    if let Some(steps) = within {
        builder = builder.target_max_depth(steps);
    }
    let checker = builder.spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    eprintln!("{what}: {states} worlds, up to {depth} steps away ({:.1?})", start.elapsed());
    for Property { name, expectation, .. } in properties {
        let expected = expectation == Expectation::Sometimes && reached.contains(&name);
        match checker.discovery(name) {
            Some(path) if !expected && expectation == Expectation::Always => {
                panic!("{what}: \"{name}\" is decided by {:?}", path.into_actions())
            }
            None if expected => panic!("{what}: \"{name}\" was expected and is in none of {states} worlds"),
            _ => {}
        }
    }
}

/// This is found to be broken.
pub fn is_refuted(what: &str, lock: Lock, broken: &'static str) {
    let start = Instant::now();
    let only = HasDiscoveries::AnyOf([broken].into());
    let checker = lock.checker().threads(THREADS).finish_when(only).spawn_bfs().join();
    let states = checker.unique_state_count();
    let Some(path) = checker.discovery(broken) else { panic!("{what}: \"{broken}\" holds in all {states} worlds") };
    let steps = path.into_actions();
    eprintln!(
        "{what}: \"{broken}\" is broken in {} steps, among {states} worlds ({:.1?}): {steps:?}",
        steps.len(),
        start.elapsed()
    );
}

/// As many as the smallest machine that this is meant for.
const THREADS: usize = 2;
