//! The watches of Services and budgets, and the stores that they fill.

use std::sync::Arc;

use kube::Client;
use tokio::task::JoinSet;

use super::seen::{self, SeenBudgetSpec, SeenBudgetStatus, SeenServiceSpec};
use crate::cluster::feed::{Feed, Reduce};
use crate::cluster::follow::Followed;
use crate::cluster::list::Asked;
use crate::cluster::seen::{Nothing, Seen};
use crate::cluster::sieve::Keep;
use crate::cluster::store::{Kept, Store};
use crate::companions::plan::selector::{Selector, weight};
use crate::companions::plan::{BudgetSpec, Existing, ServiceSpec};
use crate::settings::Settings;
use crate::telemetry::metrics::Metrics;

/// The Services, or the budgets, of all namespaces.
pub(super) type Found<S> = Store<(), Existing<S>>;

/// Starts both. They end when the set is dropped.
pub(super) fn start(
    client: &Client,
    settings: &Settings,
    metrics: &Metrics,
    tasks: &mut JoinSet<()>,
) -> (Arc<Found<ServiceSpec>>, Arc<Found<BudgetSpec>>) {
    let (services, budgets) = (Store::new([()]), Store::new([()]));
    let followed = |name, collection: &str, keep: Keep| {
        let list = Asked { collection: collection.to_owned(), selector: String::new(), metadata_only: false, keep };
        Followed::new(client, list, name, metrics, "companions.enabled")
    };
    let managed_by = || settings.companions.managed_by.clone();
    let feed = Feed { store: Arc::clone(&services), of: (), reduce: Services(managed_by()) };
    tasks.spawn(followed(SERVICES, "/api/v1/services", seen::keep_service()).follow(feed));
    let feed = Feed { store: Arc::clone(&budgets), of: (), reduce: Budgets(managed_by()) };
    let collection = "/apis/policy/v1/poddisruptionbudgets";
    tasks.spawn(followed(BUDGETS, collection, seen::keep_budget()).follow(feed));
    (services, budgets)
}

/// Reads Services; ours are those of this manager.
struct Services(String);
/// Reads budgets, in the same way.
struct Budgets(String);

impl Reduce for Services {
    type Spec = SeenServiceSpec;
    type Status = Nothing;
    type Value = Existing<ServiceSpec>;

    fn read(&self, seen: Seen<'_, SeenServiceSpec>) -> Result<Existing<ServiceSpec>, &'static str> {
        Ok(seen::service(seen, &self.0))
    }
}

impl Reduce for Budgets {
    type Spec = SeenBudgetSpec;
    type Status = SeenBudgetStatus;
    type Value = Existing<BudgetSpec>;

    fn read(&self, seen: Seen<'_, SeenBudgetSpec, SeenBudgetStatus>) -> Result<Existing<BudgetSpec>, &'static str> {
        Ok(seen::budget(seen, &self.0))
    }
}

impl Kept for Existing<ServiceSpec> {
    fn weight(&self) -> usize {
        self.spec.selector.as_ref().map_or(0, weight) + self.spec.ports.len() * PORT + taken(self)
    }

    /// It may select anything then.
    fn lighten(&mut self) -> Option<&'static str> {
        (self.spec.selector, self.spec.ports, self.taken) = (None, Vec::new(), None);
        None
    }
}

impl Kept for Existing<BudgetSpec> {
    fn weight(&self) -> usize {
        self.spec.selector.as_ref().map_or(0, Selector::weight) + taken(self)
    }

    /// It counts as one that selects everything then.
    fn lighten(&mut self) -> Option<&'static str> {
        (self.spec.selector, self.taken) = (Some(Selector::default()), None);
        None
    }
}

fn taken<S>(existing: &Existing<S>) -> usize {
    existing.taken.as_ref().map_or(0, |_| TAKEN)
}

/// Bytes of what is kept of one that somebody has taken over, about: a name of at most 128 and a patch.
const TAKEN: usize = 2_000;
/// Bytes of a port of a Service, about.
const PORT: usize = 100;

const SERVICES: &str = "services";
const BUDGETS: &str = "poddisruptionbudgets";
/// What is watched, as the metric calls it.
pub(super) const NAMES: [&str; 2] = [SERVICES, BUDGETS];
