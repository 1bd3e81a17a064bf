//! Whatever is wrong in a review: what the API server's own JSON library and one page of Go refuse, we never allow; and
//! what holds for any bytes holds.
//!
//! The reference is built once, by Go, into the user's cache directory. Where it is not there and cannot be built, the
//! comparison fails, in the words of what went wrong. What holds for any bytes needs no reference.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::mangled::{mangled, recorded};
use crate::lab::go_program;
use crate::targets;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// See `tests/reference/main.go`.
#[test]
fn what_the_reference_refuses_we_never_allow() -> Result<(), String> {
    let root = crate::root();
    let program = program(root)?;
    let bodies = bodies(root)?;
    let answers = answers(&program, &bodies)?;
    let refused: Vec<_> =
        bodies.iter().zip(&answers).filter(|(_, answer)| **answer == b'd').map(|(body, _)| body).collect();
    // Both sides of the comparison have to occur, or it compares nothing.
    let allowed = bodies.len() - refused.len();
    assert!(
        answers.len() == bodies.len() && refused.len() >= bodies.len() / 10 && allowed >= bodies.len() / 10,
        "{} answers to {}: {} refused",
        answers.len(),
        bodies.len(),
        refused.len()
    );
    match refused.iter().filter(|body| targets::allowed(body)).min_by_key(|body| body.len()) {
        Some(body) => Err(format!("refused by the reference, allowed by us: {}", String::from_utf8_lossy(body))),
        None => Ok(()),
    }
}

/// The targets of the fuzzers, on reviews that are nearly right.
#[test]
fn what_holds_for_any_bytes_holds() -> Result<(), String> {
    for body in bodies(crate::root())? {
        targets::read(&body);
        targets::decide(&body);
        targets::patch(&body);
        targets::watch(&body);
        // Its object, as a watch would tell of it.
        if let Ok(review) = serde_json::from_slice::<Value>(&body) {
            let line = json!({"type": "MODIFIED", "object": review["request"]["object"]});
            targets::watch(line.to_string().as_bytes());
        }
    }
    Ok(())
}

/// Builds the reference if it is not there. To be called where there is a network.
pub fn program(root: &Path) -> Result<PathBuf, String> {
    go_program::build(root, "reference")
}

/// The recorded reviews as they are, and many that are wrong; the same ones each time.
fn bodies(root: &Path) -> Result<Vec<Vec<u8>>, String> {
    let reviews = recorded(root)?;
    let count = if std::env::var_os("LONG").is_some_and(|value| value == "1") { 100_000 } else { 4_000 };
    let mut bodies: Vec<_> = reviews.iter().map(|review| review.to_string().into_bytes()).collect();
    let strategy = mangled(reviews);
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    for _ in 0..count {
        bodies.push(strategy.new_tree(&mut runner).map_err(|reason| reason.to_string())?.current());
    }
    Ok(bodies)
}

/// One byte for each body.
fn answers(program: &Path, bodies: &[Vec<u8>]) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", program.display());
    let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().map_err(failed)?;
    let mut input = child.stdin.take().ok_or("no input")?;
    let output = std::thread::scope(|scope| {
        // It answers at the end, so nobody waits for anybody.
        scope.spawn(move || {
            for body in bodies {
                let length = u32::try_from(body.len()).expect("short").to_be_bytes();
                input.write_all(&length).and_then(|()| input.write_all(body)).expect("the reference reads on");
            }
        });
        child.wait_with_output()
    });
    Ok(output.map_err(failed)?.stdout)
}
