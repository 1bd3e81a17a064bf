//! What the nodes say of their processes, brought to the checker in the order in which it happens.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use kube::ResourceExt as _;
use singleton_guard::api::key::KEY;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::count::{Identity, Violation};
use super::processes::{Deed, Processes};
use crate::lab::Lab;
use crate::lab::node::{Life, Node};

/// A checker at work.
pub struct Living {
    started: Instant,
    processes: Arc<Mutex<Processes>>,
    _task: JoinSet<()>,
}

impl Living {
    /// From now on, of the nodes beside the guard's own.
    pub fn start(lab: &Lab) -> Self {
        let (lives, mut told) = mpsc::unbounded_channel();
        lab.others().iter().for_each(|node| node.tell(lives.clone()));
        let (started, processes) = (Instant::now(), Arc::new(Mutex::new(Processes::default())));
        let (seen, mut task) = (Arc::clone(&processes), JoinSet::new());
        task.spawn(async move {
            while let Some(life) = told.recv().await {
                locked(&seen).apply(&at(started), &deed(life));
            }
        });
        Self { started, processes, _task: task }
    }

    /// Somebody has said so of this node.
    pub fn declare_dead(&self, node: &Node) {
        locked(&self.processes).declare_dead(&at(self.started), node.name());
    }

    /// What these Pods start does not count: their node was declared dead before it started them.
    pub fn disregard(&self, pods: Vec<String>) {
        locked(&self.processes).disregard(pods);
    }

    /// How many have been started, and which were too many.
    pub fn found(&self) -> (u64, Vec<Violation>) {
        let processes = locked(&self.processes);
        (processes.count.begun, processes.count.violations.clone())
    }
}

fn deed(Life { node, pod, begins }: Life) -> Deed {
    let (uid, name) = (pod.uid().unwrap_or_default(), pod.name_any());
    if !begins {
        return Deed::Ended { uid };
    }
    let key = pod.labels().get(KEY).unwrap_or(&name).clone();
    Deed::Started { node, identity: Identity { namespace: pod.namespace().unwrap_or_default(), key }, uid, name }
}

fn at(started: Instant) -> String {
    format!("{:.3} s", started.elapsed().as_secs_f64())
}

fn locked(processes: &Mutex<Processes>) -> MutexGuard<'_, Processes> {
    processes.lock().unwrap_or_else(PoisonError::into_inner)
}
