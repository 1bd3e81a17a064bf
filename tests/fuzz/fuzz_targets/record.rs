//! `record` of the lock's targets, for cargo-fuzz.
#![no_main]

#[path = "../lock.rs"]
mod lock;

libfuzzer_sys::fuzz_target!(|body: &[u8]| lock::record(body));
