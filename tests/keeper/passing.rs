//! What passes through as through a good init: exit status, standard streams, signals, environment, and a clean slate.

use std::fs::File;
use std::io::Read as _;
use std::time::Duration;

use nix::sys::signal::Signal;
use singleton_guard::elect::exit;
use singleton_guard::elect::wire::{ToElector, ToKeeper};

use super::bench::{As, Bench, Check, Start, kill, same, within};
use super::roles;

/// For both forms.
pub(super) const CHECKS: &[(&str, Check)] = &[
    ("the exit status is the command's own", statuses),
    ("standard input and output are the command's", streams),
    ("signals are passed on, once each", signals),
    ("SIGTERM asks for the end, which the command may take its time for", asked),
    ("asked before there is a command, it ends with success", asked_early),
    ("the elector's own exit status counts before there is a command", elector_ends),
    ("the command has no blocked and no ignored signals", clean_slate),
    ("what nohup has switched off stays off", nohup),
    ("the command gets the token, the lock and its name", environment),
    ("the command gains no privileges, unless it may", privileges),
    ("the command has none of our descriptors", descriptors),
];

fn statuses(form: As) -> Result<(), String> {
    let cases: [(&[&str], u8); 5] = [
        (&["true"], 0),
        (&["sh", "-c", "exit 7"], 7),
        (&["sh", "-c", "kill -USR1 $$"], 138),
        (&["there-is-no-such-command"], exit::NOT_FOUND),
        (&["/etc/passwd"], exit::NOT_EXECUTABLE),
    ];
    for (command, status) in cases {
        let mut bench = Bench::running(form, command);
        same("how the command ended", bench.gone()?, status)?;
        same("exit status", bench.exit()?, i32::from(status))?;
    }
    Ok(())
}

fn streams(form: As) -> Result<(), String> {
    let mut start = Start::new(form, &["sh", "-c", "cat; echo heard"]);
    let given = std::env::temp_dir().join(format!("keeper-input-{}-{form:?}", std::process::id()));
    std::fs::write(&given, "said\n").unwrap();
    start.input = File::open(&given).unwrap().into();
    let mut bench = start.go();
    bench.run(Duration::from_secs(30));
    bench.gone()?;
    same("exit status", bench.exit()?, 0)?;
    let mut text = String::new();
    bench.process.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    std::fs::remove_file(given).unwrap();
    same("what the command wrote", text.as_str(), "said\nheard\n")
}

fn signals(form: As) -> Result<(), String> {
    let names = ["INT", "HUP", "QUIT", "USR1", "USR2", "WINCH"];
    let traps = names.map(|name| format!("trap 'echo {name} >> came' {name};")).concat();
    let mut bench = Bench::running(form, &["sh", "-c", &format!("{traps} echo > ready; while :; do sleep 0.02; done")]);
    bench.written("ready")?;
    for (number, name) in names.iter().enumerate() {
        kill(bench.front(form), format!("SIG{name}").parse().unwrap());
        within(name, || (bench.file("came").lines().count() > number).then_some(()))?;
    }
    if form == As::Child {
        // What is sent to our whole group comes to the keeper from its parent alone.
        let group = |name| rustix::process::getpgid(rustix::process::Pid::from_raw(bench.part(name))).unwrap();
        same("one group for both", group("keeper") == group("parent"), false)?;
    }
    bench.tell(ToKeeper::Stop { grace: 1_000_000_000 });
    bench.gone()?;
    let came = bench.file("came");
    same("what came", came.lines().collect::<Vec<_>>(), names.to_vec())?;
    same("exit status", bench.exit()?, 143)
}

fn asked(form: As) -> Result<(), String> {
    let slow = "trap 'sleep 0.3; exit 9' TERM; echo > ready; while :; do sleep 0.02; done";
    let mut bench = Bench::running(form, &["sh", "-c", slow]);
    bench.written("ready")?;
    kill(bench.front(form), Signal::SIGTERM);
    same("what the keeper says", bench.hear(), ToElector::StopAsked)?;
    same("how the command ended", bench.gone()?, 9)?;
    same("exit status", bench.exit()?, 9)
}

fn asked_early(form: As) -> Result<(), String> {
    let mut bench = Start::new(form, &["sh", "-c", "echo > ran"]).go();
    kill(bench.front(form), Signal::SIGTERM);
    same("what the keeper says", bench.hear(), ToElector::StopAsked)?;
    // It may have become active at the same moment; then there is nothing to wait for.
    bench.tell(ToKeeper::Run { until: u64::MAX, token: 1, term: 1 });
    same("the answer", bench.hear(), ToElector::Gone { status: 0 })?;
    same("exit status", bench.exit()?, 0)?;
    same("whether it ran", bench.directory.join("ran").exists(), false)
}

fn elector_ends(form: As) -> Result<(), String> {
    let mut start = Start::new(form, &["true"]);
    start.environment = &[(roles::STATUS, "69")];
    same("exit status", start.go().exit()?, i32::from(exit::UNAVAILABLE))?;
    let mut bench = Start::new(form, &["true"]).go();
    kill(bench.part("elector"), Signal::SIGKILL);
    same("exit status when it was killed", bench.exit_by_itself()?, i32::from(exit::LOST))
}

/// Writes of /proc/self/status what is blocked and what is ignored, of the 28 signals below SIGPOLL. The C library has its
/// own with higher numbers.
const MASKS: &str = r"s/^Sig(Blk|Ign):.*(.{7})$/\1 \2/w masks";

fn clean_slate(form: As) -> Result<(), String> {
    let mut start = Start::new(form, &["sed", "-nE", MASKS, "/proc/self/status"]);
    // A careless parent: without a reset nobody would learn how the command ended.
    start.under = "exec env --ignore-signal=CHLD --block-signal=TERM \"$0\" \"$@\";";
    let mut bench = start.go();
    bench.run(Duration::from_secs(30));
    same("how the command ended", bench.gone()?, 0)?;
    same("masks", bench.file("masks").as_str(), "Blk 0000000\nIgn 0000000\n")?;
    same("exit status", bench.exit()?, 0)
}

fn nohup(form: As) -> Result<(), String> {
    let mut start = Start::new(form, &["sed", "-nE", MASKS, "/proc/self/status"]);
    start.under = "trap '' HUP;";
    let mut bench = start.go();
    kill(bench.front(form), Signal::SIGHUP);
    bench.run(Duration::from_secs(30));
    same("how the command ended", bench.gone()?, 0)?;
    same("masks", bench.file("masks").as_str(), "Blk 0000000\nIgn 0000001\n")?;
    same("exit status", bench.exit()?, 0)
}

fn environment(form: As) -> Result<(), String> {
    let print = ["sh", "-c", "echo $ELECT_TOKEN $(cat $ELECT_TOKEN_FILE) $ELECT_LOCK $ELECT_IDENTITY > given"];
    let mut start = Start::new(form, &print);
    start.environment = &[(roles::TOKEN_FILE, "token"), ("ELECT_TOKEN", "1")];
    let mut bench = start.go();
    bench.run(Duration::from_secs(30));
    bench.gone()?;
    same("what was given", bench.file("given").as_str(), "48213 48213 lease://here/broker broker-0\n")?;
    same("exit status", bench.exit()?, 0)
}

fn privileges(form: As) -> Result<(), String> {
    let print = ["sh", "-c", "grep NoNewPrivs /proc/self/status | tr -d '\\t' > privileges"];
    let cases: [(&[(&str, &str)], &str); 2] =
        [(&[], "NoNewPrivs:1\n"), (&[(roles::PRIVILEGES, "1")], "NoNewPrivs:0\n")];
    for (environment, expected) in cases {
        let mut start = Start::new(form, &print);
        start.environment = environment;
        let mut bench = start.go();
        bench.run(Duration::from_secs(30));
        bench.gone()?;
        same("privileges", bench.file("privileges").as_str(), expected)?;
        same("exit status", bench.exit()?, 0)?;
    }
    Ok(())
}

fn descriptors(form: As) -> Result<(), String> {
    let mut start = Start::new(form, &["sh", "-c", "ls /proc/$$/fd > open"]);
    // What we inherit, as from a lock of whoever runs this test, the command inherits too.
    start.under = "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-;";
    let mut bench = start.go();
    bench.run(Duration::from_secs(30));
    bench.gone()?;
    let found: Vec<i32> = bench.file("open").split_whitespace().map(|number| number.parse().unwrap()).collect();
    // A shell may keep its own copy of one that it redirects, from 10 on.
    let ours: Vec<i32> = found.into_iter().filter(|number| (3..10).contains(number)).collect();
    same("further descriptors", ours, vec![])?;
    same("exit status", bench.exit()?, 0)
}
