//! What breaks: chosen by chance, one actor for each part of the cluster, each fault repaired before that actor's next.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;
use http::Method;
use serde_json::json;
use tokio::sync::watch;

use super::form::Form;
use super::living::Living;
use super::steps::call;
use super::watching::Watching;
use super::workloads::Workload;
use crate::common::api::Answer;
use crate::common::workloads::guards;
use crate::lab::Lab;
use crate::lab::component::Signal;
use crate::lab::control_plane::Part;
use crate::lab::node::Node;

/// What they do it to, and until when.
pub struct Faults<'a> {
    pub lab: &'a Lab,
    pub living: &'a Living,
    pub watching: &'a Watching,
    pub workloads: &'a [Workload],
    pub form: &'a Form,
    /// Set at the end.
    pub over: watch::Receiver<bool>,
}

/// How often each has happened.
pub type Tally = BTreeMap<&'static str, u64>;

impl Faults<'_> {
    /// Components of the control plane are killed, and stopped for a while.
    pub async fn components(&self, mut chance: Rng) -> Result<Tally> {
        let mut tally = Tally::new();
        while self.goes_on(seconds(&mut chance, 1, self.form.calm)).await {
            let (part, killed, stopped) = match chance.u8(..10) {
                0 => (Part::ApiServer, "API server killed", "API server stopped"),
                1..6 => (Part::ControllerManager, "controller-manager killed", "controller-manager stopped"),
                _ => (Part::Scheduler, "scheduler killed", "scheduler stopped"),
            };
            if chance.u8(..3) == 0 {
                self.lab.restart(part).await?;
                count(&mut tally, killed);
            } else {
                self.lab.signal(part, Signal::Stop).await?;
                self.goes_on(outage(&mut chance)).await;
                self.lab.signal(part, Signal::Continue).await?;
                count(&mut tally, stopped);
            }
        }
        Ok(tally)
    }

    /// Our replicas are killed, and stopped for a while: one, or both.
    pub async fn replicas(&self, mut chance: Rng) -> Result<Tally> {
        let mut tally = Tally::new();
        while self.goes_on(millis(&mut chance, 500, 5000)).await {
            let mut pods = guards(self.lab);
            if chance.bool() && !pods.is_empty() {
                pods.swap_remove(chance.usize(..pods.len()));
            }
            let kills = chance.u8(..3) > 0;
            for pod in &pods {
                // It may have ended meanwhile.
                let _ = self.lab.node().kill(pod, if kills { Signal::Kill } else { Signal::Stop }).await;
                count(&mut tally, if kills { "replicas of ours killed" } else { "replicas of ours stopped" });
            }
            if !kills {
                self.goes_on(outage(&mut chance)).await;
                for pod in &pods {
                    let _ = self.lab.node().kill(pod, Signal::Continue).await;
                }
            }
        }
        Ok(tally)
    }

    /// A namespace may have no Pod more, or one, and then as many as it likes.
    pub async fn quotas(&self, mut chance: Rng) -> Result<Tally> {
        let (client, mut tally) = (self.lab.client(), Tally::new());
        while self.goes_on(millis(&mut chance, 200, 2000)).await {
            let namespace = &self.workloads[chance.usize(..self.workloads.len())].namespace;
            let pods = chance.u8(..2).to_string();
            let quotas = format!("/api/v1/namespaces/{namespace}/resourcequotas");
            let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "squeeze"},
                "spec": {"hard": {"pods": pods}}});
            // The API server may be away. At the end all are taken off again.
            let _ = call(&client, Method::POST, &quotas, &quota).await;
            self.goes_on(millis(&mut chance, 100, 1000)).await;
            let _ = call(&client, Method::DELETE, &format!("{quotas}/squeeze"), &json!({})).await;
            count(&mut tally, "quotas flipped");
        }
        Ok(tally)
    }

    /// A node is silent for a while; sometimes somebody declares it dead meanwhile, and is wrong.
    pub async fn nodes(&self, mut chance: Rng) -> Result<Tally> {
        let (client, mut tally) = (self.lab.client(), Tally::new());
        while self.goes_on(seconds(&mut chance, 1, 4)).await {
            let node = &self.lab.others()[chance.usize(..self.lab.others().len())];
            node.silence();
            let is_deleted = chance.u8(..6) == 0 && self.form.nodes_die;
            if is_deleted {
                // From the request on: nobody knows when it is heard.
                self.living.declare_dead(node);
                let _ = call(&client, Method::DELETE, &format!("/api/v1/nodes/{}", node.name()), &json!({})).await;
            }
            self.goes_on(if is_deleted { seconds(&mut chance, 1, 75) } else { outage(&mut chance) }).await;
            if is_deleted {
                while node.register_again().await.is_err() {
                    tokio::time::sleep(AGAIN).await;
                }
                self.living.disregard(self.bound_to(node).await);
                // Its kubelet may have heard of others, before it fell silent, that the collector has taken out since.
                self.living.disregard(self.watching.seen(|seen| seen.given_to(node.name())));
            }
            node.wake();
            count(&mut tally, if is_deleted { "nodes declared dead" } else { "nodes silent" });
        }
        Ok(tally)
    }

    /// The Pods on a node, by uid. Where the node has just been registered again they are all that the Pod garbage
    /// collector, which saw before that the node was gone, may still take out.
    async fn bound_to(&self, node: &Node) -> Vec<String> {
        let (client, path) = (self.lab.client(), format!("/api/v1/pods?fieldSelector=spec.nodeName={}", node.name()));
        loop {
            if let Ok(list) = call(&client, Method::GET, &path, &json!(null)).await.and_then(Answer::success) {
                let pods = list["items"].as_array().into_iter().flatten();
                return pods.filter_map(|pod| Some(pod["metadata"]["uid"].as_str()?.to_owned())).collect();
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Waits for so long, unless it is over. Whether it goes on.
    async fn goes_on(&self, pause: Duration) -> bool {
        let mut over = self.over.clone();
        tokio::time::timeout(pause, over.wait_for(|over| *over)).await.is_err()
    }
}

/// Most are short, so that there are many; some outlast every deadline of a webhook.
fn outage(chance: &mut Rng) -> Duration {
    if chance.u8(..5) == 0 { seconds(chance, 1, 10) } else { millis(chance, 50, 1500) }
}

fn seconds(chance: &mut Rng, least: u64, most: u64) -> Duration {
    millis(chance, least * 1000, most * 1000)
}

fn millis(chance: &mut Rng, least: u64, most: u64) -> Duration {
    Duration::from_millis(chance.u64(least..=most))
}

const AGAIN: Duration = Duration::from_millis(500);

fn count(tally: &mut Tally, what: &'static str) {
    *tally.entry(what).or_default() += 1;
}
