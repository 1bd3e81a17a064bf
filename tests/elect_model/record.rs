//! What is written is what is read, and what somebody edits neither releases the lock nor takes it.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use singleton_guard::elect::record::{Cell, Record, Revision, Term};

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

fn record() -> Record {
    let term = Term { by: 10, number: 2 };
    let holder = Some(Arc::from("broker-0"));
    Record { holder, term, beat: 8, is_released: false, lease: Duration::from_secs(15) }
}

const AT: Revision = Revision(5);
