//! What must hold for any bytes, as plain functions that panic where it does not: a property drives them on stable Rust,
//! cargo-fuzz on nightly.
//!
//! ```text
//! cargo +nightly fuzz run --fuzz-dir tests/fuzz read|decide|patch|watch
//! ```
//!
//! They know the public rooms only, and take nothing but bytes.

use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;
use singleton_guard::api::kind::{Kind, Kinds};
use singleton_guard::api::mark::MarkKey;
use singleton_guard::api::reference::Regarding;
use singleton_guard::cluster::line::{Line, Object};
use singleton_guard::cluster::seen::Nothing;
use singleton_guard::cluster::sieve::{Keep, Malformed, Part, Sieve};
use singleton_guard::freshness::change::{self, Change};
use singleton_guard::index::marked::{self, Marked, WorkloadSpec, WorkloadStatus};
use singleton_guard::policy::decision::Decision;
use singleton_guard::policy::holder::{Holder, State};
use singleton_guard::policy::lookup::{Found, Lookup, Owner, Unknown};
use singleton_guard::policy::request::Phase;
use singleton_guard::policy::{Step, evaluate};
use singleton_guard::review;
use singleton_guard::settings::Settings;

/// Reading ends in a review or in words, and the uid is the one that a general parser finds.
pub fn read(body: &[u8]) {
    let parsed = serde_json::from_slice::<Value>(body).ok();
    let expected = parsed.as_ref().and_then(|review| review["request"]["uid"].as_str());
    match review::read(body, Kinds::BUILT_IN) {
        Ok(review) => {
            // Too deep for the general parser is not too deep for us.
            assert!(parsed.is_none() || expected == Some(&*review.uid), "another uid: {}", &*review.uid);
        }
        Err(unreadable) => assert!(!unreadable.cause.is_empty(), "refused without a word"),
    }
}

/// Whatever the cluster says, the answer is a whole one: with the uid, in words where it refuses, with a patch only
/// where one may be.
pub fn decide(body: &[u8]) {
    for phase in [Phase::Mutate, Phase::Validate] {
        for (uid, decision) in decisions(phase, body) {
            let answer: Value = serde_json::from_slice(&review::write(&uid, &decision)).expect("an answer is JSON");
            let response = &answer["response"];
            assert_eq!(response["uid"], uid);
            let allowed = response["allowed"] == true;
            assert!(allowed || phase == Phase::Validate, "refused while mutating: {answer}");
            assert!(response["patch"].is_null() || phase == Phase::Mutate, "a patch while validating: {answer}");
            let message = response["status"]["message"].as_str().unwrap_or_default();
            assert!(allowed || !message.is_empty() && message.chars().count() <= 250, "not a line: {answer}");
        }
    }
}

/// A patch changes nothing but the few fields that we ever complete, applies to the object it was made for, and leaves
/// nothing to patch.
pub fn patch(body: &[u8]) {
    let Ok(mut review) = serde_json::from_slice::<Value>(body) else { return };
    let Some(patch) = patch_for(body) else { return };
    let ours = |path: &str| COMPLETED.contains(&path);
    assert!(patch.iter().all(|operation| ours(operation.path().as_str())), "{patch:?}");
    json_patch::patch(&mut review["request"]["object"], &patch).expect("the patch applies");
    let again = patch_for(review.to_string().as_bytes());
    assert!(again.is_none(), "{patch:?} and then {again:?}");
}

/// What comes out of a watch does not depend on how it is cut into pieces, is bounded for each line, and is read or not
/// read, but never a panic.
pub fn watch(stream: &[u8]) {
    let mark = MarkKey::default();
    let whole = Line::<WorkloadSpec, WorkloadStatus>::keep(&marked::keep(Kind::REPLICA_SET, &mark));
    let name = Line::<Nothing, Nothing>::keep(&change::keep(&mark));
    for keep in [&whole, &name] {
        let expected = sieved(keep, stream, stream.len());
        for size in [1, 7] {
            assert_eq!(sieved(keep, stream, size), expected, "in pieces of {size}");
        }
        for line in expected.0 {
            assert!(line.len() <= LINE_MAX, "{} bytes came out of one line", line.len());
            if let Ok(Line::Is(Object::Read(seen))) = Line::<Nothing, Nothing>::read(&line) {
                let _event = Change::written(seen.metadata, &mark);
            }
            if let Ok(Line::Is(Object::Read(seen))) = Line::<WorkloadSpec, WorkloadStatus>::read(&line) {
                let _marked = Marked::read(seen, Kind::REPLICA_SET, &mark, "stamp", UNIX_EPOCH);
            }
        }
    }
}

/// The lines that come out, and whether the stream was JSON.
fn sieved(keep: &Keep, stream: &[u8], size: usize) -> (Vec<Vec<u8>>, bool) {
    let (mut sieve, mut lines) = (Sieve::new(keep), Vec::new());
    for piece in stream.chunks(size.max(1)) {
        let pushed = sieve.push(piece, |part| {
            let (Part::Item(line) | Part::Value(line)) = part;
            lines.push(line.to_vec());
            Ok::<(), Malformed>(())
        });
        if pushed.is_err() {
            return (lines, false);
        }
    }
    (lines, true)
}

/// Whether a review passes while every other object is a singleton. What gets no answer does not: the call has failed.
pub fn allowed(body: &[u8]) -> bool {
    let decisions = decisions(Phase::Validate, body);
    decisions.first().is_some_and(|(_, decision)| decision.allowed())
}

/// The decision for each answer that the cluster could give, the one that refuses most first; and for some that answer
/// another question.
fn decisions(phase: Phase, body: &[u8]) -> Vec<(String, Decision)> {
    let now = UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let step = || {
        let review = review::read(body, Kinds::BUILT_IN)?;
        Ok::<_, review::Unreadable>((
            review.uid.to_string(),
            evaluate(phase, review.request, &Settings::default(), now),
        ))
    };
    match step() {
        Ok((uid, Step::Decided(decision))) => vec![(uid, decision)],
        Ok((_, Step::Ask(lookup, _))) => {
            let owners = |owner| Found::Owners { before: Some(owner), after: Some(owner) };
            let holder = |state| {
                let node = "n".repeat(100);
                [true, false].map(|is_strict| {
                    Found::Holder(Some(Holder { node: node.clone(), is_strict, state, controller: String::new() }))
                })
            };
            let mut found = vec![
                Found::Parent { marked: true, owner: None, custom: None },
                owners(Owner::Marked),
                Found::Parent { marked: false, owner: Some(Owner::Marked), custom: None },
                owners(Owner::Gone),
            ];
            let long = Duration::MAX;
            let states = [State::Stays, State::Ends(long), State::Ended, State::Lingers(long), State::Finalizes(long)];
            let holders = states.into_iter().flat_map(holder).chain([Found::Holder(None)]);
            if matches!(lookup, Lookup::Target(_)) {
                let long = "n".repeat(253);
                found.insert(0, Found::Target(Some(Regarding::workload(Kind::DEPLOYMENT, &long, &long, ""))));
            }
            let at = if matches!(lookup, Lookup::Holder(_)) { 0 } else { found.len() };
            found.splice(at..at, holders);
            let found = found.into_iter().map(Ok).chain([Err(Unknown::Busy)]);
            let resumed = found.filter_map(|found| match step() {
                Ok((uid, Step::Ask(_, pending))) => Some((uid, pending.resume(found))),
                _ => None,
            });
            resumed.collect()
        }
        Err(_) => Vec::new(),
    }
}

fn patch_for(body: &[u8]) -> Option<json_patch::Patch> {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let (uid, decision) = decisions(Phase::Mutate, body).into_iter().next()?;
    let answer: Value = serde_json::from_slice(&review::write(&uid, &decision)).expect("an answer is JSON");
    let patch = BASE64_STANDARD.decode(answer["response"]["patch"].as_str()?).expect("base64");
    Some(serde_json::from_slice(&patch).expect("a JSON patch"))
}

/// More than the bounds of all that is kept of an object, in sum.
const LINE_MAX: usize = 512 << 10;
/// What is ever completed: of a workload, of a strict one, and of its Pod.
const COMPLETED: [&str; 4] =
    ["/spec/strategy", "/spec/serviceName", "/spec/template/metadata/labels/singleton-guard.io~1key", "/metadata/name"];
