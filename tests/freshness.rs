//! The freshness proof: what it reads, and that it is never wrong, whatever happens to the workload, to the watch and to
//! etcd between the moment at which an API server reads a workload and the one at which it stores what was allowed.
//!
//! The model and the program share [`snapshot`](singleton_guard::freshness::snapshot). All histories of one workload and one
//! request that are nine steps long are walked through, and random ones of three workloads and four requests.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stderr, clippy::unwrap_used)]
#![allow(unreachable_pub, reason = "the modules of a test are not for others")]

#[path = "freshness/world.rs"]
mod world;

use proptest::prelude::*;
use singleton_guard::api::mark::MarkKey;
use singleton_guard::cluster::line::{Line, Object};
use singleton_guard::cluster::revision::Revision;
use singleton_guard::cluster::seen::Nothing;
use singleton_guard::cluster::sieve::{Malformed, Part, Sieve};
use singleton_guard::freshness::change::{Change, NamespacedName, Version, keep};
use singleton_guard::freshness::snapshot::{Snapshot, Verdict};
use stateright::{Checker, Model, Property};
use world::{Action, World};

/// All histories of this length.
struct Every {
    steps: usize,
}

impl Model for Every {
    type State = (usize, World);
    type Action = Action;

    fn init_states(&self) -> Vec<Self::State> {
        vec![(0, World::new())]
    }

    fn actions(&self, (steps, world): &Self::State, actions: &mut Vec<Action>) {
        if *steps < self.steps {
            actions.extend(world.actions(1, 1, true));
        }
    }

    fn next_state(&self, (steps, world): &Self::State, action: Action) -> Option<Self::State> {
        let mut world = world.clone();
        world.step(&action);
        Some((steps + 1, world))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("it is never wrong", |_, (_, world): &(usize, World)| world.wrong.is_none()),
            Property::sometimes("it proves", |_, (_, world): &(usize, World)| world.proven > 0),
            Property::sometimes("it leaves to ask", |_, (_, world): &(usize, World)| world.asked > 0),
        ]
    }
}

#[test]
fn no_short_history_makes_it_wrong() {
    let checker = Every { steps: 9 }.checker().threads(2).spawn_bfs().join();
    eprintln!("{} states", checker.unique_state_count());
    checker.assert_properties();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_long_history_makes_it_wrong(choices in prop::collection::vec(any::<prop::sample::Index>(), 1..400)) {
        let mut world = World::new();
        let mut steps = Vec::new();
        for choice in choices {
            let actions = world.actions(3, 4, true);
            let action = actions[choice.index(actions.len())].clone();
            world.step(&action);
            steps.push(action);
            prop_assert_eq!(&world.wrong, &None, "after {:?}", steps);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _read = read(&bytes, &MarkKey::default());
    }
}

/// As after etcd was restored behind a connection that lived on.
#[test]
fn of_a_watch_that_goes_back_nothing_is_believed() {
    let at = |number: u64| Revision::parse(&number.to_string()).unwrap();
    let is = |revision| {
        let name = NamespacedName { namespace: "pay".into(), name: "ledger".into() };
        Change::Written(name, Version { uid: "u".into(), revision, marked: false, owner: None })
    };
    for (what, event, believed) in [
        ("a later change", is(at(8)), true),
        ("the same revision", is(at(7)), false),
        ("an earlier change", is(at(3)), false),
        ("a bookmark of the same revision", Change::Bookmark(at(7)), true),
        ("an earlier bookmark", Change::Bookmark(at(6)), false),
    ] {
        let mut known = Snapshot::listed([], at(7));
        assert_eq!(known.apply(event).is_ok(), believed, "{what}");
        let verdict = known.verdict("pay", "web", "v", at(2));
        assert_eq!(verdict, if believed { Verdict::Unmarked } else { Verdict::Blind }, "{what}");
    }
}

#[test]
fn a_revision_is_a_decimal_number_as_the_api_server_writes_it() {
    for good in ["1", "42", "18446744073709551615"] {
        assert!(Revision::parse(good).is_some(), "{good}");
    }
    for bad in ["", "0", "007", "-1", "+1", "1.0", " 1", "1e3", "a", "18446744073709551616"] {
        assert_eq!(Revision::parse(bad), None, "{bad}");
    }
    assert!(Revision::parse("9") < Revision::parse("10"));
}

#[test]
fn a_line_is_read_as_far_as_it_matters() {
    let line = |type_: &str, metadata: &str| {
        format!(r#"{{"type":"{type_}","object":{{"kind":"PartialObjectMetadata","metadata":{metadata}}}}}"#)
    };
    let whole = r#"{"name":"ledger","namespace":"pay","uid":"u","resourceVersion":"7","managedFields":[{"fieldsV1":{"f:a":{}}}],"labels":LABELS}"#;
    let key = MarkKey::default();
    let marked = whole.replace("LABELS", &format!(r#"{{"{key}":"","app":"ledger"}}"#));
    let unmarked = whole.replace("LABELS", "null");
    // Kubernetes does not limit how many labels an object has, and one such object must not end the watch of all.
    let labels: Vec<_> = (0..10_000).map(|n| format!(r#""l{n}":"""#)).collect();
    let many = whole.replace("LABELS", &format!("{{{}}}", labels.join(",")));
    let mangled = whole.replace("LABELS", &format!(r#"["{key}"]"#));
    let bookmark = r#"{"resourceVersion":"9","annotations":{"k8s.io/initial-events-end":"true"}}"#;
    let name = || NamespacedName { namespace: "pay".into(), name: "ledger".into() };
    let version = |marked| Version { uid: "u".into(), revision: Revision::parse("7").unwrap(), marked, owner: None };
    let cases = [
        ("ADDED", marked.as_str(), Change::Written(name(), version(true))),
        ("MODIFIED", &unmarked, Change::Written(name(), version(false))),
        ("MODIFIED", &many, Change::Written(name(), version(false))),
        ("DELETED", &marked, Change::Deleted(name(), Revision::parse("7").unwrap())),
        ("BOOKMARK", bookmark, Change::Bookmark(Revision::parse("9").unwrap())),
    ];
    for (type_, metadata, expected) in cases {
        assert_eq!(read(line(type_, metadata).as_bytes(), &key), Ok(expected), "{type_} {metadata}");
    }
    let gone = r#"{"type":"ERROR","object":{"kind":"Status","metadata":{},"status":"Failure","message":"too old resource version: 1 (9)","reason":"Expired","code":410}}"#;
    assert_eq!(read(gone.as_bytes(), &key), Err("410 too old resource version: 1 (9)".to_owned()));
    for (type_, metadata) in [
        ("ADDED", r#"{"name":"ledger","namespace":"pay","uid":"u"}"#),
        ("ADDED", r#"{"name":"ledger","namespace":"pay","uid":"u","resourceVersion":"x"}"#),
        ("DELETED", r#"{"name":"ledger","uid":"u","resourceVersion":"7"}"#),
        ("MODIFIED", r#"{"name":"ledger","namespace":"pay","resourceVersion":"7"}"#),
        ("BOOKMARK", "{}"),
        ("MODIFIED", &mangled),
        ("RENAMED", marked.as_str()),
    ] {
        let line = line(type_, metadata);
        let read = read(line.as_bytes(), &key);
        assert!(read.is_err(), "{type_} {metadata}: {read:?}");
    }
}

/// What the proof makes of one line of a watch; an error where the watch has to begin again.
fn read(line: &[u8], mark: &MarkKey) -> Result<Change<'static>, String> {
    let mut events = Vec::new();
    let keep = Line::<Nothing, Nothing>::keep(&keep(mark));
    let mut sieve = Sieve::new(&keep);
    let pushed: Result<(), Malformed> = sieve.push(line, |part| {
        let Part::Value(line) = part else { return Ok(()) };
        events.push(event(line, mark));
        Ok(())
    });
    pushed.map_err(|error| error.to_string())?;
    events.pop().unwrap_or_else(|| Err("not a whole line".to_owned()))
}

fn event(line: &[u8], mark: &MarkKey) -> Result<Change<'static>, String> {
    let event = match Line::<Nothing, Nothing>::read(line).map_err(|error| error.to_string())? {
        Line::Is(Object::Read(seen)) => Change::written(seen.metadata, mark),
        Line::Is(Object::Unread(_, why)) => return Err(why.to_owned()),
        Line::Gone(metadata) => Change::deleted(metadata, mark),
        Line::Nothing(metadata) => Change::bookmark(&metadata.resource_version),
        Line::Ended { code, message } => return Err(format!("{code} {message}")),
    };
    Ok(match event.map_err(|error| error.to_string())? {
        Change::Written(name, Version { uid, revision, marked, owner }) => {
            Change::Written(owned(name), Version { uid: uid.into_owned().into(), revision, marked, owner })
        }
        Change::Deleted(name, revision) => Change::Deleted(owned(name), revision),
        Change::Bookmark(revision) => Change::Bookmark(revision),
    })
}

fn owned(NamespacedName { namespace, name }: NamespacedName<'_>) -> NamespacedName<'static> {
    NamespacedName { namespace: namespace.into_owned().into(), name: name.into_owned().into() }
}
