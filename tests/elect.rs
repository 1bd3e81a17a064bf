//! The lock of `elect` on real stores, with real processes.
//!
//! ```text
//! failovers  commands that write down that they live, while all parts of their replicas are killed and stopped
//!   arena    the replicas    checker  who has lived when    roles  what this program is in them
//! program    the program itself, three replicas of it
//! stores     etcd and the API server as registers: who is refused, who loses, what is nobody's to take
//! rig        the lab, with an etcd beside it that wants TLS and a password
//! ```
//!
//! Where there can be no lab it is left out with the reason, and with `CI=true` that is a failure.

#![allow(unreachable_pub, missing_docs, reason = "one program; its rooms are described at their heads")]
#![allow(
    dead_code,
    unused_imports,
    unused_macros,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that meets the unexpected has failed, and it uses a part of what the live tests share"
)]

#[path = "elect/arena.rs"]
mod arena;
#[path = "elect/checker.rs"]
mod checker;
#[path = "elect/etcd.rs"]
mod etcd;
#[path = "elect/failovers.rs"]
mod failovers;
#[path = "live/harness/mod.rs"]
mod harness;
#[path = "lab/mod.rs"]
mod lab;
#[path = "elect/lease.rs"]
mod lease;
#[path = "elect/program.rs"]
mod program;
#[path = "elect/rig.rs"]
mod rig;
#[path = "elect/roles.rs"]
mod roles;
#[path = "elect/stores.rs"]
mod stores;

fn main() -> std::process::ExitCode {
    // This program is also some of the processes that it starts.
    if let Some(status) = roles::play() {
        return status.into();
    }
    harness::main(vec![Box::new(stores::group()), Box::new(program::group()), Box::new(failovers::group())])
}
