//! A small cluster with one kind of workload, its writers, and one replica of ours that watches it. Every step that
//! anybody can take is an [`Action`]; what is known of the kind, and what that proves, is the shipped [`Snapshot`].

use std::collections::BTreeMap;

use singleton_guard::cluster::revision::Revision;
use singleton_guard::freshness::change::{Change, NamespacedName, Version};
use singleton_guard::freshness::snapshot::{Snapshot, Verdict};

/// The cluster, and all that is under way in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    store: Store,
    backup: Option<Store>,
    /// Every uid is used once, whatever is restored.
    uids: u64,
    watch: Watch,
    known: Snapshot,
    scales: Vec<Scale>,
    /// What went wrong, in words.
    pub wrong: Option<String>,
    /// What was answered without a question.
    pub proven: usize,
    /// What had to be asked for.
    pub asked: usize,
}

/// etcd: the workloads, and every change in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Store {
    revision: u64,
    workloads: BTreeMap<u8, Workload>,
    changes: Vec<(u64, u8, Option<Workload>)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Workload {
    uid: u64,
    revision: u64,
    marked: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Watch {
    /// There is none.
    Cut,
    /// The list was made, and is on its way.
    Listed(Snapshot, usize),
    /// So many changes were told.
    Follows(usize),
}

/// A request that scales up, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Scale {
    name: u8,
    found: Workload,
    allowed: Option<bool>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Action {
    /// Somebody writes a workload: creates it, or changes something else about it.
    Write(u8),
    /// Somebody puts the mark on, or takes it off.
    Mark(u8, bool),
    /// Somebody deletes it.
    Delete(u8),
    /// An API server reads a workload that is to be scaled up, and sends the review.
    Scale(u8),
    /// We answer it.
    Decide(usize),
    /// The API server stores what was allowed, or notices that the version is not the same any more.
    Store(usize),
    /// Our replica lists.
    List,
    /// The list arrives, and the watch begins.
    Begin,
    /// The watch tells the next change.
    Tell,
    /// The watch tells that there was no other change.
    Bookmark,
    /// The watch ends, by whatever cause: its time, a connection, a revision that is forgotten.
    Cut,
    /// etcd is saved.
    Save,
    /// etcd is restored: every API server begins again, and so does whoever talks to it.
    Restore,
}

impl World {
    /// Nothing has happened yet.
    pub fn new() -> Self {
        let store = Store { revision: 1, ..Store::default() };
        let (watch, known) = (Watch::Cut, Snapshot::default());
        Self { store, backup: None, uids: 0, watch, known, scales: Vec::new(), wrong: None, proven: 0, asked: 0 }
    }

    /// What can happen next, with so many workloads and requests at a time.
    pub fn actions(&self, names: u8, scales: usize, restores: bool) -> Vec<Action> {
        let mut actions = Vec::new();
        for name in 0..names {
            actions.push(Action::Write(name));
            if let Some(workload) = self.store.workloads.get(&name) {
                actions.extend([Action::Mark(name, !workload.marked), Action::Delete(name)]);
                if self.scales.len() < scales {
                    actions.push(Action::Scale(name));
                }
            }
        }
        for (index, scale) in self.scales.iter().enumerate() {
            actions.push(if scale.allowed.is_none() { Action::Decide(index) } else { Action::Store(index) });
        }
        match &self.watch {
            Watch::Cut => actions.push(Action::List),
            Watch::Listed(..) => actions.extend([Action::Begin, Action::Cut]),
            Watch::Follows(told) if *told < self.store.changes.len() => actions.extend([Action::Tell, Action::Cut]),
            Watch::Follows(_) => actions.extend([Action::Bookmark, Action::Cut]),
        }
        if restores {
            actions.push(if self.backup.is_none() { Action::Save } else { Action::Restore });
        }
        actions
    }

    /// Takes a step.
    pub fn step(&mut self, action: &Action) {
        match action {
            Action::Write(name) => {
                self.uids += 1;
                let new = Workload { uid: self.uids, revision: 0, marked: false };
                let workload = self.store.workloads.get(name).cloned().unwrap_or(new);
                self.store.put(*name, Some(workload));
            }
            Action::Mark(name, marked) => {
                if let Some(workload) = self.store.workloads.get(name).cloned() {
                    self.store.put(*name, Some(Workload { marked: *marked, ..workload }));
                }
            }
            Action::Delete(name) => self.store.put(*name, None),
            Action::Scale(name) => {
                let found = self.store.workloads.get(name).cloned();
                self.scales.extend(found.map(|found| Scale { name: *name, found, allowed: None }));
            }
            Action::Decide(index) => self.decide(*index),
            Action::Store(index) => self.put(*index),
            Action::List => self.watch = Watch::Listed(self.store.list(), self.store.changes.len()),
            Action::Begin => {
                if let Watch::Listed(known, told) = std::mem::replace(&mut self.watch, Watch::Cut) {
                    (self.known, self.watch) = (known, Watch::Follows(told));
                }
            }
            Action::Tell => self.tell(),
            Action::Bookmark => self.apply(Change::Bookmark(revision(self.store.revision))),
            Action::Cut => self.cut(),
            Action::Save => self.backup = Some(self.store.clone()),
            Action::Restore => {
                self.store = self.backup.take().unwrap_or_default();
                self.scales.clear();
                self.cut();
            }
        }
    }

    fn decide(&mut self, index: usize) {
        let Scale { name, found, allowed } = &mut self.scales[index];
        let verdict = self.known.verdict(NAMESPACE, &text(*name), &found.uid.to_string(), revision(found.revision));
        let marked = match verdict {
            Verdict::Unmarked => false,
            Verdict::Marked => true,
            // A look-up: as it is now, if it is still the same.
            Verdict::Behind | Verdict::Other | Verdict::Blind => {
                let now = self.store.workloads.get(name).filter(|now| now.uid == found.uid);
                now.is_none_or(|now| now.marked)
            }
        };
        match verdict {
            Verdict::Unmarked | Verdict::Marked => self.proven += 1,
            _ => self.asked += 1,
        }
        if verdict == Verdict::Marked && !found.marked {
            self.wrong = Some("a version that is not marked counts as marked".to_owned());
        }
        *allowed = Some(!marked);
    }

    fn put(&mut self, index: usize) {
        let Scale { name, found, allowed } = self.scales.remove(index);
        let is_same = self.store.workloads.get(&name) == Some(&found);
        if is_same && allowed == Some(true) {
            if found.marked {
                self.wrong = Some("a singleton was scaled up".to_owned());
            }
            self.store.put(name, Some(found));
        }
    }

    fn tell(&mut self) {
        let Watch::Follows(told) = &mut self.watch else { return };
        let (at, name, workload) = self.store.changes[*told].clone();
        *told += 1;
        let event = match workload {
            Some(workload) => Change::Written(named(name), workload.version()),
            None => Change::Deleted(named(name), revision(at)),
        };
        self.apply(event);
    }

    fn apply(&mut self, event: Change<'_>) {
        if self.known.apply(event).is_err() {
            self.wrong = Some("a watch in order was taken for one that is not".to_owned());
        }
    }

    fn cut(&mut self) {
        self.watch = Watch::Cut;
        self.known.forget();
    }
}

impl Store {
    fn put(&mut self, name: u8, workload: Option<Workload>) {
        self.revision += 1;
        let workload = workload.map(|workload| Workload { revision: self.revision, ..workload });
        match &workload {
            Some(workload) => self.workloads.insert(name, workload.clone()),
            None => self.workloads.remove(&name),
        };
        self.changes.push((self.revision, name, workload));
    }

    fn list(&self) -> Snapshot {
        let marked = self.workloads.iter().filter(|(_, workload)| workload.marked);
        Snapshot::listed(marked.map(|(name, workload)| (named(*name), workload.version())), revision(self.revision))
    }
}

impl Workload {
    fn version(&self) -> Version<'static> {
        Version {
            uid: self.uid.to_string().into(),
            revision: revision(self.revision),
            marked: self.marked,
            owner: None,
        }
    }
}

fn named(name: u8) -> NamespacedName<'static> {
    NamespacedName { namespace: NAMESPACE.into(), name: text(name).into() }
}

fn text(name: u8) -> String {
    format!("ledger-{name}")
}

fn revision(number: u64) -> Revision {
    Revision::parse(&number.to_string()).expect("a revision")
}

const NAMESPACE: &str = "pay";
