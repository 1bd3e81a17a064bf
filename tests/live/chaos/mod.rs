//! Chaos: strict singletons on a live control plane while people, controllers, replicas of ours, components and nodes do
//! whatever they can, and two checkers that nothing escapes.
//!
//! One counts the Pods of each singleton at every revision, the other the processes of each on the nodes. People delete,
//! evict, force, roll out, scale, relabel, release and squat, through two API servers; components and replicas of ours
//! are killed and stopped, quotas flipped, three of ten Pods refused by somebody else's webhook, nodes silent or declared
//! dead. Not among it: forced evictions, whose limit `docs/guarantees.md` names; and etcd, of which there is one.
//!
//! `SEED=n` chooses the same steps again. `LONG=1 cargo test --test live -- chaos:: --nocapture` takes twice as many
//! singletons, declares nodes dead, and goes on until it has had 20 seeds, 100 000 Pods and 10 000 faults: about an
//! hour and a half on two cores. `LONG=30` goes through as many seeds as thirty minutes hold. `BINARY` is the program
//! that our replicas run, such as a release build. What it costs is the API server's time: `GOGC=800`, a `TMPDIR` in
//! memory, `GOMEMLIMIT=5GiB`, and the nodes and checkers of this program built with `--release` give it more.

mod contrast;
mod count;
mod faults;
mod form;
mod living;
mod processes;
mod revisions;
mod rival;
mod run;
mod seed;
mod steps;
mod watching;
mod workloads;

use crate::harness::{Group, Test};
use run::Run;

/// One at a time: there is one cluster, and the last part changes what is installed. The histories that the checkers are tried on need none
/// (`tests/spec`).
pub fn group() -> Group<Run> {
    let parts = run::PARTS.into_iter().map(|(name, part)| {
        Test::new(name, move |run: &Run| {
            // Said at once: the summary comes minutes later.
            run.play(part).inspect_err(|error| eprintln!("{name}: {error:#}"))
        })
    });
    Group { name: "chaos", side_by_side: 1, tests: parts.collect() }
}
