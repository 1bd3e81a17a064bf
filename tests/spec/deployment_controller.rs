//! The Deployment controller and the ReplicaSet controller next to it, as far as they scale. The model follows
//! kubernetes/kubernetes, `pkg/controller/deployment` (`sync.go`, `recreate.go`, `rolling.go` and `util`), function by
//! function; the live cases show where it counts that the real ones do so too.
//!
//! One thing is assumed: the ReplicaSet controller is at most one write behind. (A status cannot show ReplicaSets that were
//! scaled twice and have not made a Pod since.)

use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub struct World {
    pub deployment: Deployment,
    /// From the oldest to the newest.
    pub sets: Vec<Set>,
    /// The ReplicaSet controller has not seen the last change of one.
    pub is_behind: bool,
    pub quota: i64,
}

#[derive(Debug, Clone)]
pub struct Deployment {
    pub replicas: i64,
    pub template: u8,
    pub strategy: Rollout,
    pub paused: bool,
    pub generation: u64,
    pub status: Status,
}

#[derive(Debug, Clone, Default)]
pub struct Status {
    pub observed: u64,
    pub replicas: i64,
    pub updated: i64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rollout {
    Recreate,
    Rolling { surge: i64 },
}

/// A ReplicaSet with its annotations `desired-replicas` and `max-replicas`.
#[derive(Debug, Clone)]
pub struct Set {
    pub template: u8,
    pub replicas: i64,
    pub running: i64,
    pub desired: i64,
    pub max: i64,
}

#[derive(Debug, Clone)]
pub enum Act {
    Edit(Edit),
    /// The Deployment controller works once.
    Sync,
    /// The ReplicaSet controller makes and ends Pods.
    Run,
    /// Somebody deletes a Pod.
    Lose(usize),
    /// No more Pods than so many can be made.
    Quota(i64),
}

#[derive(Debug, Clone)]
pub struct Edit {
    pub replicas: Option<i64>,
    pub template: Option<u8>,
    pub strategy: Option<Rollout>,
    pub paused: Option<bool>,
}

impl World {
    pub fn new(replicas: i64) -> Self {
        let deployment = Deployment {
            replicas,
            template: 0,
            strategy: Rollout::Rolling { surge: 1 },
            paused: false,
            generation: 1,
            status: Status::default(),
        };
        Self { deployment, sets: Vec::new(), is_behind: false, quota: MANY }
    }

    pub fn act(&mut self, act: Act) {
        match act {
            Act::Edit(edit) => self.deployment.edit(&edit),
            Act::Sync => {
                if self.is_behind {
                    self.act(Act::Run);
                }
                let before: Vec<_> = self.sets.iter().map(|set| set.replicas).collect();
                self.sync();
                self.is_behind = before != self.sets.iter().map(|set| set.replicas).collect::<Vec<_>>();
            }
            Act::Run => {
                self.run();
                self.is_behind = false;
            }
            Act::Lose(set) => {
                let count = self.sets.len().max(1);
                if let Some(set) = self.sets.get_mut(set % count) {
                    set.running = (set.running - 1).max(0);
                }
            }
            Act::Quota(quota) => self.quota = quota,
        }
    }

    fn run(&mut self) {
        for set in &mut self.sets {
            set.running = set.running.min(set.replicas);
        }
        let mut room = self.quota - self.sets.iter().map(|set| set.running).sum::<i64>();
        for set in self.sets.iter_mut().rev() {
            let more = (set.replicas - set.running).min(room).max(0);
            set.running += more;
            room -= more;
        }
    }

    fn sync(&mut self) {
        let is_scaled = self.active().iter().any(|&set| self.sets[set].desired != self.deployment.replicas);
        if self.deployment.paused || is_scaled {
            self.scale();
        } else {
            match self.deployment.strategy {
                Rollout::Recreate => self.recreate(),
                Rollout::Rolling { .. } => self.roll(),
            }
        }
        self.deployment.status = Status {
            observed: self.deployment.generation,
            replicas: self.sets.iter().map(|set| set.running).sum(),
            updated: self.newest().map_or(0, |new| self.sets[new].running),
        };
    }

    /// The ReplicaSet of the Deployment's template.
    fn newest(&self) -> Option<usize> {
        self.sets.iter().position(|set| set.template == self.deployment.template)
    }

    fn active(&self) -> Vec<usize> {
        (0..self.sets.len()).filter(|&set| self.sets[set].replicas > 0).collect()
    }

    fn total(&self) -> i64 {
        self.sets.iter().map(|set| set.replicas).sum()
    }

    /// `scaleReplicaSet`: the size and the annotations.
    fn resize(&mut self, set: usize, replicas: i64) {
        let (desired, max) = (self.deployment.replicas, self.deployment.replicas + self.deployment.surge());
        self.sets[set] = Set { replicas, desired, max, ..self.sets[set].clone() };
    }

    /// `scaleReplicaSetAndRecordEvent`: nothing where the size is right.
    fn size(&mut self, set: usize, replicas: i64) -> bool {
        let differs = self.sets[set].replicas != replicas;
        if differs {
            self.resize(set, replicas);
        }
        differs
    }

    fn scale(&mut self) {
        let (active, new, wanted) = (self.active(), self.newest(), self.deployment.replicas);
        if let [only] = active[..] {
            self.size(only, wanted);
            return;
        }
        if active.is_empty() {
            if let Some(latest) = new.or(self.sets.len().checked_sub(1)) {
                self.size(latest, wanted);
            }
            return;
        }
        let is_full = |set: &Set| set.desired == wanted && set.replicas == wanted && set.available() == wanted;
        if new.is_some_and(|new| is_full(&self.sets[new])) {
            for set in active.into_iter().filter(|set| Some(*set) != new) {
                self.size(set, 0);
            }
            return;
        }
        if self.deployment.strategy != Rollout::Recreate {
            self.scale_in_proportion(active);
        }
    }

    fn scale_in_proportion(&mut self, mut active: Vec<usize>) {
        let deployment = self.deployment.clone();
        let allowed = if deployment.replicas > 0 { deployment.replicas + deployment.surge() } else { 0 };
        let to_add = allowed - self.total();
        // By size, and of equal ones the newer first where Pods are added, the older first where they are taken.
        active.sort_by_key(|&set| {
            let age = i64::try_from(set).expect("few");
            (-self.sets[set].replicas, if to_add > 0 { -age } else { age })
        });
        let mut added = 0;
        let sizes: Vec<_> = active
            .iter()
            .map(|&set| {
                let set = &self.sets[set];
                let most = deployment.replicas + deployment.surge();
                // Rounded half up, as the controller does with its floating point numbers.
                let share = (2 * set.replicas * most + set.max).div_euclid(2 * set.max.max(1)) - set.replicas;
                let share = if deployment.replicas == 0 { -set.replicas } else { share };
                let left = to_add - added;
                let part = match to_add {
                    0 => 0,
                    more if more > 0 => share.min(left),
                    _ => share.max(left),
                };
                added += part;
                set.replicas + part
            })
            .collect();
        for (at, (set, size)) in active.into_iter().zip(sizes).enumerate() {
            let leftover = if at == 0 { to_add - added } else { 0 };
            self.resize(set, (size + leftover).max(0));
        }
    }

    fn recreate(&mut self) {
        let new = self.newest();
        let old: Vec<_> = (0..self.sets.len()).filter(|set| Some(*set) != new).collect();
        let ended = old.iter().filter(|&&set| self.size(set, 0)).count();
        if ended > 0 || old.iter().any(|&set| self.sets[set].running > 0) {
            return;
        }
        let wanted = self.deployment.replicas;
        let new = new.unwrap_or_else(|| self.create(wanted));
        self.size(new, wanted);
    }

    fn create(&mut self, replicas: i64) -> usize {
        self.sets.push(Set { template: self.deployment.template, replicas: 0, running: 0, desired: 0, max: 0 });
        self.resize(self.sets.len() - 1, replicas);
        self.sets.len() - 1
    }

    fn roll(&mut self) {
        let (wanted, most) = (self.deployment.replicas, self.deployment.replicas + self.deployment.surge());
        let room = |world: &Self, now: i64| (most - world.total()).max(0).min(wanted - now).max(0);
        let Some(new) = self.newest() else {
            let replicas = room(self, 0);
            self.create(replicas);
            return;
        };
        let now = self.sets[new].replicas;
        let next = if now > wanted { wanted } else { now + room(self, now) };
        if self.size(new, next) {
            return;
        }
        self.end_old(new);
    }

    /// `reconcileOldReplicaSets`: first those that are not available.
    fn end_old(&mut self, new: usize) {
        let old: Vec<_> = self.active().into_iter().filter(|&set| set != new).collect();
        let least = self.deployment.replicas - self.deployment.unavailable().min(self.deployment.replicas);
        let not_available = self.sets[new].replicas - self.sets[new].available();
        let most = self.total() - least - not_available;
        if old.is_empty() || most <= 0 {
            return;
        }
        let mut ended = 0;
        for &set in &old {
            let ends = (self.sets[set].replicas - self.sets[set].available()).clamp(0, most - ended);
            self.size(set, self.sets[set].replicas - ends);
            ended += ends;
        }
        let available: i64 = self.sets.iter().map(Set::available).sum();
        let mut left = (available - least).max(0);
        for set in old {
            let ends = self.sets[set].replicas.min(left);
            self.size(set, self.sets[set].replicas - ends);
            left -= ends;
        }
    }
}

impl Set {
    /// The Pods of the second template never become ready.
    fn available(&self) -> i64 {
        if self.template == 1 { 0 } else { self.running }
    }
}

impl Deployment {
    pub fn edit(&mut self, edit: &Edit) {
        let before = (self.replicas, self.template, self.strategy, self.paused);
        self.replicas = edit.replicas.unwrap_or(self.replicas);
        self.template = edit.template.unwrap_or(self.template);
        self.strategy = edit.strategy.unwrap_or(self.strategy);
        self.paused = edit.paused.unwrap_or(self.paused);
        self.generation += u64::from(before != (self.replicas, self.template, self.strategy, self.paused));
    }

    fn surge(&self) -> i64 {
        match self.strategy {
            Rollout::Recreate => 0,
            Rollout::Rolling { surge } => surge,
        }
    }

    /// Of 25 %: both cannot be 0.
    fn unavailable(&self) -> i64 {
        (self.replicas / 4).max(i64::from(self.surge() == 0))
    }

    pub fn object(&self, status: &Status, labels: &Value) -> Value {
        let strategy = match self.strategy {
            Rollout::Recreate => json!({"type": "Recreate"}),
            Rollout::Rolling { surge } => json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge}}),
        };
        json!({
            "kind": "Deployment",
            "metadata": {"name": "ledger", "namespace": "pay", "labels": labels, "generation": self.generation},
            "spec": {"replicas": self.replicas, "strategy": strategy, "paused": self.paused,
                "template": {"metadata": {"labels": {"release": self.template.to_string()}}}},
            "status": {"observedGeneration": status.observed, "replicas": status.replicas, "updatedReplicas": status.updated},
        })
    }
}

/// A quota that keeps nothing back.
pub const MANY: i64 = 99;
