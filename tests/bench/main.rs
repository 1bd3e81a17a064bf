//! What an admission review costs: singleton-guard beside the least that this stack can do (`floor`), the obvious way to
//! write it (`naive`), a bare Go webhook (`go`, with an RSA key `go-rsa`) and one on controller-runtime (`ctrl-rt`).
//! What it aims at is in `targets`, and printed beside what it measured.
//!
//! ```text
//! cargo bench --bench bench -- --short         under 90 seconds after building
//! cargo bench --bench bench                    the figures for docs/evidence/performance.md
//! cargo bench --bench bench --target x86_64-unknown-linux-musl    all of them static, as in the image
//! cargo bench --bench bench -- --binary FILE   of a binary that was built elsewhere
//! ```
//!
//! All servers run at the same time, each a process of its own, all on core 0; the client and the stand-in for the API
//! server are on core 1. Each review goes to each server in turn, in an order that rotates with the rounds. The figure
//! that counts is the CPU time of the server, from the kernel's own books: it includes what the kernel does for it, and
//! is not disturbed by the client, which needs more CPU than the server.
//!
//! With 25 connections the servers are saturated: they find the next request waiting and are spared the sleeping and
//! waking that make up more than half of the cost of a single one. So the floor is lowest there, and the ratio to it
//! the hardest. An API server that calls now and then looks like the rows with one connection.
//!
//! What it costs to follow a cluster is measured by the program in `following`. Everything is on loopback. A debug build shows that the bench works; its figures mean nothing.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

mod arguments;
mod client;
mod contender;
mod fixture;
mod floor;
mod naive;
mod process;
mod programs;
mod report;
#[allow(dead_code, reason = "the count of instructions uses the rest")]
mod reviews;
mod rsa;
mod scenarios;
mod serve;
mod spread;
mod stand_in;
mod targets;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser as _;

use arguments::{Arguments, Role};
use contender::{Contender, NAMES, Name, Start};
use fixture::Fixture;
use process::Memory;
use programs::Programs;
use report::Footprint;
use reviews::Review;
use scenarios::{Effort, RATE};

/// The same allocator as the program has, or the servers that are compared would not have the same chances.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<ExitCode> {
    let _installed = singleton_guard::certs::provider().as_ref().clone().install_default();
    let arguments = Arguments::parse();
    match &arguments.role {
        Some(Role::Floor(place)) => serve::run(place.address, &place.directory, async { Ok(floor::router()) })?,
        Some(Role::Naive(place)) => {
            serve::run(place.address, &place.directory, naive::router(&place.directory.join("kubeconfig")))?;
        }
        Some(Role::StandIn(place)) => serve::run(place.address, &place.directory, async { stand_in::router() })?,
        None => return run(&arguments),
    }
    Ok(ExitCode::SUCCESS)
}

fn run(arguments: &Arguments) -> Result<ExitCode> {
    let effort = if arguments.short { Effort::SHORT } else { Effort::LONG };
    let programs = Programs::build(&arguments.binary)?;
    introduce(&arguments.binary, effort.rounds)?;
    let api_server = process::free_address()?;
    let fixture = Fixture::create(api_server)?;
    let _api_server = contender::role("stand-in", api_server, &fixture)?.start_on(CLIENT_CORE)?;

    // Before this program is pinned: what it starts would be, too.
    let starts = time_starts(&programs, &fixture, effort.rounds)?;
    process::pin_self(CLIENT_CORE)?;

    let (mut contenders, idle) = start(&programs, &fixture)?;
    let reviews: Vec<Review> =
        reviews::all()?.into_iter().filter(|review| review.name.contains(&arguments.only)).collect();
    let mut rows = scenarios::warm(&mut contenders, &reviews, &arguments.connections, &effort)?;
    let loaded = memories(&contenders)?;
    let all = reviews::all()?;
    let small = all.first().context("no reviews")?;
    rows.push(scenarios::cold(&mut contenders, small, &effort)?);
    let kept = scenarios::pause(&mut contenders, small, &effort)?;
    let fixed_rate = scenarios::fixed_rate(&mut contenders, small, &effort)?;
    let (row, errors) = scenarios::burst(&mut contenders, small, &effort)?;
    rows.push(row);
    let burst = memories(&contenders)?;

    let memory = idle.into_iter().zip(loaded).zip(burst);
    let rest = starts.into_iter().zip(memory).zip(errors.into_iter().zip(kept)).zip(fixed_rate);
    let mut footprints = Vec::new();
    for (contender, (((starts, ((idle, loaded), burst)), (errors, kept)), fixed_rate)) in contenders.iter().zip(rest) {
        let (name, size) = (contender.name(), contender.size()?);
        footprints.push(Footprint { name, size, starts, idle, loaded, burst, errors, kept, fixed_rate });
    }

    let targets = targets::all(&rows, footprints.iter().find(|footprint| footprint.name == Name::Ours));
    println!("{}\n{}\n{}", report::cpu(&rows), report::latency(&rows), report::footprint(&footprints));
    println!("{}", targets::table(&targets));
    println!("The pause was {} s; the fixed rate {RATE} a second.", effort.pause.as_secs());
    let gross: Vec<_> = targets.iter().filter(|target| target.is_gross()).collect();
    for target in &gross {
        println!("FAILED, far from its target: {}", target.words());
    }
    Ok(if gross.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What the figures belong to.
fn introduce(binary: &Path, rounds: usize) -> Result<()> {
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let models: Vec<&str> = cpus
        .lines()
        .filter_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map(|(_, name)| name)
        .collect();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let load = fs::read_to_string("/proc/loadavg")?;
    println!(
        "machine   {} x {}, Linux {}, load {}",
        models.len(),
        models.first().unwrap_or(&"unknown"),
        kernel.trim(),
        load.split_whitespace().next().unwrap_or("unknown"),
    );
    println!("commit    {}", commit());
    println!("binary    {}, {} bytes", binary.display(), process::size(binary)?);
    println!("rounds    {rounds}");
    if cfg!(debug_assertions) {
        println!("This is a debug build: the figures mean nothing.");
    }
    println!();
    Ok(())
}

/// Of the checkout this was built in.
fn commit() -> String {
    let described = Command::new("git")
        .args(["-C", env!("CARGO_MANIFEST_DIR"), "describe", "--always", "--dirty", "--exclude", "*"])
        .output();
    match described {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}

/// For each server in the order of [`NAMES`].
fn time_starts(programs: &Programs, fixture: &Fixture, rounds: usize) -> Result<Vec<Vec<Start>>> {
    let mut starts = vec![Vec::new(); NAMES.len()];
    for _ in 0..rounds {
        for (name, starts) in NAMES.iter().zip(&mut starts) {
            starts.push(name.plan(programs, fixture)?.time_start()?);
        }
    }
    Ok(starts)
}

/// Starts all of them, and says how much memory each had before anybody connected.
fn start(programs: &Programs, fixture: &Fixture) -> Result<(Vec<Contender>, Vec<Memory>)> {
    let start = |name| Contender::start(name, SERVER_CORE, programs, fixture);
    let contenders: Vec<Contender> = NAMES.into_iter().map(start).collect::<Result<_>>()?;
    sleep(SETTLING);
    let idle = memories(&contenders)?;
    Ok((contenders, idle))
}

fn memories(contenders: &[Contender]) -> Result<Vec<Memory>> {
    contenders.iter().map(|contender| contender.process().memory()).collect()
}

const SERVER_CORE: usize = 0;
const CLIENT_CORE: usize = 1;
/// Until a server that says it is ready has done all it does at its start.
const SETTLING: Duration = Duration::from_millis(500);
