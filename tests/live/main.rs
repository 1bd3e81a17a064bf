//! The live tests: what the guard does on a real control plane, in groups, each of which boots a cluster of its own.
//!
//! ```text
//! cases       each case of tests/cases, against the API server with the chart installed
//! stories     controllers and real tools at work around singletons
//! companions  the controller of Services and budgets alone: faults, kills, disagreement
//! drills      what a cluster goes through while replicas die, hang, restart and are replaced
//! tenants     what a tenant with the role `edit` writes costs nobody else anything
//! chaos       strict singletons while everything goes wrong at once, and two checkers that nothing escapes
//! ```
//!
//! A filter that leaves no test of a group boots nothing for it. Where there can be no lab the groups are left out with the
//! reason, and with `CI=true` that is a failure. `WITHOUT_GUARD=1` runs the cases without the guard, `ONLY_FLOOR=1` leaves
//! only the native floor of it. `KUBERNETES=1.30` boots the oldest release that the chart installs on. `LONG=1` runs the
//! long forms, and `-- --ignored` measures. `BINARY=FILE` tries that program instead of the one that cargo has built, as the
//! static one of a release.

#![allow(unreachable_pub, missing_docs, reason = "one program; its rooms are described at their heads")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::too_many_lines,
    reason = "a test that meets the unexpected has failed"
)]

mod cases;
mod chaos;
mod common;
mod companions;
mod drills;
mod harness;
#[path = "../lab/mod.rs"]
mod lab;
#[allow(dead_code, unused_imports, reason = "the tests of it are run without a cluster")]
#[path = "../spec"]
mod spec {
    pub mod case;
    pub mod metrics_table;
    pub mod recorded;
    pub mod rules;
    pub mod sentence;
    pub mod shapes;
    pub mod snapshot;
    pub mod values;
}
mod stories;
mod tenants;

use common::installed::{Guard, wanted};
use harness::Playable;

fn main() -> std::process::ExitCode {
    let guard = wanted();
    let mut groups: Vec<Box<dyn Playable>> = vec![Box::new(cases::group(guard)), Box::new(stories::group(guard))];
    if guard == Guard::Webhook {
        groups.push(Box::new(companions::group()));
        groups.push(Box::new(drills::group()));
        groups.push(Box::new(tenants::group()));
        groups.push(Box::new(chaos::group()));
    }
    harness::main(groups)
}
