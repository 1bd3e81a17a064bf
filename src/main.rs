//! The program: arguments in, exit code out. Everything else is in the library.

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use singleton_guard::args::{Arguments, Command};
use singleton_guard::{certs, run, verify};

/// musl's own allocator takes a lock for every allocation of every thread.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before anything builds a TLS client or server: without a default, kube would have to guess, and may panic.
    // It fails only if there is one already.
    let _installed = certs::provider().as_ref().clone().install_default();
    match Arguments::parse().command {
        Command::Serve(arguments) => report(run::serve(&arguments)),
        Command::Verify(arguments) => match verify::verify(&arguments) {
            Ok(refusal) => report(writeln!(io::stdout(), "refusals work: {refusal}")),
            Err(error) => report(Err(error)),
        },
        Command::Version => report(writeln!(io::stdout(), "singleton-guard {}", env!("CARGO_PKG_VERSION"))),
    }
}

/// Exit code 1 with one line on standard error; clap answers wrong usage with 2.
fn report(result: Result<(), impl Error>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With standard error closed there is nobody to tell.
            let _told = writeln!(io::stderr(), "singleton-guard: {error}");
            ExitCode::FAILURE
        }
    }
}
