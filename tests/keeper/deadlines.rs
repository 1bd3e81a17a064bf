//! The command is ended at its time, which needs no message; and once that has begun no message stops it.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use nix::sys::signal::Signal;
use singleton_guard::elect::exit;
use singleton_guard::elect::keeper::boottime;
use singleton_guard::elect::wire::{ToElector, ToKeeper};

use super::bench::{As, Bench, Check, Start, from_now, kill, rounds, same};
use super::roles::ROLE;

/// For both forms.
pub(super) const CHECKS: &[(&str, Check)] = &[
    ("silence: SIGKILL at the deadline, to the millisecond", on_time),
    ("renewals let it live, and are answered", renewed),
    ("what is lost stays lost, whatever comes after", lost),
    ("a deadline that is over starts nothing", too_late),
    ("a keeper that slept over its deadline kills when it wakes", overslept),
    ("who is asked to stop is killed after the stop grace, renewed or not", deaf),
    ("told that the lock is lost, it ends the command at once and says so", told_lost),
    ("a stop without grace cannot be taken back", at_once),
];

/// The clock is the same for the command, the keeper and the test.
fn on_time(form: As) -> Result<(), String> {
    let mut late: Vec<Duration> = (0..rounds(200)).map(|_| lateness(form)).collect::<Result<_, _>>()?;
    late.sort();
    let at = |part: usize| late[(late.len() * part / 100).min(late.len() - 1)];
    println!(
        "{form}: the last action was {:?} after the deadline of SIGKILL (median of {}), {:?} (99 %), {:?} (most)",
        at(50),
        late.len(),
        at(99),
        at(100)
    );
    // What is promised is the margin of a second. This is what a machine that is busy with other tests may take.
    same("late", at(100) > Duration::from_millis(500), false)
}

/// How long after its deadline a command still acts.
fn lateness(form: As) -> Result<Duration, String> {
    let program = std::env::current_exe().unwrap().display().to_string();
    let mut bench = Start::new(form, &[&program, ROLE, "clockwork", "ticks"]).go();
    let deadline = bench.run(Duration::from_millis(200)) + 300_000_000;
    let status = bench.gone()?;
    same("killed before its time", boottime() < deadline, false)?;
    same("how the command ended", status, 137)?;
    same("exit status", bench.exit()?, i32::from(exit::LOST))?;
    let ticks = fs::read(bench.directory.join("ticks")).unwrap();
    let last = ticks.chunks_exact(8).next_back().map(|tick| u64::from_le_bytes(tick.try_into().unwrap())).unwrap();
    Ok(Duration::from_nanos(last.saturating_sub(deadline)))
}

fn renewed(form: As) -> Result<(), String> {
    let mut bench = Start::new(form, &["sleep", "1000"]).go();
    bench.run(Duration::from_millis(800));
    for _ in 0..8 {
        sleep(Duration::from_millis(200));
        bench.tell(ToKeeper::Until { at: from_now(Duration::from_millis(800)) });
        same("the answer to a renewal", bench.hear(), ToElector::Alive)?;
        // A late copy takes nothing away.
        bench.tell(ToKeeper::Until { at: 1 });
        same("the answer to a late renewal", bench.hear(), ToElector::Alive)?;
    }
    bench.tell(ToKeeper::Stop { grace: 1_000_000_000 });
    same("how the command ended", bench.gone()?, 143)?;
    same("exit status", bench.exit()?, 143)
}

fn lost(form: As) -> Result<(), String> {
    let told = "trap 'echo told > told' TERM; while :; do sleep 0.05; done";
    let mut bench = Start::new(form, &["sh", "-c", told]).go();
    bench.run(Duration::from_millis(300));
    bench.written("told")?;
    bench.tell(ToKeeper::Until { at: from_now(Duration::from_secs(60)) });
    same("how the command ended", bench.gone()?, 137)?;
    same("exit status", bench.exit()?, i32::from(exit::LOST))
}

fn too_late(form: As) -> Result<(), String> {
    let mut bench = Start::new(form, &["sh", "-c", "echo > ran"]).go();
    bench.tell(ToKeeper::Run { until: from_now(Duration::ZERO), token: 1, term: 1 });
    same("the answer", bench.hear(), ToElector::Gone { status: 0 })?;
    same("whether it ran", bench.directory.join("ran").exists(), false)?;
    // Later it may still be told to.
    bench.run(Duration::from_secs(30));
    bench.gone()?;
    same("exit status", bench.exit()?, 0)
}

fn overslept(form: As) -> Result<(), String> {
    let mut bench = Start::new(form, &["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"]).go();
    bench.run(Duration::from_millis(300));
    let keeper = bench.part(if form == As::Init { "init" } else { "keeper" });
    kill(keeper, Signal::SIGSTOP);
    // SIGTERM, SIGKILL and the margin are over by then.
    sleep(Duration::from_millis(300 + 300 + 1000 + 200));
    bench.tell(ToKeeper::Until { at: 1 });
    kill(keeper, Signal::SIGCONT);
    same("how the command ended", bench.gone()?, 137)?;
    same("exit status", bench.exit()?, i32::from(exit::LOST))
}

fn deaf(form: As) -> Result<(), String> {
    let mut bench = Bench::running(form, &["sh", "-c", "trap '' TERM; echo > deaf; while :; do sleep 0.05; done"]);
    bench.written("deaf")?;
    kill(bench.front(form), Signal::SIGTERM);
    same("what the keeper says", bench.hear(), ToElector::StopAsked)?;
    bench.tell(ToKeeper::Until { at: from_now(Duration::from_secs(60)) });
    same("how the command ended", bench.gone()?, 137)?;
    same("exit status", bench.exit()?, 137)
}

fn at_once(form: As) -> Result<(), String> {
    let mut bench = Bench::running(form, &["sh", "-c", "trap '' TERM; echo > deaf; while :; do sleep 0.05; done"]);
    bench.written("deaf")?;
    bench.tell(ToKeeper::Stop { grace: 0 });
    bench.tell(ToKeeper::Stop { grace: 60_000_000_000 });
    bench.tell(ToKeeper::Until { at: from_now(Duration::from_secs(60)) });
    same("how the command ended", bench.gone()?, 137)?;
    same("exit status", bench.exit()?, 137)
}

fn told_lost(form: As) -> Result<(), String> {
    let mut bench =
        Bench::running(form, &["sh", "-c", "trap 'exit 0' TERM; echo > ready; while :; do sleep 0.02; done"]);
    bench.written("ready")?;
    bench.tell(ToKeeper::Lost);
    bench.tell(ToKeeper::Until { at: from_now(Duration::from_secs(60)) });
    same("how the command ended", bench.gone()?, 0)?;
    same("exit status", bench.exit()?, i32::from(exit::LOST))
}
