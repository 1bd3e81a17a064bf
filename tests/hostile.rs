//! The program under peers that waste its time, its memory and its descriptors, while an API server goes on calling:
//! the real process, measured from outside.
//!
//! ```text
//! cargo test --test hostile                                          that answers come and bounds hold
//! LONG=1 BINARY=FILE cargo test --test hostile -- --nocapture        the figures, of a release build
//! ```
//!
//! The long form has two thousand idle sockets, asserts how long an honest call takes, and stays idle for a quarter of
//! an hour. The API server behind the look-ups is the bench's stand-in. Everything is on loopback.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

#[path = "live/common/binary.rs"]
mod binary;
#[expect(dead_code, reason = "the bench uses the rest")]
#[path = "bench/client.rs"]
mod client;
#[path = "hostile/crowd.rs"]
mod crowd;
#[expect(dead_code, reason = "the bench uses the rest")]
#[path = "bench/fixture.rs"]
mod fixture;
#[path = "hostile/forged.rs"]
mod forged;
#[path = "hostile/honest.rs"]
mod honest;
#[path = "hostile/peer.rs"]
mod peer;
#[expect(dead_code, reason = "the bench uses the rest")]
#[path = "bench/process.rs"]
mod process;
#[expect(dead_code, reason = "the bench uses the rest")]
#[path = "bench/reviews.rs"]
mod reviews;
#[path = "bench/serve.rs"]
mod serve;
#[path = "bench/stand_in.rs"]
mod stand_in;
#[path = "hostile/target.rs"]
mod target;

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use crowd::{Crowd, probe};
use honest::{Calls, ask};
use peer::{Peers, Waste};
use singleton_guard::server::Limits;
use target::Target;

/// All at once: they must not add up.
#[test]
fn hostile_peers_cost_the_api_server_nothing() {
    let target = Target::start();
    let (idle, each, size) = if long() { (2_000, 500, (8 << 20) - (4 << 10)) } else { (100, 20, 1 << 20) };
    let peers = Peers::start(
        target.address,
        &target.authority(),
        forged::forged(size),
        vec![
            (Waste::Idle, idle),
            (Waste::Handshake, each),
            (Waste::Headers, each),
            (Waste::Body, each),
            (Waste::Oversized, 2),
            (Waste::Forged, 2),
        ],
    );
    let calls = ask(&target, 4, if long() { 20_000 } else { 400 });
    let most = target.descriptors();
    let seen = peers.stop().unwrap();
    let memory = target.memory();
    calls.report("under attack");
    println!("{seen}; {most} descriptors, peak RSS {:.1} MiB", mebibytes(memory.peak));

    assert_eq!(seen.allowed.load(Ordering::Relaxed), 0, "a forged increase was allowed");
    assert!(memory.peak < MEMORY_LIMIT, "{} MiB", mebibytes(memory.peak));
    assert!(most <= Limits::default().connections + OTHERS, "{most} descriptors");
    // The peers are gone, and so is what they held.
    let left = target.descriptors_settle_below(OTHERS);
    assert!(left < OTHERS, "{left} descriptors are still open");
    if long() {
        assert!(calls.percentile(99) < Duration::from_millis(100), "{:?}", calls.percentile(99));
    }
}

/// The API server closes a connection that was idle for 90 s, so the next call opens another; whoever closes first
/// must be the API server.
#[test]
fn after_idleness_every_call_of_a_burst_is_answered() {
    let target = Target::start();
    let (rounds, pause) = if long() { (10, Duration::from_secs(95)) } else { (1, Duration::ZERO) };
    let client = target.client();
    // One keeps its connection longer than the API server would, the other does as the API server does.
    let (mut kept, mut latencies) = (client.connect().unwrap(), Vec::new());
    for _ in 0..rounds {
        latencies.push(honest::once(&mut kept).unwrap());
        latencies.push(honest::once(&mut client.connect().unwrap()).unwrap());
        thread::sleep(pause);
    }
    latencies.push(honest::once(&mut kept).unwrap());
    let idle = target.memory();
    Calls::from(latencies).report(&format!("between pauses of {} s", pause.as_secs()));

    let burst = honest::burst(&target, if long() { 1_000 } else { 100 });
    burst.report("in a burst");
    let peak = target.memory().peak;
    println!("RSS {:.1} MiB idle, {:.1} MiB at the peak of the burst", mebibytes(idle.resident), mebibytes(peak));
    assert!(peak <= BURST_LIMIT, "{} MiB", mebibytes(peak));
}

/// A probe that takes longer than a second has failed (`timeoutSeconds`, by default), three of them restart the process.
#[test]
fn probes_are_answered_while_a_crowd_keeps_the_operations_port_busy() {
    let target = Target::start();
    // Both sides share the cores of this machine; a release build need not be spared.
    let pause = if long() { Duration::ZERO } else { Duration::from_millis(500) };
    let crowd = Crowd::start(target.operations, 6_000, 100, pause);
    let (started, mut probes, mut most) = (Instant::now(), Vec::new(), 0);
    let (cpu, before) = (target.cpu(), crowd.opened());
    let calls = thread::scope(|scope| {
        let calls = scope.spawn(|| ask(&target, 2, 400));
        while started.elapsed() < Duration::from_secs(if long() { 60 } else { 8 }) {
            for path in ["/livez", "/readyz"] {
                probes.push(probe(target.operations, path).unwrap());
            }
            most = most.max(target.descriptors());
            thread::sleep(Duration::from_millis(100));
        }
        calls.join().unwrap()
    });
    let (opened, memory, cpu) = (crowd.opened(), target.memory(), target.cpu().saturating_sub(cpu));
    drop(crowd);
    let probes = Calls::from(probes);
    probes.report("of the kubelet in a crowd");
    calls.report("of the API server meanwhile");
    println!("{} connections took {cpu:.1?} of CPU; {most} descriptors", opened - before);
    println!("peak RSS {:.1} MiB", mebibytes(memory.peak));

    assert!(opened >= 6_100, "of the crowd only {opened} got in");
    assert!(probes.percentile(100) < Duration::from_secs(1), "{:?}", probes.percentile(100));
    assert!(most <= CROWD + OTHERS, "{most} descriptors");
    assert!(memory.peak < CROWD_LIMIT, "{} MiB", mebibytes(memory.peak));
    let left = target.descriptors_settle_below(OTHERS);
    assert!(left < OTHERS, "{left} descriptors are still open");
}

fn long() -> bool {
    std::env::var_os("LONG").is_some_and(|value| value == "1")
}

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "for people")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Of the chart's Pod.
const MEMORY_LIMIT: u64 = 256 << 20;
/// Descriptors beside the peers': the calls', the look-ups', the listeners, the runtime's.
const OTHERS: usize = 100;
/// Connections to the operations port at once.
const CROWD: usize = 2_048;
const CROWD_LIMIT: u64 = 96 << 20;
const BURST_LIMIT: u64 = 48 << 20;
