//! Running the checker, and what is expected of it.

use std::time::Instant;

use stateright::{Checker, Expectation, HasDiscoveries, Model, Property};

use crate::cluster::Cluster;

/// What must never be is in no state that can be reached, and of what can be, exactly this.
pub fn holds(what: &str, cluster: Cluster, reached: &[&str]) {
    let properties = cluster.properties();
    let start = Instant::now();
    let checker = cluster.checker().threads(THREADS).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let (states, depth) = (checker.unique_state_count(), checker.max_depth());
    eprintln!("{what}: {states} states, up to {depth} steps away ({:.1?})", start.elapsed());
    for Property { name, expectation, .. } in properties {
        let expected = expectation == Expectation::Sometimes && reached.contains(&name);
        match checker.discovery(name) {
            Some(path) if !expected => panic!("{what}: \"{name}\" is decided by {:?}", path.into_actions()),
            None if expected => panic!("{what}: \"{name}\" was expected and is in none of {states} states"),
            _ => {}
        }
    }
}

/// Each of these is found to be broken. A checker that misses it proves nothing elsewhere.
pub fn is_refuted(what: &str, cluster: &Cluster, broken: &[&'static str]) {
    for name in broken {
        let finds = |depth| {
            let only = HasDiscoveries::AnyOf([*name].into());
            let checker = cluster.clone().checker().finish_when(only).target_max_depth(depth).spawn_bfs().join();
            Some((checker.discovery(name)?.into_actions(), checker.unique_state_count()))
        };
        // The shortest way there is the one to read.
        let Some((steps, states)) = (2..=DEPTH_MAX).find_map(finds) else {
            panic!("{what}: \"{name}\" holds within {DEPTH_MAX} steps, and should not");
        };
        eprintln!("{what}: \"{name}\" is broken in {} steps, among {states} states: {steps:?}", steps.len());
    }
}

/// More than any way that is expected has.
const DEPTH_MAX: usize = 24;
/// As many as the smallest machine that this is meant for.
const THREADS: usize = 2;
