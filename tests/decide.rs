//! `cargo run --example decide < tests/decide/two-replicas.json`: one decision, with nothing but the pure core.
//!
//! An `AdmissionReview` comes in on standard input, and the one that answers it goes out on standard output. Where the
//! decision needs to know more, the question goes to standard error, and it is answered as for a singleton: there is no
//! cluster here to ask. It ends with 1 if the request is refused.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use singleton_guard::api::kind::Kinds;
use singleton_guard::api::reference::Regarding;
use singleton_guard::policy::lookup::{Found, Lookup, Owner};
use singleton_guard::policy::request::Phase;
use singleton_guard::policy::{Step, evaluate};
use singleton_guard::review;
use singleton_guard::settings::Settings;

fn main() -> Result<ExitCode> {
    let mut body = Vec::new();
    std::io::stdin().read_to_end(&mut body).context("reading the AdmissionReview")?;
    let review = review::read(&body, Kinds::BUILT_IN)?;
    let decision = match evaluate(Phase::Validate, review.request, &Settings::default(), SystemTime::now()) {
        Step::Decided(decision) => decision,
        Step::Ask(lookup, pending) => {
            writeln!(std::io::stderr(), "asks: {lookup:?}")?;
            pending.resume(Ok(as_of_a_singleton(&lookup)))
        }
    };
    std::io::stdout().write_all(&review::write(&review.uid, &decision))?;
    Ok(if decision.allowed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn as_of_a_singleton(lookup: &Lookup<'_>) -> Found {
    match lookup {
        Lookup::Parent(_) => Found::Parent { marked: true, owner: None, custom: None },
        Lookup::Owners { before, after } => Found::Owners {
            before: before.as_ref().map(|_| Owner::Marked),
            after: after.as_ref().map(|_| Owner::Marked),
        },
        Lookup::Holder(_) => Found::Holder(None),
        Lookup::Target(target) => {
            Found::Target(Some(Regarding::workload(target.kind, &target.namespace, &target.name, "")))
        }
        Lookup::Autoscaler(_) => Found::Autoscaler(None),
    }
}
