//! Certificates and keys: made, read, checked, exchanged.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::{Error, InconsistentKeys};
use singleton_guard::certs::authority::{Material, make, service_names};
use singleton_guard::certs::plan::{Plan, Reason, Stored, plan};
use singleton_guard::certs::serving::{Pair, PairError, Serving};
use singleton_guard::certs::upkeep::{Source, Upkeep};
use singleton_guard::certs::{Directory, facts, provider};
use singleton_guard::server::Readiness;
use singleton_guard::telemetry::metrics::Metrics;

use crate::fixture::material;

const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fn parse(material: &Material) -> Result<Pair, PairError> {
    Pair::parse(material.leaf.as_bytes(), material.leaf_key.as_bytes(), &provider())
}

#[test]
fn what_is_made_is_kept() {
    let names = ["guard.test.svc", "10.0.0.7", "::1"].map(str::to_owned);
    let now = SystemTime::now();
    let Stored::Pair(facts) = facts::read(&make(&names, now).unwrap(), &provider()) else { panic!("not a pair") };
    assert!(facts.leaf_until <= facts.authority_until, "the leaf must not outlive its authority");
    assert!(facts.leaf_from < now && facts.leaf_until > now + YEAR / 2);
    let stored = Stored::Pair(facts);
    let names = || names.iter().map(String::as_str);
    assert_eq!(plan(&stored, names(), now), Plan::Keep);
    assert_eq!(plan(&stored, names(), now + YEAR / 2), Plan::Keep);
    assert!(matches!(plan(&stored, names(), now + YEAR), Plan::Make { reason: Reason::Ending(_) }));
    assert!(matches!(plan(&stored, names(), now - YEAR), Plan::Make { reason: Reason::NotYetValid }));
    assert!(matches!(plan(&stored, ["other.test.svc"], now), Plan::Make { reason: Reason::NameMissing(_) }));
}

#[test]
fn what_was_stored_by_somebody_else_is_recognised() {
    let (ours, theirs) = (material(), material());
    let now = SystemTime::now();
    let names = service_names("guard", "test");
    let reason =
        |material: &Material| match plan(&facts::read(material, &provider()), names.iter().map(String::as_str), now) {
            Plan::Make { reason } => reason,
            Plan::Keep => panic!("kept"),
        };
    assert_eq!(reason(&Material { leaf_key: theirs.leaf_key.clone(), ..ours.clone() }), Reason::KeyMismatch);
    assert_eq!(reason(&Material { authority: theirs.authority, ..ours.clone() }), Reason::NotSigned);
    for garbage in [
        Material { leaf: String::new(), ..ours.clone() },
        Material { leaf: "hello".to_owned(), ..ours.clone() },
        Material { leaf_key: ours.leaf.clone(), ..ours.clone() },
        Material {
            authority: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(),
            ..ours.clone()
        },
    ] {
        assert!(matches!(reason(&garbage), Reason::Garbage(_)), "{:?}", reason(&garbage));
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
    let root = Temporary::new();
    symlink("..data/tls.crt", root.0.join("tls.crt")).unwrap();
    symlink("..data/tls.key", root.0.join("tls.key")).unwrap();
    let names = service_names("guard", "test");
    let now = SystemTime::now();
    // Told apart by their end, which a metric shows.
    let (first, second) = (make(&names, now).unwrap(), make(&names, now - YEAR / 365).unwrap());

    let (readiness, metrics) = (Readiness::default(), Metrics::new());
    let source = Source::Given(Directory::new(root.0.clone()));
    let mut upkeep = Upkeep::new(source, Arc::new(Serving::default()), provider(), metrics.clone(), &readiness);
    let in_use = |material: &Material| {
        let end = parse(material).unwrap().until().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let line = format!("singleton_guard_certificate_expiry_timestamp_seconds {end}.0\n");
        metrics.encode(true).unwrap().contains(&line)
    };

    let trouble = upkeep.look().await.unwrap_err().to_string();
    assert!(trouble.starts_with("--certificate-directory: cannot read ") && trouble.contains("tls.crt"), "{trouble}");
    assert_eq!(readiness.missing()[0].reason, trouble);

    root.exchange("..1", &first);
    upkeep.look().await.unwrap();
    assert!(readiness.is_ready() && in_use(&first) && !in_use(&second));

    // A key that does not belong to the certificate.
    root.exchange("..2", &Material { leaf_key: first.leaf_key.clone(), ..second.clone() });
    let trouble = upkeep.look().await.unwrap_err().to_string();
    assert!(trouble.contains("tls.crt and tls.key"), "{trouble}");
    assert!(readiness.is_ready() && in_use(&first), "the old pair still serves");

    // One that has ended.
    root.exchange("..3", &make(&names, now - 2 * YEAR).unwrap());
    let trouble = upkeep.look().await.unwrap_err().to_string();
    assert!(trouble.contains("no longer valid"), "{trouble}");
    assert!(readiness.is_ready() && in_use(&first), "the old pair still serves");

    root.exchange("..4", &second);
    upkeep.look().await.unwrap();
    assert!(in_use(&second));
}

struct Temporary(PathBuf);

impl Temporary {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("singleton-guard-certificates-{}", std::process::id()));
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
