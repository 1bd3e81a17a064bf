//! The watches of the companions; all of them end in one channel.

use std::time::SystemTime;

use kube::Client;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::seen::{Marked, SeenBudgetSpec, SeenServiceSpec, WorkloadSpec, WorkloadStatus};
use crate::cluster::follow::{Followed, Heard, Seen, WAITING, config, follow};
use crate::policy::companions::{BudgetSpec, Existing, ServiceSpec};
use crate::policy::kind::{KINDS, Kind};
use crate::settings::Settings;
use crate::telemetry::metrics::Metrics;

/// What the watches say.
#[derive(Debug)]
pub(super) enum News {
    /// About marked workloads of a kind.
    Workload(Kind, Heard<Marked>),
    /// About Services.
    Service(Heard<Existing<ServiceSpec>>),
    /// About budgets.
    Budget(Heard<Existing<BudgetSpec>>),
}

/// Starts all of them. They end when the set is dropped.
pub(super) fn start(
    client: &Client,
    settings: &Settings,
    metrics: &Metrics,
    tasks: &mut JoinSet<()>,
) -> mpsc::Receiver<News> {
    let (news, heard) = mpsc::channel(WAITING);
    let managed_by = &settings.companions.managed_by;
    let followed = |plural, (group, version, kind)| {
        Followed::new(plural, (group, version, kind, plural), metrics, "companions.enabled")
    };
    for info in KINDS {
        let workloads = followed(info.resource, (info.group, info.version, info.name));
        let marked = config().labels(settings.mark.as_str());
        let (kind, by) = (info.kind, managed_by.clone());
        let reduce = move |seen: Seen<WorkloadSpec, WorkloadStatus>| seen.marked(kind, SystemTime::now(), &by);
        tasks.spawn(follow(client.clone(), workloads, marked, news.clone(), reduce, move |heard| {
            News::Workload(kind, heard)
        }));
    }
    let [.., services, budgets] = NAMES;
    let services = followed(services, ("", "v1", "Service"));
    let by = managed_by.clone();
    let reduce = move |seen: Seen<SeenServiceSpec>| seen.service(&by);
    tasks.spawn(follow(client.clone(), services, config(), news.clone(), reduce, News::Service));
    let budgets = followed(budgets, ("policy", "v1", "PodDisruptionBudget"));
    let by = managed_by.clone();
    let reduce = move |seen: Seen<SeenBudgetSpec>| seen.budget(&by);
    tasks.spawn(follow(client.clone(), budgets, config(), news, reduce, News::Budget));
    heard
}

/// What is watched, as the metric calls it: the kinds that can be marked, and the two of companions.
pub(super) const NAMES: [&str; KINDS.len() + 2] =
    [KINDS[0].resource, KINDS[1].resource, KINDS[2].resource, KINDS[3].resource, "services", "poddisruptionbudgets"];
