//! etcd is restored from a backup, while the replicas go on: what is made afterwards they have to hear of, though the
//! revisions that they have seen will not come again for long.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::poison::{CARRIERS, object};
use super::promises::Tenant;
use crate::common::place::Place;
use crate::common::workloads::both_ready;
use crate::harness::stories;
use crate::lab::Lab;
use crate::lab::etcd::Etcd;

stories!(after_a_restore_of_etcd_every_watch_hears_of_what_is_made);

/// What each replica has to have heard of after a restore.
async fn after_a_restore_of_etcd_every_watch_hears_of_what_is_made(lab: &Lab) -> Result<()> {
    both_ready(lab).await?;
    let before = lab.node().processes();
    let tenant = Tenant::settle(lab).await?;
    lab.back_up().await?;
    Etcd::client()?.age(REVISIONS).await?;
    // Every watch hears of the high revisions.
    let place = Place::new(lab).await?;
    for kind in CARRIERS {
        place.make(object(kind, &format!("late-{}", kind.to_lowercase()), "strict", &place.namespace)).await?;
    }
    place.budget("late-statefulset-statefulset-singleton").await?;

    lab.restore().await?;
    let gone = place.get("Service", "late-service").await?;
    ensure!(gone.is_none(), "the backup holds what came after it: {gone:?}");
    both_ready(lab).await?;
    let ((companions, listed), marked, replaced) = tokio::join!(tenant.starts(), tenant.marks(), tenant.fails());
    ensure!(lab.node().processes() == before, "a replica was started again, so this shows nothing");
    let took = [
        ("companions of a new singleton", companions),
        ("its namespace in the list", listed),
        ("companions of what is marked", marked),
        ("the next Pod of a strict singleton", replaced),
    ];
    let mut late = Vec::new();
    for (what, took) in took {
        match took {
            Ok(took) if took <= HEARD_WITHIN => eprintln!("after a restore: {what}: {took:.1?}"),
            Ok(took) => late.push(format!("{what} took {took:.1?}")),
            Err(error) => late.push(format!("{what}: {error:#}")),
        }
    }
    ensure!(late.is_empty(), "{}", late.join("; "));
    Ok(())
}

/// More than the cluster writes by itself while the test waits.
const REVISIONS: usize = 20_000;
/// A watch tries again after ten seconds at most, and then lists.
const HEARD_WITHIN: Duration = Duration::from_secs(30);
