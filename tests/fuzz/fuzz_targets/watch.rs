//! `watch` of the targets, for cargo-fuzz.
#![no_main]

#[allow(dead_code, reason = "the others are targets of their own")]
#[path = "../targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|stream: &[u8]| targets::watch(stream));
