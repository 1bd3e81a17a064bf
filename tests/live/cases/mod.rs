//! The third boundary of the cases: each runs on a real API server, and must end there as it is written. Where the guard is
//! left out (`WITHOUT_GUARD=1`) each that expects a refusal must fail: a check that cannot fail checks nothing. With the
//! native floor alone (`ONLY_FLOOR=1`) each must end alike but for those that are listed with a reason.

pub mod play;

use std::path::Path;

use anyhow::{Result, bail};

use crate::common::installed::{Guard, Installed, many_at_a_time};
use crate::common::workloads::both_ready;
use crate::harness::{Group, Test, late};
use crate::spec::case::{self, Case, Verdict};
use crate::stories::{configuration, floor};

/// Those that ask for a configuration of their own need the guard for themselves; those that ask for the same follow each
/// other.
pub fn group(guard: Guard) -> Group<Installed> {
    let cases = case::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases"));
    let (configured, cases): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| case.configuration.is_some());
    let mut tests: Vec<_> = cases
        .into_iter()
        .map(|case| Test::new(case.name.clone(), move |installed: &Installed| run(installed, &case)))
        .collect();
    if guard == Guard::Webhook {
        tests.extend(configured.into_iter().map(|case| Test {
            is_alone: true,
            ..Test::new(case.name.clone(), move |installed: &Installed| run_configured(installed, &case))
        }));
    }
    Group { name: "cases", side_by_side: many_at_a_time(), tests }
}

fn run(installed: &Installed, case: &Case) -> Result<()> {
    let (lab, guard) = (installed.lab(), installed.guard());
    let must_fail = match guard {
        Guard::Webhook => None,
        Guard::Floor => floor::why_it_is_not_held(&case.name),
        Guard::None => {
            let refuses = case.steps.iter().any(|step| step.decision == Some(Verdict::Deny));
            refuses.then_some("there is no guard: it cannot fail")
        }
    };
    match (installed.block_on(late::run(lab, async || play::run(lab, guard, case).await)), must_fail) {
        (Ok(()), None) | (Err(_), Some(_)) => Ok(()),
        (Ok(()), Some(why)) => bail!("it passes, although {why}"),
        (Err(error), None) => Err(error),
    }
}

fn run_configured(installed: &Installed, case: &Case) -> Result<()> {
    let lab = installed.lab();
    installed.block_on(async {
        both_ready(lab).await?;
        configuration::run(lab, case).await
    })
}
