//! A machine that is too slow to judge by: where many tests share two cores, the API server sometimes gives a webhook up
//! that had only to be waited for. What a test then sees is what an outage does, not what it asks about, so it is run
//! again. It must not hide anything else: a test that fails for another reason, or each time, has failed, and so has one
//! that would be run again after a few others were.

use anyhow::Result;

use super::repeats::{Repeats, run_again};
use crate::lab::Lab;

/// Runs a test that can be run again.
pub async fn run(lab: &Lab, test: impl AsyncFn() -> Result<()>) -> Result<()> {
    static REPEATS: Repeats = Repeats::none();
    run_again(&REPEATS, async || given_up(lab).await, test).await
}

/// How many calls of our webhooks the API server has given up, by its own count.
async fn given_up(lab: &Lab) -> Result<u64> {
    let metrics = lab.client().request_text(http::Request::get("/metrics").body(Vec::new())?).await?;
    let ours = metrics.lines().filter(|line| {
        line.contains("singleton-guard.io\"")
            && (line.starts_with("apiserver_admission_webhook_fail_open_count{")
                || line.starts_with("apiserver_admission_webhook_rejection_count{")
                    && line.contains("error_type=\"calling_webhook_error\""))
    });
    Ok(ours.filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok()).sum())
}
