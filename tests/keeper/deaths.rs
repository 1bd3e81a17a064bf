//! Nothing of the command is alive after `Gone` or after our end, whatever it has done, and whoever of us has died.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use singleton_guard::elect::exit;
use singleton_guard::elect::wire::{ToElector, ToKeeper};

use super::bench::{As, Bench, Check, Start, kill, rounds, same, within};

/// For both forms.
pub(super) const CHECKS: &[(&str, Check)] = &[
    ("daemons that double-fork, take a session and ignore SIGTERM are gone", daemons),
    ("what a command leaves behind ends with it", left_behind),
    ("200 children of 200 sessions are gone", crowd),
    ("a tree of four levels is gone", tree),
    ("zombies are reaped while the command runs", zombies),
    ("the elector is killed: the command ends", elector_killed),
    ("the elector is stopped: the command ends in time", elector_stopped),
    ("the keeper is stopped: the elector ends the command", keeper_stopped),
    ("a command that becomes another user is gone", another_user),
];

/// Only where there is a parent. Nobody in its namespace can kill process 1.
pub(super) const OF_CHILDREN: &[(&str, Check)] = &[
    ("the keeper is killed: nothing is left", keeper_killed),
    ("the keeper and the elector are killed: nothing is left", both_killed),
    ("the parent is killed: the command is asked to end", parent_killed),
    ("all three of us are killed: so is the command's first process", all_killed),
];

/// Five daemons, which nobody asked for longer than a moment.
const DAEMONS: &str =
    "for i in 1 2 3 4 5; do (setsid sh -c 'trap \"\" TERM HUP INT; while :; do sleep 1; done' &) ; done;";

fn daemons(form: As) -> Result<(), String> {
    for _ in 0..rounds(500) {
        let mut bench = Bench::running(form, &["sh", "-c", &format!("{DAEMONS} sleep 1000")]);
        bench.grown(7)?;
        bench.tell(ToKeeper::Stop { grace: 100_000_000 });
        same("how the command ended", bench.gone()?, 143)?;
        same("exit status", bench.exit()?, 143)?;
    }
    Ok(())
}

fn left_behind(form: As) -> Result<(), String> {
    let mut bench = Bench::running(form, &["sh", "-c", &format!("{DAEMONS} sleep 0.2; exit 3")]);
    same("how the command ended", bench.gone()?, 3)?;
    same("exit status", bench.exit()?, 3)
}

fn crowd(form: As) -> Result<(), String> {
    let crowd = "i=0; while [ $i -lt 200 ]; do setsid sh -c 'trap \"\" TERM; sleep 1000' & i=$((i+1)); done; wait";
    let mut bench = Bench::running(form, &["sh", "-c", crowd]);
    bench.grown(200)?;
    let begun = Instant::now();
    bench.tell(ToKeeper::Stop { grace: 0 });
    bench.gone()?;
    println!("{form}: 200 sessions gone in {:?}", begun.elapsed());
    // SIGTERM and SIGKILL come at once, and either may be the first that it notices.
    same("killed", [137, 143].contains(&bench.exit()?), true)
}

fn tree(form: As) -> Result<(), String> {
    let deaf = "trap '' TERM;";
    let third = format!("{deaf} setsid sleep 1000 & setsid sleep 1000 & wait");
    let second = format!("{deaf} setsid sh -c \"$THIRD\" & setsid sh -c \"$THIRD\" & wait");
    let first = format!("{deaf} setsid sh -c \"$SECOND\" & setsid sh -c \"$SECOND\" & wait");
    let environment: &[(&str, &str)] = &[("THIRD", &third), ("SECOND", &second)];
    let command = ["sh", "-c", &first];
    let mut start = Start::new(form, &command);
    start.environment = environment;
    let mut bench = start.go();
    bench.run(Duration::from_secs(30));
    bench.grown(15)?;
    bench.tell(ToKeeper::Stop { grace: 50_000_000 });
    same("how the command ended", bench.gone()?, 137)?;
    same("exit status", bench.exit()?, 137)
}

fn zombies(form: As) -> Result<(), String> {
    // Orphans fall to the keeper, which has to take notice of each.
    let orphans = "i=0; while [ $i -lt 50 ]; do (sh -c 'exit 0' &) ; i=$((i+1)); done; touch made; exec sleep 1000";
    let mut bench = Bench::running(form, &["sh", "-c", orphans]);
    let keeper = bench.part(keeper(form));
    within("no zombies", || (bench.directory.join("made").exists() && zombies_below(keeper) == 0).then_some(()))?;
    bench.tell(ToKeeper::Stop { grace: 1_000_000_000 });
    bench.gone()?;
    same("exit status", bench.exit()?, 143)
}

fn elector_killed(form: As) -> Result<(), String> {
    let mut bench = Bench::running(form, &["sh", "-c", &format!("{DAEMONS} sleep 1000")]);
    bench.grown(7)?;
    kill(bench.part("elector"), Signal::SIGKILL);
    same("exit status", bench.exit_by_itself()?, i32::from(exit::LOST))
}

fn elector_stopped(form: As) -> Result<(), String> {
    let mut bench = Start::new(form, &["sh", "-c", &format!("{DAEMONS} sleep 1000")]).go();
    bench.run(Duration::from_millis(1500));
    bench.grown(7)?;
    kill(bench.part("elector"), Signal::SIGSTOP);
    same("exit status", bench.exit_by_itself()?, i32::from(exit::LOST))
}

fn keeper_stopped(form: As) -> Result<(), String> {
    let mut bench = Bench::running(form, &["sh", "-c", &format!("{DAEMONS} sleep 1000")]);
    bench.grown(7)?;
    kill(bench.part(keeper(form)), Signal::SIGSTOP);
    bench.let_elector_kill();
    within("an end by the elector", || bench.alive().is_empty().then_some(()))?;
    // Process 1 is not killed from inside. It goes on when it may, and finds that there will be no release.
    if form == As::Init {
        kill(bench.part(keeper(form)), Signal::SIGCONT);
    }
    same("exit status", bench.exit_by_itself()?, i32::from(exit::LOST))
}

fn another_user(form: As) -> Result<(), String> {
    if form == As::Init || !rustix::process::getuid().is_root() {
        println!("left out: there is no other user here");
        return Ok(());
    }
    let mut bench = Bench::running(form, &["setpriv", "--reuid", "65534", "--clear-groups", "sleep", "1000"]);
    bench.grown(1)?;
    bench.tell(ToKeeper::Stop { grace: 1_000_000_000 });
    same("how the command ended", bench.gone()?, 143)?;
    same("exit status", bench.exit()?, 143)
}

fn keeper_killed(_: As) -> Result<(), String> {
    let mut bench = Bench::running(As::Child, &["sh", "-c", &format!("{DAEMONS} sleep 1000")]);
    bench.grown(7)?;
    kill(bench.part("keeper"), Signal::SIGKILL);
    same("exit status", bench.exit_by_itself()?, i32::from(exit::LOST))
}

fn both_killed(_: As) -> Result<(), String> {
    let mut bench = Bench::running(As::Child, &["sh", "-c", &format!("{DAEMONS} sleep 1000")]);
    bench.grown(7)?;
    let (keeper, elector) = (bench.part("keeper"), bench.part("elector"));
    kill(keeper, Signal::SIGKILL);
    kill(elector, Signal::SIGKILL);
    same("exit status", bench.exit_by_itself()?, i32::from(exit::LOST))
}

fn parent_killed(_: As) -> Result<(), String> {
    let mut bench = Bench::running(As::Child, &["sh", "-c", &format!("{DAEMONS} sleep 1000")]);
    bench.grown(7)?;
    kill(bench.part("parent"), Signal::SIGKILL);
    same("what the keeper says", bench.hear(), ToElector::StopAsked)?;
    same("how the command ended", bench.gone()?, 143)?;
    same("exit status", bench.exit()?, -1)
}

fn all_killed(_: As) -> Result<(), String> {
    let bench = Bench::running(As::Child, &["sleep", "1000"]);
    bench.grown(1)?;
    let parts = ["parent", "keeper", "elector"].map(|name| bench.part(name));
    // None of them sees another one end.
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        for part in parts {
            kill(part, signal);
        }
    }
    within("the end of the command", || bench.alive().is_empty().then_some(()))
}

fn keeper(form: As) -> &'static str {
    if form == As::Init { "init" } else { "keeper" }
}

fn zombies_below(parent: i32) -> usize {
    let stats = std::fs::read_dir("/proc").unwrap().flatten();
    let stats = stats.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    stats.filter(|stat| stat.rsplit_once(')').unwrap().1.starts_with(&format!(" Z {parent} "))).count()
}
