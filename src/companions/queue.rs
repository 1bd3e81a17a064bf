//! What is to be worked on, and when. A key is worked on by one at a time; what happens to it meanwhile is not lost.
//! A failure waits longer each time, with jitter, so that replicas that failed together do not try again together.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

/// Keys by the time at which they are due.
#[derive(Debug)]
pub(super) struct Queue<K> {
    due: BTreeSet<(Instant, K)>,
    when: HashMap<K, Instant>,
    running: HashSet<K>,
    meanwhile: HashMap<K, Instant>,
    failures: HashMap<K, u32>,
}

impl<K: Clone + Ord + Hash> Queue<K> {
    /// To be worked on after this delay, or earlier if it is waited for earlier already.
    pub(super) fn add(&mut self, key: K, delay: Duration) {
        let at = Instant::now() + delay;
        if self.running.contains(&key) {
            let earliest = self.meanwhile.get(&key).map_or(at, |other| at.min(*other));
            self.meanwhile.insert(key, earliest);
            return;
        }
        match self.when.get(&key) {
            Some(earlier) if *earlier <= at => {}
            later => {
                if let Some(later) = later {
                    self.due.remove(&(*later, key.clone()));
                }
                self.when.insert(key.clone(), at);
                self.due.insert((at, key));
            }
        }
    }

    /// When the next one is due.
    pub(super) fn next_at(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// One that is due, if there is one. It counts as running until [`Queue::done`]. Where many are due it is any of
    /// them: replicas that went through a long list in the same order would meet at every entry.
    pub(super) fn take(&mut self) -> Option<K> {
        let now = Instant::now();
        let due = self.due.iter().take_while(|(at, _)| *at <= now).take(CHOICE).count();
        let chosen = self.due.iter().nth(fastrand::usize(..due.max(1))).filter(|_| due > 0)?.clone();
        self.due.remove(&chosen);
        let (_, key) = chosen;
        self.when.remove(&key);
        self.running.insert(key.clone());
        Some(key)
    }

    /// Work on it has ended well.
    pub(super) fn done(&mut self, key: &K) {
        self.failures.remove(key);
        self.ended(key);
    }

    /// Work on it has failed: again after a while, or earlier if something was heard of it meanwhile.
    pub(super) fn failed(&mut self, key: &K) {
        let failures = self.failures.entry(key.clone()).or_default();
        let wait = FIRST.saturating_mul(2_u32.saturating_pow(*failures)).min(LAST);
        *failures = failures.saturating_add(1);
        self.ended(key);
        self.add(key.clone(), wait.mul_f64(0.5 + fastrand::f64()));
    }

    fn ended(&mut self, key: &K) {
        self.running.remove(key);
        if let Some(at) = self.meanwhile.remove(key) {
            self.add(key.clone(), at.saturating_duration_since(Instant::now()));
        }
    }
}

impl<K> Default for Queue<K> {
    fn default() -> Self {
        Self {
            due: BTreeSet::new(),
            when: HashMap::new(),
            running: HashSet::new(),
            meanwhile: HashMap::new(),
            failures: HashMap::new(),
        }
    }
}

/// Enough that two replicas seldom choose alike, few enough to count each time.
const CHOICE: usize = 256;
const FIRST: Duration = Duration::from_millis(250);
/// The longest wait after a failure. Controllers built with controller-runtime wait at most 1000 s; a cluster that is
/// well again should not wait that long for a budget.
const LAST: Duration = Duration::from_secs(60);
