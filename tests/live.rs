//! The live tests: what the guard does on a real control plane, in groups, each of which boots a cluster of its own.
//!
//! ```text
//! companions  the controller of Services and budgets alone: faults, kills, disagreement
//! drills      what a cluster goes through while replicas die, hang, restart and are replaced
//! tenants     what a tenant with the role `edit` writes costs nobody else anything
//! chaos       strict singletons while everything goes wrong at once, and two checkers that nothing escapes
//! ```
//!
//! A filter that leaves no test of a group boots nothing for it. Where there can be no lab the groups are left out with the
//! reason, and with `CI=true` that is a failure. `LONG=1` runs the long forms, and `-- --ignored` measures. `BINARY=FILE`
//! tries that program instead of the one that cargo has built, as the static one of a release.

#![allow(
    unreachable_pub,
    missing_docs,
    dead_code,
    reason = "one program; its rooms are described at their heads, and it shares some with the specification"
)]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::too_many_lines,
    reason = "a test that meets the unexpected has failed"
)]

#[path = "live/chaos/mod.rs"]
mod chaos;
#[path = "live/companions/mod.rs"]
mod companions;
#[path = "live/drills/mod.rs"]
mod drills;
#[path = "live/harness/mod.rs"]
mod harness;
#[path = "lab/mod.rs"]
mod lab;
#[path = "spec"]
mod spec {
    #[path = "../live/common/api.rs"]
    pub mod api;
    #[path = "../live/common/before.rs"]
    pub mod before;
    #[path = "../live/common/binary.rs"]
    pub mod binary;
    pub mod case;
    #[path = "../live/common/place.rs"]
    pub mod companions_place;
    #[path = "../live/stories/configuration.rs"]
    pub mod configuration_live;
    #[path = "../live/common/https.rs"]
    pub mod https;
    pub mod in_lab;
    #[path = "../live/common/installed.rs"]
    pub mod installed;
    #[path = "../live/harness/left_out.rs"]
    pub mod left_out;
    #[path = "../live/cases/play.rs"]
    pub mod live;
    #[path = "../live/common/workloads.rs"]
    pub mod workloads;
}
#[path = "live/tenants/mod.rs"]
mod tenants;

use harness::Cluster;
use lab::progress::Progress;
use lab::stage::Entered;
use spec::in_lab::Booted;
use spec::installed::Installed;

impl Cluster for Installed {
    fn boot(entered: Entered, progress: &Progress) -> anyhow::Result<Self> {
        Booted::boot(entered, progress)
    }

    fn shutdown(self) -> anyhow::Result<()> {
        Booted::shutdown(self)
    }
}

fn main() -> std::process::ExitCode {
    harness::main(vec![
        Box::new(companions::group()),
        Box::new(drills::group()),
        Box::new(tenants::group()),
        Box::new(chaos::group()),
    ])
}
