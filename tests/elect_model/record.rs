//! What is written is what is read, and what somebody edits neither releases the lock nor takes it.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::{ProptestConfig, any, proptest};
use serde_json::{Value, json};
use singleton_guard::elect::record::{Cell, Record, Revision, Term};
use singleton_guard::elect::store::{gateway, lease};

use crate::targets;

#[test]
fn what_is_written_is_read() {
    for is_released in [false, true] {
        for holder in [None, Some(Arc::from("broker-0"))] {
            let written = Record { holder, is_released, ..record() };
            let read = Record::read_json(written.to_json(UNIX_EPOCH).as_bytes(), AT);
            assert_eq!(read, Cell::Record(written, AT));
        }
    }
}

/// It would have to name the write that released it.
#[test]
fn a_record_is_not_released_by_hand() {
    let text = record().to_json(UNIX_EPOCH);
    for released in ["true", "7", "null"] {
        let edited = text.replace("\"beat\":8", &format!("\"beat\":8,\"released\":{released}"));
        assert_ne!(edited, text);
        match Record::read_json(edited.as_bytes(), AT) {
            Cell::Record(read, _) => assert!(!read.is_released, "{edited}"),
            Cell::Foreign(_) => {}
            Cell::Empty(_) => panic!("{edited} is not empty"),
        }
    }
}

#[test]
fn what_is_no_record_is_nobodys_to_take() {
    assert_eq!(Record::read_json(b"", AT), Cell::Empty(Some(AT)));
    let text = record().to_json(UNIX_EPOCH);
    let others =
        ["{}", "[]", "free", "{\"holder\":\"broker-0\"}", &text.replace("-2", "-02"), &text.replace("00a", "a")];
    for other in others {
        let Cell::Foreign(why) = Record::read_json(other.as_bytes(), AT) else { panic!("{other} was read") };
        assert!(why.starts_with("it is no record of elect: "), "{why}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Answers that are nearly right: a few bytes are others, or missing.
    #[test]
    fn whatever_a_store_answers_is_read(which in 0..4_usize, at in any::<[u16; 3]>(), to in any::<[u8; 3]>(), cut: bool) {
        let mut body = answers()[which].clone().into_bytes();
        for (at, to) in at.into_iter().zip(to) {
            let at = usize::from(at) % body.len();
            if cut { body.remove(at); } else { body[at] = to; }
        }
        targets::record(&body);
    }
}

/// As they are: each is read as what it is, so that what is nearly one of them is nearly right.
#[test]
fn the_answers_are_read() {
    let [json, range, txn, object] = answers();
    assert!(matches!(Record::read_json(json.as_bytes(), AT), Cell::Record(..)));
    assert!(matches!(gateway::found(range.as_bytes()), Ok(Cell::Record(_, AT))), "{range}");
    assert_eq!(gateway::swapped(txn.as_bytes()), Ok(Some(Revision(6))));
    assert!(matches!(lease::read(object.as_bytes()).map(|read| read.cell), Ok(Cell::Record(_, AT))), "{object}");
    for answer in answers() {
        targets::record(answer.as_bytes());
    }
}

fn answers() -> [String; 4] {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    let json = record().to_json(UNIX_EPOCH);
    let entry = json!({"key": "", "mod_revision": "5", "value": BASE64_STANDARD.encode(&json)});
    let range = json!({"header": {"revision": "6"}, "kvs": [entry], "count": "1"});
    let txn = json!({"header": {"revision": "6"}, "succeeded": true});
    let mut object = lease::written(None, "default", "broker", &record(), UNIX_EPOCH);
    object["metadata"]["resourceVersion"] = json!("5");
    [json, range.to_string(), txn.to_string(), Value::Object(object).to_string()]
}

fn record() -> Record {
    let term = Term { by: 10, number: 2 };
    let holder = Some(Arc::from("broker-0"));
    Record { holder, term, beat: 8, is_released: false, lease: Duration::from_secs(15) }
}

const AT: Revision = Revision(5);
