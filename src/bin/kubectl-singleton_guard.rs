//! The program for people, which kubectl finds as `kubectl singleton-guard`. Everything is in the library.

use std::process::ExitCode;

use singleton_guard::cli::program;

fn main() -> ExitCode {
    program::run()
}
