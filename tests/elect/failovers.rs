//! Failovers and hand-overs, on both stores: never do two commands live, and somebody is active again in time.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;

use crate::arena::{Arena, Part, Timing};
use crate::checker::{faults, gaps};
use crate::harness::{Group, Test, is_long};
use crate::lab::etcd::Etcd;
use crate::rig::Rig;

type Check = fn(&Rig) -> Result<()>;

pub fn group() -> Group<Rig> {
    let tests: [(&str, Check); 5] = [
        ("etcd: whatever is killed, one is active again", |rig| killed(rig, "etcd-killed", &etcd("killed"))),
        ("Lease: whatever is killed, one is active again", |rig| killed(rig, "lease-killed", &lease(rig, "killed")?)),
        ("etcd: what others do to the record", |rig| written(rig, &etcd("written"))),
        ("Lease: a hand-over takes less than a second", |rig| handed_over(rig, &lease(rig, "handed-over")?)),
        ("a lease that is too short is found out", |rig| too_short(rig, &etcd("too-short"))),
    ];
    let tests = tests.into_iter().map(|(name, run)| Test::new(name, run)).collect();
    Group { name: "arena", side_by_side: 5, tests }
}

/// Each part of the active replica, and all of them.
fn killed(rig: &Rig, name: &str, lock: &str) -> Result<()> {
    let mut arena = Arena::new(lock.to_owned(), SHORTEST, rig.work.join(name), 3)?;
    arena.until_next(0)?;
    let rounds = if is_long() { 50 } else { 2 };
    for round in 0..rounds {
        for part in [Some(Part::Keeper), Some(Part::Elector), Some(Part::Command), None] {
            after(&mut arena, |arena, replica| match part {
                Some(part) => arena.signals(replica, part, Signal::SIGKILL),
                None => [Part::Parent, Part::Keeper, Part::Elector, Part::Command]
                    .into_iter()
                    .try_for_each(|part| arena.signals(replica, part, Signal::SIGKILL)),
            })
            .with_context(|| format!("round {round}, {part:?} is killed"))?;
        }
        for part in [Part::Keeper, Part::Elector] {
            after(&mut arena, |arena, replica| {
                arena.signals(replica, part, Signal::SIGSTOP)?;
                sleep(arena.lease() + Duration::from_secs(1));
                arena.signals(replica, part, Signal::SIGCONT)
            })
            .with_context(|| format!("round {round}, {part:?} is stopped"))?;
        }
    }
    judged(name, &arena, 6 * rounds)?;
    let longest = gaps(&arena.lives()?).into_iter().max().unwrap_or_default();
    ensure!(longest < arena.lease() + ROOM, "a failover took {longest:?}");
    Ok(())
}

/// Deleted, emptied, overwritten with something else and then deleted.
fn written(rig: &Rig, lock: &str) -> Result<()> {
    let mut arena = Arena::new(lock.to_owned(), SHORTEST, rig.work.join("etcd-written"), 3)?;
    arena.until_next(0)?;
    let key = lock.rsplit_once("2379/").context("a key")?.1.to_owned();
    let put =
        |value: &[u8]| rig.runtime.block_on(async { Etcd::client()?.write([(key.clone(), value.to_vec())]).await });
    after(&mut arena, |_, _| put(b""))?;
    after(&mut arena, |arena, _| {
        put(b"{\"holder\":\"somebody\"}")?;
        sleep(arena.lease() * 2);
        put(b"")
    })?;
    judged("etcd-written", &arena, 2)
}

/// SIGTERM to the active one.
fn handed_over(rig: &Rig, lock: &str) -> Result<()> {
    let mut arena = Arena::new(lock.to_owned(), DEFAULT, rig.work.join("handed-over"), 3)?;
    arena.until_next(0)?;
    let rounds = if is_long() { 100 } else { 5 };
    for _ in 0..rounds {
        after(&mut arena, |arena, replica| arena.signals(replica, Part::Parent, Signal::SIGTERM))?;
    }
    judged("handed-over", &arena, rounds)?;
    let longest = gaps(&arena.lives()?).into_iter().max().unwrap_or_default();
    ensure!(longest < Duration::from_secs(1), "a hand-over took {longest:?}");
    Ok(())
}

/// The control: replicas that do not wait as long as the active one may live.
fn too_short(rig: &Rig, lock: &str) -> Result<()> {
    let mut arena = Arena::new(lock.to_owned(), TOO_SHORT, rig.work.join("too-short"), 3)?;
    arena.until_next(0)?;
    for _ in 0..3 {
        after(&mut arena, |arena, replica| arena.signals(replica, Part::Elector, Signal::SIGSTOP))?;
    }
    let found = faults(&arena.lives()?);
    ensure!(!found.is_empty(), "two commands have lived, and the checker has not seen it: {:?}", arena.lives()?);
    Ok(())
}

/// Something happens to the active one, and then another command begins.
fn after(arena: &mut Arena, happens: impl FnOnce(&Arena, u64) -> Result<()>) -> Result<()> {
    // Long enough that it has renewed.
    sleep(Duration::from_millis(700));
    let lives = arena.lives()?;
    let active = lives.last().context("nobody was ever active")?;
    happens(arena, active.replica)?;
    arena.until_next(lives.len())?;
    Ok(())
}

fn judged(name: &str, arena: &Arena, failovers: usize) -> Result<()> {
    let lives = arena.lives()?;
    let found = faults(&lives);
    ensure!(found.is_empty(), "two commands have lived at the same time: {found:?}");
    ensure!(lives.len() > failovers, "{} lives after {failovers} failovers", lives.len());
    let mut gaps = gaps(&lives);
    gaps.sort_unstable();
    let at = |percent: usize| gaps.get(gaps.len() * percent / 100).or(gaps.last()).copied().unwrap_or_default();
    eprintln!(
        "{name}: {} commands, one after the other; without one for {:.1?} at p50, {:.1?} at most",
        lives.len(),
        at(50),
        at(100)
    );
    Ok(())
}

fn etcd(key: &str) -> String {
    format!("etcd://127.0.0.1:2379/arena/{key}")
}

fn lease(rig: &Rig, namespace: &str) -> Result<String> {
    let token = rig.runtime.block_on(rig.account(namespace, "get,create,update", None))?;
    rig.lease_lock(namespace, "broker", &token)
}

/// The shortest that is accepted: a lease of 2 s.
const SHORTEST: Timing = Timing {
    flags: &["--tolerate-outage", "200ms", "--lost-grace", "200ms", "--renew", "200ms"],
    lease: 2000,
    is_weak: false,
};
/// For a machine that is busy with the other tests.
const ROOM: Duration = Duration::from_secs(2);
const DEFAULT: Timing = Timing { flags: &[], lease: 15_000, is_weak: false };
/// The command may live for 0.6 s after a renewal, and is thought dead after 0.2 s.
const TOO_SHORT: Timing = Timing { lease: 200, is_weak: true, ..SHORTEST };
