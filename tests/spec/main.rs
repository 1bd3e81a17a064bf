//! The specification as far as it needs no cluster: every case at the first two boundaries, properties, plans, and what the
//! code makes. The third boundary and all that needs controllers are live tests (`tests/live`).
//!
//! What is generated is compared, and `UPDATE=1` rewrites it.

#![allow(unreachable_pub, missing_docs, reason = "one program; its rooms are described at their heads")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    clippy::too_many_lines,
    reason = "a test that meets the unexpected has failed"
)]

mod architecture;
#[allow(dead_code, reason = "the live tests read more of it")]
mod case;
mod cases;
mod codes;
mod companions_patience;
mod companions_plan;
mod configuration;
mod custom;
mod deployment_controller;
mod differential;
mod documentation;
mod events;
mod floor;
mod generated;
mod imports;
mod keys;
mod kinds;
mod liveness;
mod mangled;
mod metrics_table;
mod model;
mod namespaces_plan;
mod properties;
mod pure;
mod readings;
#[allow(dead_code, reason = "a live story records them")]
mod recorded;
mod remedies;
mod router;
mod rules;
mod sentence;
mod shapes;
mod snapshot;
mod surplus;
mod texts;
mod threats;
mod values;
mod warnings;

/// The checkers of chaos, and the histories that they are tried on.
#[allow(dead_code, reason = "chaos itself uses the rest")]
#[path = "../live/chaos"]
mod chaos {
    pub mod count;
    pub mod histories;
    pub mod processes;
    pub mod revisions;
}
#[allow(dead_code, reason = "the drills use the rest")]
#[path = "../lab"]
mod lab {
    pub(crate) mod cache;
    pub(crate) mod go_program;
}
#[path = "../live/harness/repeats.rs"]
mod repeats;
#[path = "../fuzz/targets.rs"]
mod targets;

use std::path::Path;

/// The checkout.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
