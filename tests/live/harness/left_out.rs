//! What was not run is never reported as ok: whether a lab is wanted at all, and what is said where there can be none.

use std::fmt;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// Stands for a live test where there is no lab, so that it can be listed and matched by a filter. It fails if it is run.
pub fn stub(name: impl Into<String>) -> Trial {
    Trial::test(name, || Err("it needs the lab, and there is none".into()))
}

/// Whether any of these would be run.
pub fn any_wanted(arguments: &Arguments, trials: &[Trial]) -> bool {
    trials.iter().any(|trial| !arguments.is_filtered_out(trial) && !arguments.is_ignored(trial))
}

/// Reports one trial that no filter hides, which says how `part` has ended.
pub fn conclude(mut arguments: Arguments, part: &str, said: Result<Completion, Failed>) -> libtest_mimic::Conclusion {
    (arguments.filter, arguments.skip) = (None, Vec::new());
    (arguments.ignored, arguments.include_ignored) = (false, true);
    libtest_mimic::run(&arguments, vec![Trial::ignorable_test(part, move || said)])
}

/// What is missing on this machine is a reason not to run a test, and with `CI=true` a failure.
pub fn left_out(reason: &str) -> Result<Completion, Failed> {
    if std::env::var("CI").is_ok_and(|value| value == "true") {
        return Err(reason.into());
    }
    eprintln!("left out: {reason}");
    Ok(Completion::ignored_with(reason))
}

/// How a test has ended that may end in [`LeftOut`].
pub fn concluded(result: anyhow::Result<()>) -> Result<Completion, Failed> {
    let Err(error) = result else { return Ok(Completion::Completed) };
    match error.downcast_ref() {
        Some(LeftOut(reason)) => left_out(reason),
        None => Err(format!("{error:#}").into()),
    }
}

/// What a test returns that finds that something it needs is missing on this machine.
#[derive(Debug)]
pub struct LeftOut(pub String);

impl std::error::Error for LeftOut {}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
