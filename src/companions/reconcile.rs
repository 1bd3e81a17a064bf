//! The work on one workload: the steps of its plan, the stamps, and what is said about them.

use kube::Client;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::backoff::object;
use super::events::{happened, refused, say, skipped};
use super::memory::Memory;
use super::stamp::{self, Standing};
use super::write::{self, Written};
use crate::api::kind::{Kind, Kinds, Makes};
use crate::api::reference::Regarding;
use crate::cluster::call::CallError;
use crate::companions::plan::{BudgetSpec, Companion, Existing, Plan, Step, Workload, released};
use crate::events::{Event, Recorder};
use crate::index::Key;
use crate::index::marked::{Marked, Unread};
use crate::settings::Settings;
use crate::telemetry::metrics::Metrics;

/// What is to be done.
#[derive(Debug)]
pub(super) enum Reconcile {
    /// For a marked workload.
    Keep(Box<Keep>),
    /// After one that is not marked any more, or gone.
    Release { key: Key, left: Left },
}

/// What a workload has left behind.
#[derive(Debug, Default)]
pub(super) struct Left {
    /// Its budgets.
    pub(super) budgets: Vec<Existing<BudgetSpec>>,
    /// The ReplicaSets with our stamp.
    pub(super) sets: Vec<Workload>,
    /// What is not ours any more and has to be let go of.
    pub(super) let_go: Vec<Step>,
}

#[derive(Debug)]
pub(super) struct Keep {
    kind: Kind,
    about: Regarding,
    plan: Plan,
    /// The states that were said before.
    said: Vec<Event>,
    /// The states to be said now.
    states: Vec<Event>,
    stamp: Option<(Workload, String)>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) uid: String,
    pub(super) said: Vec<Event>,
    pub(super) stamped: Option<String>,
    /// The companions that were written, or removed.
    pub(super) written: Vec<(Companion, String)>,
    /// What went wrong.
    pub(super) errors: Vec<Failure>,
}

/// One thing that went wrong.
#[derive(Debug)]
pub(super) struct Failure {
    /// The rule of RBAC that it took.
    pub(super) right: String,
    pub(super) error: CallError,
    /// Whether it is among the states that are said.
    pub(super) is_said: bool,
}

impl Reconcile {
    /// For a marked workload; nothing if there is nothing to write and nothing new to say.
    pub(super) fn keep(marked: &Marked, kinds: Kinds, plan: Plan, memory: &Memory) -> Option<Self> {
        let Marked { workload, replicas, revision, .. } = marked;
        let about = Regarding::workload(workload.kind, &workload.namespace, &workload.name, &workload.uid);
        let mut states: Vec<_> = plan.skipped.iter().map(|(companion, why)| skipped(*companion, why)).collect();
        states.extend(plan.window.and_then(|until| OffsetDateTime::from(until).format(&Rfc3339).ok()).map(|until| {
            Event {
                reason: "SingletonDisruptionAllowed",
                note: format!("a drain may evict the Pod until {until}; afterwards it has to wait again"),
                is_warning: false,
                is_state: true,
            }
        }));
        if *replicas > 1 && !marked.is_behind_maker(kinds) {
            states.push(Event {
                reason: "SingletonAboveOne",
                note: format!(
                    "this singleton has {replicas} replicas: scale it to 1; if spec.replicas is 1, the others are about to end"
                ),
                is_warning: true,
                is_state: true,
            });
        }
        let behind = revision.clone().filter(|revision| memory.stamped.as_ref() != Some(revision));
        let stamp = behind.filter(|_| workload.kind.info().makes == Makes::ReplicaSets && !workload.is_deleted);
        let keep = Keep {
            kind: workload.kind,
            about,
            plan,
            said: memory.said.clone(),
            states,
            stamp: stamp.map(|revision| (workload.clone(), revision)),
        };
        let is_new = keep.said != keep.states || keep.stamp.is_some() || !keep.plan.steps.is_empty();
        is_new.then(|| Self::Keep(Box::new(keep)))
    }

    /// For a marked workload that cannot be read: what it has stays as it is, and that is said.
    pub(super) fn unread(key: &Key, unread: &Unread, memory: &Memory) -> Option<Self> {
        let state = Event {
            reason: "SingletonUnreadable",
            note: format!("its companions stay as they are, and a Pod that has ended is not replaced: {}", unread.why),
            is_warning: true,
            is_state: true,
        };
        let keep = Keep {
            kind: key.of,
            about: Regarding::workload(key.of, &key.namespace, &key.name, &unread.uid),
            plan: Plan::default(),
            said: memory.said.clone(),
            states: vec![state],
            stamp: None,
        };
        (keep.said != keep.states).then(|| Self::Keep(Box::new(keep)))
    }

    /// After one that is not among the marked; nothing if it left nothing behind.
    pub(super) fn release(key: &Key, left: Left) -> Option<Self> {
        let is_anything = !left.budgets.is_empty() || !left.sets.is_empty() || !left.let_go.is_empty();
        is_anything.then(|| Self::Release { key: key.clone(), left })
    }

    /// Does it.
    pub(super) async fn run(
        self,
        client: &Client,
        recorder: &Recorder,
        metrics: &Metrics,
        settings: &Settings,
    ) -> Done {
        let kind = match &self {
            Self::Keep(keep) => keep.kind,
            Self::Release { key, .. } => key.of,
        };
        let done = match self {
            Self::Keep(keep) => keep.run(client, recorder, metrics, settings).await,
            Self::Release { key, left } => {
                let released = release(client, recorder, metrics, settings, &key, &left).await;
                Done { errors: released.err().into_iter().collect(), ..Done::default() }
            }
        };
        metrics.companions.reconciled(kind.info().metrics.main, if done.errors.is_empty() { "ok" } else { "error" });
        done
    }
}

impl Keep {
    async fn run(self, client: &Client, recorder: &Recorder, metrics: &Metrics, settings: &Settings) -> Done {
        let Self { kind, about, plan, said, mut states, stamp } = self;
        let mut done = Done { uid: about.uid.clone(), ..Done::default() };
        for step in &plan.steps {
            match carry_out(client, metrics, settings, &about.namespace, step).await {
                Ok(Written::Skipped(why)) => states.push(skipped(step.companion(), &why)),
                Ok(Written::Overtaken) => {}
                Ok(written) => {
                    // What is not ours any more is of no interest.
                    done.written.extend((written != Written::LetGo).then(|| object(step)));
                    if let Some(event) = happened((&about.name, kind), step, &written, (&states, &said)) {
                        say(recorder, &about, &event).await;
                    }
                }
                // The other steps do not depend on this one.
                Err(mut failure) => {
                    if let CallError::Refused(message) = &failure.error {
                        // A quota also tells how much is used, which is another number each time.
                        let message = message.split(", used: ").next().unwrap_or_default().to_owned();
                        states.push(refused(step, message));
                        failure.is_said = true;
                    }
                    done.errors.push(failure);
                }
            }
        }
        for state in states.iter().filter(|state| !said.contains(state)) {
            say(recorder, &about, state).await;
        }
        if let Some((deployment, revision)) = stamp {
            match stamp::stamp(client, &deployment, settings).await {
                Ok(count) => {
                    metrics.companions.stamped(count);
                    done.stamped = Some(revision);
                }
                Err(error) => done.errors.push(Failure::new(("apps", "replicasets", "list, patch"), error)),
            }
        }
        done.said = states;
        done
    }
}

async fn release(
    client: &Client,
    recorder: &Recorder,
    metrics: &Metrics,
    settings: &Settings,
    key: &Key,
    Left { budgets, sets, let_go }: &Left,
) -> Result<(), Failure> {
    let done = async |step: &Step, uid: &str| {
        let written = carry_out(client, metrics, settings, &key.namespace, step).await?;
        if let Some(event) = happened((&key.name, key.of), step, &written, (&[], &[])) {
            say(recorder, &Regarding::workload(key.of, &key.namespace, &key.name, uid), &event).await;
        }
        Ok(())
    };
    for step in let_go {
        if let Step::LetGo { owner, .. } = step {
            done(step, owner).await?;
        }
    }
    if budgets.is_empty() && sets.is_empty() {
        return Ok(());
    }
    let info = key.of.info();
    let standing = stamp::standing(client, key, &settings.mark).await;
    let owner = match standing.map_err(|error| Failure::new((info.group, info.resource, "get"), error))? {
        Standing::Released(owner) => owner,
        Standing::Other => return Ok(()),
    };
    for step in &released(&owner, &budgets.iter().collect::<Vec<_>>()).steps {
        done(step, &owner.uid).await?;
    }
    for set in sets.iter().filter(|set| set.controller.as_ref().is_some_and(|held| held.uid == owner.uid)) {
        let unstamped = stamp::unstamp(client, set, settings).await;
        unstamped.map_err(|error| Failure::new(("apps", "replicasets", "patch"), error))?;
    }
    Ok(())
}

/// Carries out one step, and counts it.
async fn carry_out(
    client: &Client,
    metrics: &Metrics,
    settings: &Settings,
    namespace: &str,
    step: &Step,
) -> Result<Written, Failure> {
    let written = write::write(client, namespace, &settings.companions.managed_by, step).await;
    let written = written.map_err(|error| Failure::new(write::right(step), error))?;
    metrics.companions.wrote(step.companion().kind(), written.result());
    Ok(written)
}

impl Failure {
    fn new((group, resource, verbs): (&str, &str, &str), error: CallError) -> Self {
        let right = format!("apiGroups: [\"{group}\"], resources: [{resource}], verbs: [{verbs}]");
        Self { right, error, is_said: false }
    }
}
