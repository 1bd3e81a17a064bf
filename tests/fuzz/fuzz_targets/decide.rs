//! `decide` of the targets, for cargo-fuzz.
#![no_main]

#[allow(dead_code, reason = "the others are targets of their own")]
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|body: &[u8]| targets::decide(body));
