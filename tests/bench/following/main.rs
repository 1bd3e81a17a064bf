//! What it costs a replica to follow a cluster, beside the version of before there was one machine that lists and watches:
//! on the lab's real etcd and API server, of the real programs, both of which follow at the same time.
//!
//! ```text
//! cargo bench --bench following                 CPU for each write, in pairs, and memory in a large cluster
//! cargo bench --bench following -- --crowd 0    without the large cluster
//! ... --rounds 5 --writes 1000                  how much is done
//! ... --binary FILE --before FILE               of programs that were built elsewhere
//! ```
//!
//! Writes come one after the other, as in a cluster where many people each change something now and then. What counts is
//! the CPU time of a replica by the kernel's own books, without what it takes in the same time when nothing happens.
//! Both replicas hear of the same writes while the same other work slows them down, so the ratio of a round says more than
//! either figure. The controllers stand still: they would write as well, and so much that the figures drown.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

#[expect(dead_code, unreachable_pub, reason = "the tests use it too, and the other profile")]
#[path = "../../live/common/before.rs"]
mod before;
mod crowd;
#[path = "../../lab/mod.rs"]
mod lab;
#[expect(dead_code, reason = "the other bench uses the rest")]
#[path = "../process.rs"]
mod process;
mod replica;
#[path = "../spread.rs"]
mod spread;
mod writes;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use kube::Client;
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio::time::sleep;

use lab::binaries::Names;
use lab::control_plane::Part;
use lab::progress::Progress;
use lab::stage::{self, Entered, Reach};
use lab::{Lab, Options, component::Signal};
use replica::Program;

/// Measures what it costs to follow a cluster, beside the version of before.
#[derive(Debug, Parser)]
#[command(name = "following", bin_name = "cargo bench --bench following --")]
struct Arguments {
    /// How often each figure is taken.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Writes in a round.
    #[arg(long, default_value_t = 1_000)]
    writes: u32,
    /// Workloads of the large cluster.
    #[arg(long, default_value_t = 100_000)]
    crowd: usize,
    /// The singleton-guard to measure. Without it, the one that cargo built for this bench.
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_singleton-guard"))]
    binary: PathBuf,
    /// The one of before. Without it, it is built from the history, once.
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// cargo gives this to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    let _installed = singleton_guard::certs::provider().as_ref().clone().install_default();
    let (arguments, progress) = (Arguments::parse(), Progress::to_stderr());
    let before = match &arguments.before {
        Some(file) => file.clone(),
        None => before::program(&progress, before::Profile::Release).map_err(anyhow::Error::msg)?,
    };
    let entered = stage::enter(Reach::Inside, Names::Unserved, &progress)?;
    Runtime::new()?.block_on(run(&arguments, before, entered, progress))
}

async fn run(arguments: &Arguments, before: PathBuf, entered: Entered, progress: Progress) -> Result<()> {
    let binary = arguments.binary.clone();
    let options = Options {
        guard_binary: binary.clone(),
        image: "registry.example/nobody:none".to_owned(),
        progress,
        nodes: &[],
        flags: |program| if program == "etcd" { &["--quota-backend-bytes=8589934592"] } else { &[] },
    };
    let lab = Lab::boot(entered, options).await?;
    lab.signal(Part::ControllerManager, Signal::Stop).await?;
    let programs = [Program { name: "before", file: before }, Program { name: "now", file: binary }];
    if cfg!(debug_assertions) {
        println!("This is a debug build: the figures mean nothing.");
    }
    println!("{}", writes::table(&lab, &programs, arguments.rounds, arguments.writes).await?);
    if arguments.crowd > 0 {
        println!("{}", crowd::table(&lab, &programs, arguments.rounds.min(3), arguments.crowd).await?);
    }
    lab.signal(Part::ControllerManager, Signal::Continue).await?;
    lab.shutdown().await
}

/// Makes an object.
async fn post(client: &Client, path: &str, object: &Value) -> Result<Value> {
    let request = http::Request::post(path).header(http::header::CONTENT_TYPE, "application/json");
    client.request(request.body(serde_json::to_vec(object)?)?).await.with_context(|| format!("making one in {path}"))
}

/// Until all has been read that was written, and all has been done that it led to.
async fn settle(seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
}
