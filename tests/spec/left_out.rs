//! What is reported where there can be no lab: the reason, and with `CI=true` a failure.

use libtest_mimic::Trial;

/// A trial that says why `part` was not run.
pub fn trial(part: &str, reason: &str) -> Trial {
    let reason = format!("{part} is left out: {reason}");
    if std::env::var("CI").is_ok_and(|value| value == "true") {
        return Trial::test("live", move || Err(reason.into()));
    }
    eprintln!("{reason}");
    Trial::test(reason, || Ok(())).with_ignored_flag(true)
}
