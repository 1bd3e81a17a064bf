//! Tells the program which compiler made it, for `singleton_guard_build_info`. It looks at nothing else: the same sources
//! and the same compiler give the same bytes.

#![allow(clippy::print_stdout, reason = "that is how cargo is told")]

use std::env;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = env::var_os("RUSTC").and_then(|rustc| Command::new(rustc).arg("--version").output().ok());
    // As in "rustc 1.95.0 (59807616e 2026-04-14)".
    let said = rustc.map(|done| String::from_utf8_lossy(&done.stdout).into_owned()).unwrap_or_default();
    println!("cargo::rustc-env=SINGLETON_GUARD_RUSTC={}", said.split_whitespace().nth(1).unwrap_or_default());
}
