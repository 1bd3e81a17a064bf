//! The program as it is run: where manifests come from, exit codes, and what it does where the system does not play along.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::broken::LEDGER;

#[test]
fn exit_codes_tell_what_was_found() {
    let at = folder("codes");
    let fine = LEDGER.replace("replicas: 3", "replicas: 1");
    let warned = fine.replace("StatefulSet", "Deployment");
    let asks = LEDGER.replace("kind: StatefulSet", "kind: ReplicaSet").replace(
        "labels:\n    singleton",
        "ownerReferences: [{apiVersion: apps/v1, kind: Deployment, name: web, uid: '1', controller: true}]\n  labels:\n    singleton",
    );
    for (name, text) in [
        ("fine.yaml", fine.as_str()),
        ("warned.yaml", &warned),
        ("refused.yaml", LEDGER),
        ("asks.yaml", &asks),
        ("broken.yaml", "a: b: c"),
    ] {
        fs::write(at.join(name), text).unwrap();
    }
    for (arguments, code) in [
        ("check fine.yaml", 0),
        ("check warned.yaml", 0),
        ("check --warnings-as-errors warned.yaml", 1),
        ("check asks.yaml", 0),
        ("check --strict asks.yaml", 1),
        ("check refused.yaml", 1),
        ("check broken.yaml", 2),
        ("check refused.yaml broken.yaml", 2),
        ("check refused.yaml nowhere.yaml", 2),
        ("check --config nowhere.yaml fine.yaml", 2),
        ("check --config fine.yaml fine.yaml", 2),
        ("check", 2),
        ("chekc fine.yaml", 2),
        ("--version", 0),
        ("check --help", 0),
    ] {
        let done = run(&at, arguments, "");
        assert_eq!(done.status.code(), Some(code), "{arguments}: {done:?}");
    }
    let done = run(&at, "check -", LEDGER);
    assert_eq!((done.status.code(), stdout(&done).contains("--> <stdin>:9:13")), (Some(1), true), "{done:?}");
    let done = run(&at, "check -o json -n shop -", LEDGER);
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(report["findings"][0]["object"]["namespace"], "shop", "{report:#}");
    assert_eq!(report["findings"][0]["at"]["line"], 9, "{report:#}");
    assert_eq!(report["summary"]["refused"], 1, "{report:#}");
}

/// A folder is walked in the order of its names, as far as there are manifests in it.
#[test]
fn folders_are_walked() {
    let at = folder("walk");
    fs::create_dir_all(at.join("deploy/more")).unwrap();
    fs::create_dir_all(at.join("deploy/.git")).unwrap();
    for name in ["deploy/b.yaml", "deploy/a.yml", "deploy/more/c.json", "deploy/.git/d.yaml", "deploy/e.txt"] {
        fs::write(at.join(name), LEDGER).unwrap();
    }
    let done = run(&at, "check deploy", "");
    let files: Vec<_> =
        stdout(&done).lines().filter_map(|line| line.trim().strip_prefix("--> ")).map(str::to_owned).collect();
    assert_eq!(files, ["deploy/a.yml:9:13", "deploy/b.yaml:9:13", "deploy/more/c.json:9:13"]);
}

/// What the system has in store: each is named, none stops the rest, and the exit code is 2.
#[test]
fn what_is_no_file_is_named() {
    let at = folder("odd");
    fs::create_dir_all(at.join("loop/below")).unwrap();
    symlink("..", at.join("loop/below/back")).unwrap();
    symlink("nowhere", at.join("loop/gone.yaml")).unwrap();
    let _socket = UnixListener::bind(at.join("loop/socket.yaml")).unwrap();
    fs::write(at.join("loop/latin.yaml"), b"a: 1\nb: \xe4\n").unwrap();
    fs::write(at.join("loop/utf16.yaml"), b"\xff\xfea\0").unwrap();
    fs::write(at.join("loop/ledger.yaml"), LEDGER).unwrap();
    let large = fs::File::create(at.join("loop/large.yaml")).unwrap();
    large.set_len((64 << 20) + 1).unwrap();
    let done = run(&at, "check loop loop/socket.yaml", "");
    let told = stdout(&done);
    assert_eq!(done.status.code(), Some(2), "{told}");
    for (name, why) in [
        ("loop/below/back", "leads back into a folder that it is in"),
        ("loop/gone.yaml", "there is no such file"),
        ("loop/socket.yaml", "it is neither a file nor a folder"),
        ("loop/latin.yaml", "line 2 has other bytes"),
        ("loop/utf16.yaml", "UTF-16"),
        ("loop/large.yaml", "more than 64 MiB"),
    ] {
        assert!(
            told.contains(&format!("{why}\n--> {name}")) || told.contains(why) && told.contains(name),
            "{name}: {told}"
        );
    }
    assert!(told.contains("refused[SG001]"), "{told}");
    assert!(told.contains("7 unreadable, 1 refused"), "{told}");
}

/// A pipe that was named is read, as in `check <(helm template .)`; and one that nobody reads any more ends it in silence.
#[test]
fn pipes_are_pipes() {
    let at = folder("pipes");
    fs::write(at.join("ledger.yaml"), LEDGER).unwrap();
    let program = env!("CARGO_BIN_EXE_kubectl-singleton_guard");
    let shell = |script: &str| Command::new("bash").args(["-c", script]).current_dir(&at).output().unwrap();
    let done = shell(&format!("{program} check <(cat ledger.yaml)"));
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let done = shell(&format!("{program} check ledger.yaml | true; echo ${{PIPESTATUS[0]}}"));
    assert_eq!((stdout(&done).as_str(), done.stderr.is_empty()), ("1\n", true), "{done:?}");
}

/// No colours where nobody looks, and where they are not wanted.
#[test]
fn colours_are_for_terminals() {
    let at = folder("colours");
    fs::write(at.join("ledger.yaml"), LEDGER).unwrap();
    let has_colours = |arguments: &str| stdout(&run(&at, arguments, "")).contains('\u{1b}');
    assert!(!has_colours("check ledger.yaml"));
    assert!(has_colours("check --color always ledger.yaml"));
    assert!(!has_colours("check --color never ledger.yaml"));
    let on_a_terminal = |variable: &str| {
        let command = format!("{} check ledger.yaml", env!("CARGO_BIN_EXE_kubectl-singleton_guard"));
        let done = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .env(variable, "1")
            .env("TERM", "xterm")
            .current_dir(&at)
            .output();
        // Of util-linux; where it is not there nothing is shown.
        done.map(|done| stdout(&done).contains("\u{1b}[")).ok()
    };
    assert_ne!(on_a_terminal("UNUSED"), Some(false));
    assert_ne!(on_a_terminal("NO_COLOR"), Some(true));
}

pub fn run(at: &Path, arguments: &str, input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-singleton_guard"));
    command.args(arguments.split(' ')).current_dir(at);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

pub fn stdout(done: &Output) -> String {
    String::from_utf8(done.stdout.clone()).unwrap()
}

/// A folder of its own, empty.
pub fn folder(name: &str) -> PathBuf {
    let at = Path::new(env!("CARGO_TARGET_TMPDIR")).join("check").join(name);
    let _none_yet = fs::remove_dir_all(&at);
    fs::create_dir_all(&at).unwrap();
    at
}
