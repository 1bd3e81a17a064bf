//! The checker of processes: from when a node starts what a Pod asks for until that has really ended, whatever the API
//! server knows. Pure. Those of a node that was declared dead count no longer: they may run on, and nobody can know. Nor do
//! those that it starts when it comes back, for Pods that it was given before.

use std::collections::{HashMap, HashSet};

use super::count::{Count, Identity};

/// What a node has done.
#[derive(Debug, Clone)]
pub enum Deed {
    Started { node: String, identity: Identity, uid: String, name: String },
    Ended { uid: String },
}

/// What runs.
#[derive(Debug, Default)]
pub struct Processes {
    nodes: HashMap<String, String>,
    disregarded: HashSet<String>,
    pub count: Count,
}

impl Processes {
    /// The next deed, at a time.
    pub fn apply(&mut self, at: &str, deed: &Deed) {
        match deed {
            Deed::Started { uid, .. } if self.disregarded.contains(uid) => {}
            Deed::Started { node, identity, uid, name } => {
                self.nodes.insert(uid.clone(), node.clone());
                self.count.begin(at, identity, uid, &format!("{name} on {node}"));
            }
            Deed::Ended { uid } => {
                self.nodes.remove(uid);
                self.count.end(at, uid, "has ended");
            }
        }
    }

    /// What these Pods start from now on does not count.
    pub fn disregard(&mut self, pods: Vec<String>) {
        self.disregarded.extend(pods);
    }

    /// Somebody says that what ran on this node does not run any more.
    pub fn declare_dead(&mut self, at: &str, node: &str) {
        let lost: Vec<_> = self.nodes.iter().filter(|(_, on)| *on == node).map(|(uid, _)| uid.clone()).collect();
        for uid in lost {
            self.count.end(at, &uid, "is declared dead with its node");
        }
    }
}
