//! Each case of `tests/cases` at the first two boundaries, the pure core and the router that the process serves, as it is
//! written and with the other value of the mark. A test is a topic; what fails in it is said by the case's file.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use super::case::{self, Case};
use super::{pure, router};

macro_rules! topics {
    ($($topic:ident),+ $(,)?) => {
        $(mod $topic {
            #[test]
            fn is_decided_as_written() {
                super::all(stringify!($topic), super::pure::run);
            }

            #[test]
            fn is_answered_as_written() {
                super::all(stringify!($topic), super::router::run);
            }
        })+

        const TOPICS: &[&str] = &[$(stringify!($topic)),+];
    };
}

topics!(
    autoscaler,
    break_glass,
    companions,
    freedom,
    identity,
    mark,
    owned,
    owner,
    release,
    remedy,
    replicas,
    scale,
    service_name,
    strategy,
    strict,
    warn,
);

/// A directory that is not among them would be run by nobody but the live tests.
#[test]
fn every_topic_is_among_them() {
    let known: BTreeSet<String> = TOPICS.iter().map(|topic| directory(topic)).collect();
    let there: BTreeSet<String> =
        CASES.iter().filter_map(|case| Some(case.name.split_once('/')?.0.to_owned())).collect();
    assert_eq!(there, known, "the list of topics in tests/spec/cases.rs is not that of tests/cases");
}

/// Runs all cases of a topic, whatever becomes of the others.
fn all(topic: &str, run: fn(&Case) -> Result<(), String>) {
    let within = format!("{}/", directory(topic));
    let mut failed = Vec::new();
    for case in CASES.iter().filter(|case| case.name.starts_with(&within)) {
        let outcome =
            catch_unwind(AssertUnwindSafe(|| run(case))).unwrap_or_else(|_| Err("it panics, see above".to_owned()));
        if let Err(error) = outcome {
            let (file, kind) = case.name.split_once(" (").unwrap_or((&case.name, ""));
            failed.push(format!("tests/cases/{file}.yaml {}: {error}", kind.trim_end_matches(')')));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let directory = crate::root().join("tests/cases");
    [case::load(&directory), case::load_enabled(&directory)].concat()
});

/// A topic as its directory is called.
fn directory(topic: &str) -> String {
    topic.replace('_', "-")
}
