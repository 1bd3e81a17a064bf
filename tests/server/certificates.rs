//! Certificates and keys: made, read, checked, exchanged.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::{Error, InconsistentKeys};
use singleton_guard::certs::authority::{Maker, make, service_names};
use singleton_guard::certs::controller::{Controller, Provided, Source};
use singleton_guard::certs::lifetimes::Lifetimes;
use singleton_guard::certs::material::{Material, Next};
use singleton_guard::certs::plan::{Facts, Plan, Reason, Stored, plan};
use singleton_guard::certs::serving::{Pair, PairError, Serving};
use singleton_guard::certs::{Directory, facts, provider};
use singleton_guard::server::{GatedListener, Limits, Readiness};
use singleton_guard::telemetry::exposition::Exposition;
use singleton_guard::telemetry::metrics::Metrics;

use tokio::time::timeout;

use crate::fixture::{Answers, LOOPBACK, PATIENCE, Running, material, scale_up};

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fn parse(material: &Material) -> Result<Pair, PairError> {
    Pair::parse(material.leaf.as_bytes(), material.leaf_key.as_bytes(), &provider())
}

fn facts_of(material: &Material) -> Facts {
    match facts::read(material, &provider()) {
        Stored::Material(facts) => facts,
        other => panic!("{other:?}"),
    }
}

/// One rotation with real certificates, by the plan: each step leads to what makes the next one due, and what is made
/// is what was planned.
#[test]
fn what_is_made_is_what_the_plan_asked_for() {
    let names = ["guard.test.svc", "10.0.0.7", "::1"].map(str::to_owned);
    let lifetimes = Lifetimes::default();
    let start = SystemTime::now();
    let maker = |now| Maker { names: &names, lifetimes: &lifetimes, now };
    let plan = |material: &Material, now| {
        let stored = facts::read(material, &provider());
        plan(&stored, names.iter().map(String::as_str), &lifetimes, now, Some(YEAR))
    };
    let first = maker(start).start().unwrap();
    assert_eq!(plan(&first, start), Plan::Keep);
    assert_eq!(plan(&first, start + YEAR / 2), Plan::Keep);

    let now = start + YEAR * 7 / 10;
    assert!(matches!(plan(&first, now), Plan::Renew(Reason::Ending(_))));
    let renewed = maker(now).renew(first.clone(), &facts_of(&first)).unwrap();
    assert!(renewed.bundle() == first.bundle() && renewed.leaf_key != first.leaf_key && facts_of(&renewed).signed);
    assert_eq!(plan(&renewed, now), Plan::Keep);

    let now = start + 7 * YEAR;
    let last = maker(now).renew(renewed.clone(), &facts_of(&renewed)).unwrap();
    assert!(matches!(plan(&last, now), Plan::Announce(Reason::Ending(_))));
    let announced = maker(now).announce(last.clone()).unwrap();
    assert!(announced.leaf == last.leaf && announced.bundle().starts_with(&last.bundle()));
    assert!(announced.bundle().len() > last.bundle().len());
    assert_eq!(plan(&announced, now), Plan::Switch);
    let switched = maker(now).switch(announced.clone(), &facts_of(&announced)).unwrap();
    let facts = facts_of(&switched);
    assert!(facts.signed && facts.signs && switched.authority != announced.authority);
    assert_eq!(switched.bundle(), announced.bundle(), "a switch changes nothing for those who verify");
    assert!(facts.previous.unwrap() >= facts_of(&last).leaf.until);
    assert_eq!(plan(&switched, now), Plan::Keep);
    let now = now + YEAR;
    let renewed = maker(now).renew(switched.clone(), &facts).unwrap();
    assert_eq!(plan(&renewed, now), Plan::Retire);

    // Near the end of its authority a leaf gets what is left.
    let late = maker(start + 9 * YEAR + YEAR / 2).renew(first.clone(), &facts_of(&first)).unwrap();
    assert_eq!(facts_of(&late).leaf.until, facts_of(&first).authority.until);
}

#[test]
fn what_was_stored_by_somebody_else_is_recognised() {
    let (ours, theirs) = (material(), material());
    let broken = |material: Material| {
        let facts = facts_of(&material);
        (facts.key_matches, facts.signed, facts.signs)
    };
    assert_eq!(broken(ours.clone()), (true, true, true));
    assert_eq!(broken(Material { leaf_key: theirs.leaf_key.clone(), ..ours.clone() }), (false, true, true));
    assert_eq!(broken(Material { authority_key: theirs.authority_key.clone(), ..ours.clone() }), (true, true, false));
    let (authority, authority_key) = (theirs.authority.clone(), theirs.authority_key.clone());
    assert_eq!(broken(Material { authority, authority_key, ..ours.clone() }), (true, false, true));
    // An announced authority that cannot sign is as good as none.
    let next = |authority_key: &String| {
        Some(Next { authority: theirs.authority.clone(), authority_key: authority_key.clone() })
    };
    assert!(facts_of(&Material { next: next(&theirs.authority_key), ..ours.clone() }).next.is_some());
    assert!(facts_of(&Material { next: next(&theirs.leaf_key), ..ours.clone() }).next.is_none());
    for garbage in [
        Material { leaf: String::new(), ..ours.clone() },
        Material { leaf: "hello".to_owned(), ..ours.clone() },
        Material { leaf_key: ours.leaf.clone(), ..ours.clone() },
        Material {
            authority: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
            ..ours.clone()
        },
    ] {
        assert!(matches!(facts::read(&garbage, &provider()), Stored::Garbage { .. }));
    }
}

#[test]
fn a_pair_is_checked_before_it_is_used() {
    let (ours, theirs) = (material(), material());
    let mixed = parse(&Material { leaf_key: theirs.leaf_key, ..ours.clone() });
    let mismatch = Error::InconsistentKeys(InconsistentKeys::KeyMismatch);
    assert!(matches!(mixed, Err(PairError::Rejected(error)) if error == mismatch));
    assert!(matches!(parse(&Material { leaf: "x".to_owned(), ..ours.clone() }), Err(PairError::Certificate(_))));
    assert!(matches!(parse(&Material { leaf_key: "x".to_owned(), ..ours.clone() }), Err(PairError::Key(_))));

    let serving = Serving::default();
    let pair = parse(&ours).unwrap();
    assert!(matches!(serving.swap(&pair, SystemTime::now() + 2 * YEAR), Err(PairError::Ended)));
    assert!(!serving.is_loaded());
    assert!(serving.swap(&pair, SystemTime::now()).unwrap(), "it is another one than none");
    assert!(!serving.swap(&pair, SystemTime::now()).unwrap(), "it is the same");
}

#[test]
fn keys_do_not_show_in_debug_output() {
    let material = material();
    assert_eq!(format!("{material:?}"), "Material { .. }");
}

/// As the kubelet does it: the files are links through `..data`, which is exchanged as a whole.
#[tokio::test]
async fn files_are_followed_through_an_exchange_and_the_old_pair_outlives_a_bad_one() {
    let root = Temporary::new("files");
    symlink("..data/tls.crt", root.0.join("tls.crt")).unwrap();
    symlink("..data/tls.key", root.0.join("tls.key")).unwrap();
    let names = service_names("guard", "test");
    let now = SystemTime::now();
    // Told apart by their end, which a metric shows.
    let (first, second) = (make(&names, now).unwrap(), make(&names, now - YEAR / 365).unwrap());

    let (readiness, metrics) = (Readiness::default(), Metrics::new());
    let source = Source::Provided(Provided { directory: Directory::new(root.0.clone()), trusted_in: None });
    let mut controller = Controller::new(source, Arc::new(Serving::default()), provider(), metrics.clone(), &readiness);
    let in_use = |material: &Material| {
        let end = parse(material).unwrap().until().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let line = format!("singleton_guard_certificate_expiry_timestamp_seconds {end}.0\n");
        metrics.encode(true, Exposition::Text).unwrap().contains(&line)
    };

    let trouble = controller.check().await.unwrap_err().to_string();
    assert!(trouble.starts_with("--certificate-directory: cannot read ") && trouble.contains("tls.crt"), "{trouble}");
    assert_eq!(readiness.missing()[0].reason, trouble);

    root.exchange("..1", &first);
    controller.check().await.unwrap();
    assert!(readiness.is_ready() && in_use(&first) && !in_use(&second));

    // A key that does not belong to the certificate.
    root.exchange("..2", &Material { leaf_key: first.leaf_key.clone(), ..second.clone() });
    let trouble = controller.check().await.unwrap_err().to_string();
    assert!(trouble.contains("tls.crt and tls.key"), "{trouble}");
    assert!(readiness.is_ready() && in_use(&first), "the old pair still serves");

    // One that has ended.
    root.exchange("..3", &make(&names, now - 2 * YEAR).unwrap());
    let trouble = controller.check().await.unwrap_err().to_string();
    assert!(trouble.contains("no longer valid"), "{trouble}");
    assert!(readiness.is_ready() && in_use(&first), "the old pair still serves");

    root.exchange("..4", &second);
    controller.check().await.unwrap();
    assert!(in_use(&second));
}

/// Whoever comes before there is a pair waits for it: an API server calls once.
#[tokio::test]
async fn before_there_is_a_pair_a_call_waits() {
    let root = Temporary::new("listener");
    symlink("..data/tls.crt", root.0.join("tls.crt")).unwrap();
    symlink("..data/tls.key", root.0.join("tls.key")).unwrap();
    let (material, serving) = (material(), Arc::new(Serving::default()));
    let (listener, pending) = GatedListener::listen(LOOPBACK).await.unwrap();
    let authority = material.authority.clone();
    let server =
        Running::behind(&listener, pending, Arc::clone(&serving), authority, Answers::Marked, Limits::default());
    let source = Source::Provided(Provided { directory: Directory::new(root.0.clone()), trusted_in: None });
    let mut controller =
        Controller::new(source, serving, provider(), server.metrics.clone(), &server.readiness).opening(listener);

    let early = server.connect();
    tokio::pin!(early);
    controller.check().await.unwrap_err();
    assert!(timeout(A_MOMENT, &mut early).await.is_err(), "it neither fails nor comes about");
    root.exchange("..1", &material);
    controller.check().await.unwrap();
    let mut early = timeout(PATIENCE, early).await.unwrap();
    assert_eq!(early.review("/validate", &scale_up()).await.response()["status"]["code"], 403);

    // Told to end before it was opened, it ends.
    let (listener, pending) = GatedListener::listen(LOOPBACK).await.unwrap();
    let server = Running::behind(&listener, pending, Arc::default(), String::new(), Answers::Marked, Limits::default());
    server.stop.send(()).unwrap();
    timeout(PATIENCE, server.task).await.unwrap().unwrap();
}

/// Long enough for a handshake that is not held up to fail.
const A_MOMENT: Duration = Duration::from_millis(300);

struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("singleton-guard-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn exchange(&self, version: &str, material: &Material) {
        let directory = self.0.join(version);
        fs::create_dir(&directory).unwrap();
        write(&directory, "tls.crt", &material.leaf);
        write(&directory, "tls.key", &material.leaf_key);
        symlink(version, self.0.join("..data_tmp")).unwrap();
        fs::rename(self.0.join("..data_tmp"), self.0.join("..data")).unwrap();
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn write(directory: &Path, name: &str, text: &str) {
    fs::write(directory.join(name), text).unwrap();
}
