//! The story: what is typed, and what must come of it, with the guard and without.
//!
//! Plain data, in the order in which it is told. `$RS` stands for the ReplicaSet behind the Deployment.

use super::arguments::World;

/// A few commands that belong together.
#[derive(Debug)]
pub(crate) struct Scene {
    /// Its heading.
    pub(crate) title: &'static str,
    /// The world that it can be told in, if it is only one.
    pub(crate) only_in: Option<World>,
    /// The workloads that the guard keeps at one Pod all through it: whose guard nobody has lifted.
    pub(crate) singletons: &'static [&'static str],
    /// What happens.
    pub(crate) steps: &'static [Step],
}

/// One command and what must come of it.
#[derive(Debug)]
pub(crate) enum Step {
    /// It is free, with the guard and without.
    Free {
        /// What is typed.
        command: &'static str,
        /// What the guard says to it all the same; without it there must be no warning.
        warning: Option<&'static str>,
        /// The workloads that it is about, and how many Pods each has in the end.
        pods: &'static [(&'static str, usize)],
    },
    /// The guard refuses it. Without the guard there is a second Pod.
    Refused {
        /// What is typed.
        command: &'static str,
        /// The rule that refuses it.
        code: &'static str,
        /// The singleton.
        workload: &'static str,
        /// How many Pods it has in the end without the guard. One, if a controller takes the second one back.
        copies: usize,
        /// What makes it one Pod again for the next step, if no controller does.
        undo: Option<&'static str>,
    },
    /// It is free, and starts a rollout. Without the guard that runs two Pods for a while.
    Rollout {
        /// What is typed.
        command: &'static str,
        /// What tells, at the end, that it is done.
        status: &'static str,
        /// The Deployment.
        workload: &'static str,
    },
}

/// The file that the first command applies, in the directory where kubectl runs.
pub(crate) const WORKLOADS: (&str, &str) = ("workloads.yaml", include_str!("workloads.yaml"));

/// The Deployment whose ReplicaSet `$RS` stands for.
pub(crate) const DEPLOYMENT: &str = "billing";

/// All of it.
pub(crate) const STORY: [Scene; 6] = [
    Scene {
        title: "A StatefulSet, a ReplicaSet and a Deployment with one label (tests/demo/workloads.yaml)",
        only_in: None,
        singletons: &["ledger", "poller", "billing"],
        steps: &[
            Step::Free {
                command: "kubectl apply -f workloads.yaml",
                warning: Some("gets Recreate"),
                pods: &[("ledger", 1), ("poller", 1), ("billing", 1)],
            },
            Step::Free {
                command: "kubectl get statefulset,replicaset,deployment -L singleton-guard.io/singleton",
                warning: None,
                pods: &[],
            },
        ],
    },
    Scene {
        title: "Somebody wants more copies",
        only_in: None,
        singletons: &["ledger", "poller", "billing"],
        steps: &[
            Step::Refused {
                command: "kubectl scale statefulset ledger --replicas=3",
                code: "SG001",
                workload: "ledger",
                copies: 3,
                undo: Some("kubectl scale statefulset ledger --replicas=1"),
            },
            Step::Refused {
                command: "kubectl scale replicaset poller --replicas=2",
                code: "SG001",
                workload: "poller",
                copies: 2,
                undo: Some("kubectl scale replicaset poller --replicas=1"),
            },
            Step::Refused {
                command: "kubectl scale deployment billing --replicas=2",
                code: "SG001",
                workload: "billing",
                copies: 2,
                undo: Some("kubectl scale deployment billing --replicas=1"),
            },
        ],
    },
    Scene {
        title: "The side door: the ReplicaSet behind the Deployment, which has no label of its own",
        only_in: None,
        singletons: &["ledger", "poller", "billing"],
        steps: &[
            Step::Refused {
                command: "kubectl scale replicaset $RS --replicas=3",
                code: "SG001",
                workload: "billing",
                copies: 1,
                undo: None,
            },
            Step::Refused {
                command: r#"kubectl patch replicaset $RS --patch '{"spec":{"replicas":3}}'"#,
                code: "SG001",
                workload: "billing",
                copies: 1,
                undo: None,
            },
            Step::Refused {
                command: "kubectl label replicaset $RS app-",
                code: "SG007",
                workload: "billing",
                copies: 2,
                undo: Some("kubectl delete replicaset $RS"),
            },
        ],
    },
    Scene {
        title: "A new version is rolled out, and a watch counts the Pods at every revision",
        only_in: None,
        singletons: &["ledger", "poller", "billing"],
        steps: &[Step::Rollout {
            command: "kubectl set image deployment billing app=registry.example/billing:2",
            status: "kubectl rollout status deployment billing --timeout=60s",
            workload: "billing",
        }],
    },
    Scene {
        title: "What stays free: down, up to one again, and everything without the label",
        only_in: Some(World::Guarded),
        singletons: &["ledger", "poller", "billing"],
        steps: &[
            Step::Free {
                command: "kubectl scale statefulset ledger --replicas=0",
                warning: None,
                pods: &[("ledger", 0)],
            },
            Step::Free {
                command: "kubectl scale statefulset ledger --replicas=1",
                warning: None,
                pods: &[("ledger", 1)],
            },
            Step::Free {
                command: "kubectl create deployment web --image=registry.example/web:1",
                warning: None,
                pods: &[("web", 1)],
            },
            Step::Free { command: "kubectl scale deployment web --replicas=5", warning: None, pods: &[("web", 5)] },
        ],
    },
    Scene {
        title: "The ways out: take the label off, or break the glass",
        only_in: Some(World::Guarded),
        singletons: &["ledger"],
        steps: &[
            Step::Free {
                command: "kubectl label replicaset poller singleton-guard.io/singleton-",
                warning: Some("nothing keeps it at one replica"),
                pods: &[("poller", 1)],
            },
            Step::Free {
                command: "kubectl scale replicaset poller --replicas=3",
                warning: None,
                pods: &[("poller", 3)],
            },
            Step::Free {
                command: "kubectl --as=alice --as-group=singleton-guard:break-glass scale deploy billing --replicas=2",
                warning: None,
                pods: &[("billing", 2)],
            },
            Step::Free {
                command: "kubectl scale deployment billing --replicas=1",
                warning: None,
                pods: &[("billing", 1)],
            },
        ],
    },
];
