//! What must hold for any bytes that a store answers about a lock of `elect`: a property drives it on stable Rust, cargo-fuzz
//! on nightly (`cargo +nightly fuzz run --fuzz-dir tests/fuzz record`).

use std::time::UNIX_EPOCH;

use serde_json::Value;
use singleton_guard::elect::record::{Cell, Record, Revision};
use singleton_guard::elect::store::{gateway, lease};

/// What a store answers about a lock is a record, nothing, or words. A record that is read is the same write when it is
/// written again, and nobody has released it who does not name that write.
pub fn record(body: &[u8]) {
    let at = Revision(1);
    if let Cell::Record(record, _) = Record::read_json(body, at) {
        let again = Record::read_json(record.to_json(UNIX_EPOCH).as_bytes(), at);
        assert_eq!(again, Cell::Record(record, at));
    }
    let said = [gateway::swapped(body).err(), gateway::token(body).err(), gateway::found(body).err()];
    assert!(said.iter().flatten().all(|said| !said.to_string().is_empty()), "refused without a word");
    let Ok(read) = lease::read(body) else { return };
    let Cell::Record(record, _) = &read.cell else { return };
    let object = lease::written(Some(&read.object), "default", "broker", record, UNIX_EPOCH);
    let again = lease::read(Value::Object(object).to_string().as_bytes()).expect("a Lease");
    let Cell::Record(again, _) = again.cell else { panic!("{record:?} is no record again") };
    assert_eq!((again.write(), again.is_released), (record.write(), record.is_released));
}
