//! What can be said of a set: the names of it, and what they mean. `explain` and the documentation speak from here. Pure.

use crate::cli::finding::Level;

/// What is said of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Topic {
    /// The mark where it does nothing.
    MarkWithoutEffect,
    /// A PodDisruptionBudget that blocks what the singleton lets through.
    BudgetOfSingleton,
    /// A Service that stands where the guard's would.
    ServiceOfSingleton,
    /// Two strict workloads of one key.
    SharedKey,
    /// Two StatefulSets with one `serviceName`.
    SharedServiceName,
    /// A Deployment of one with a volume that one node can mount.
    UnmarkedWriter,
}

/// All of them.
pub const TOPICS: [Topic; 6] = [
    Topic::MarkWithoutEffect,
    Topic::BudgetOfSingleton,
    Topic::ServiceOfSingleton,
    Topic::SharedKey,
    Topic::SharedServiceName,
    Topic::UnmarkedWriter,
];

impl Topic {
    /// Its name, which never changes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MarkWithoutEffect => "mark-without-effect",
            Self::BudgetOfSingleton => "budget-of-singleton",
            Self::ServiceOfSingleton => "service-of-singleton",
            Self::SharedKey => "shared-key",
            Self::SharedServiceName => "shared-service-name",
            Self::UnmarkedWriter => "unmarked-writer",
        }
    }

    /// How bad it is.
    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            Self::UnmarkedWriter => Level::Advice,
            _ => Level::Warning,
        }
    }

    /// What it means, in a sentence or two.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::MarkWithoutEffect => {
                "The mark is on a kind that the guard does not know, on a bare Pod, or on a Pod template alone. The API server takes it, and nothing guards the workload."
            }
            Self::BudgetOfSingleton => {
                "A PodDisruptionBudget of the set selects the Pod of a singleton and never lets it be evicted, while the singleton lets disruptions through. A drain of its node will wait for ever."
            }
            Self::ServiceOfSingleton => {
                "A Service of the set has the name that the headless Service of a singleton would have. The guard leaves it alone and makes none, so the name does not lead to the Pod."
            }
            Self::SharedKey => {
                "Two strict workloads of one namespace have one key, which is the name of their Pod. The API server stores one Pod of a name, so one of the two will wait for the other."
            }
            Self::SharedServiceName => {
                "Two StatefulSets of one namespace, of which one is a singleton, name one Service in spec.serviceName. Behind its name are the Pods of both."
            }
            Self::UnmarkedWriter => {
                "A Deployment without the mark has one replica, a claim that one node (or one Pod) can mount, and a rollout that starts the second Pod before the first has ended. On another node the second Pod waits for the volume; on the same node both write to it."
            }
        }
    }

    /// What to do about it; empty where the message says so itself.
    #[must_use]
    pub const fn help(self) -> &'static str {
        match self {
            Self::MarkWithoutEffect | Self::BudgetOfSingleton | Self::ServiceOfSingleton => "",
            Self::SharedKey => "give each its own value of the label, or leave it out of both: the guard derives one",
            Self::SharedServiceName => {
                "give each a spec.serviceName of its own, or leave it out: the guard derives one"
            }
            Self::UnmarkedWriter => "mark it, or set spec.strategy.type to Recreate",
        }
    }
}
