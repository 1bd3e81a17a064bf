//! The server's rooms over real sockets on 127.0.0.1: what arrives late, too large, broken or never, and how the
//! process ends. What needs an API server is in the live cases.
//!
//! Where a time limit is what is tested, it is a short one; nothing waits for a fixed time to let something happen.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]
#![allow(unreachable_pub, reason = "the modules of a test are not for others")]

#[path = "server/answers.rs"]
mod answers;
#[path = "server/certificates.rs"]
mod certificates;
#[path = "server/connections.rs"]
mod connections;
#[path = "server/deadlines.rs"]
mod deadlines;
#[path = "server/ending.rs"]
mod ending;
#[path = "server/fixture.rs"]
mod fixture;
#[path = "server/lookups.rs"]
mod lookups;
#[path = "server/operations.rs"]
mod operations;
#[path = "server/plan.rs"]
mod plan;
#[path = "server/rotation.rs"]
mod rotation;
