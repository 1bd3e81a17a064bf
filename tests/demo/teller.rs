//! Tells the story: types each command, shows what came of it, and checks that it is what the story says.

use anyhow::{Context as _, Result, bail, ensure};
use k8s_openapi::api::apps::v1::ReplicaSet;
use kube::ResourceExt as _;
use kube::api::{Api, ListParams};

use super::arguments::World;
use super::census::Census;
use super::screen::Screen;
use super::story::{DEPLOYMENT, STORY, Step};
use crate::lab::Lab;
use crate::lab::tools::Outcome;

/// Somebody who tells the story in one world.
pub(crate) struct Teller<'a> {
    lab: &'a Lab,
    screen: Screen,
    world: World,
    census: Census,
    told: Told,
}

/// What there is to say at the end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    /// Steps that went as the story says.
    pub(crate) steps: usize,
    /// Those that the guard refused.
    pub(crate) refusals: usize,
    /// Those in which a singleton had a second Pod.
    pub(crate) doubled: usize,
    /// The most Pods that a singleton had at any revision, where nobody had lifted the guard on purpose.
    pub(crate) most: usize,
    /// These revisions.
    pub(crate) revisions: usize,
}

impl<'a> Teller<'a> {
    /// To be made before there is a Pod.
    pub(crate) async fn new(lab: &'a Lab, screen: Screen, world: World) -> Result<Self> {
        let census = Census::start(lab.client()).await.context("starting to count Pods")?;
        Ok(Self { lab, screen, world, census, told: Told::default() })
    }

    /// Tells all of it.
    ///
    /// # Errors
    /// At the first step that does not go as the story says: with what was expected and what came instead.
    pub(crate) async fn tell(mut self) -> Result<Told> {
        let mine = |only_in: Option<World>| only_in.is_none_or(|world| world == self.world);
        let scenes: Vec<_> = STORY.iter().filter(|scene| mine(scene.only_in)).collect();
        for (index, scene) in scenes.iter().enumerate() {
            let then = self.census.now();
            self.screen.heading(&format!("{}  {}", index + 1, scene.title));
            for step in scene.steps {
                self.step(step).await?;
                self.told.steps += 1;
            }
            self.look_back(then, scene.singletons)?;
        }
        Ok(self.told)
    }

    /// Checks the whole scene, also the moments between its steps.
    fn look_back(&mut self, then: usize, singletons: &[&str]) -> Result<()> {
        for workload in singletons {
            let most = self.census.most(then, workload);
            if self.world == World::Guarded {
                ensure!(most <= 1, "expected at most one Pod of {workload} in this scene, and there were {most}");
            }
            self.told.most = self.told.most.max(most);
            self.told.revisions += self.census.since(then, workload).count();
        }
        Ok(())
    }

    async fn step(&mut self, step: &Step) -> Result<()> {
        match (step, self.world) {
            (Step::Free { command, warning, pods }, world) => {
                let warning = warning.filter(|_| world == World::Guarded);
                self.free(command, warning, pods).await
            }
            (Step::Refused { command, code, workload, .. }, World::Guarded) => {
                self.refused(command, code, workload).await
            }
            (Step::Refused { command, workload, copies, undo, .. }, World::Plain) => {
                self.doubled(command, workload, *copies, *undo).await
            }
            (Step::Rollout { command, status, workload }, _) => self.rollout(command, status, workload).await,
        }
    }

    async fn free(&mut self, command: &str, warning: Option<&str>, pods: &[(&str, usize)]) -> Result<()> {
        let then = self.census.now();
        let before: Vec<usize> = pods.iter().map(|(workload, _)| self.census.count(workload)).collect();
        let outcome = self.run(command).await?;
        allowed(&outcome)?;
        let warned = outcome.stderr.contains("Warning: ");
        match warning {
            Some(text) => ensure!(outcome.stderr.contains(text), "expected a warning that says {text:?}"),
            None => ensure!(!warned, "expected no warning"),
        }
        let mut counts = Vec::new();
        for ((workload, wanted), before) in pods.iter().zip(before) {
            self.census.settle(then, workload, 0, *wanted).await?;
            let most = self.census.most(then, workload);
            ensure!(most <= before.max(*wanted), "expected at most {wanted} Pods of {workload}, and there were {most}");
            counts.push(format!("{workload} has {}", counted(*wanted)));
        }
        let text = if warned { "allowed, with a warning" } else { "allowed" };
        if !pods.is_empty() {
            self.screen.good(&format!("{text}: {}", counts.join(", ")));
        }
        Ok(())
    }

    async fn refused(&mut self, command: &str, code: &str, workload: &str) -> Result<()> {
        let then = self.census.now();
        let command = self.named(command).await?;
        let outcome = self.run(&command).await?;
        ensure!(!outcome.succeeded(), "expected a refusal with {code}, and it was allowed");
        let refusal = format!("denied the request: {code} ");
        let is_ours = outcome.stderr.contains("(Forbidden)") && outcome.stderr.contains(&refusal);
        ensure!(is_ours, "expected a refusal with {code}, and it failed for another reason");
        self.census.settle(then, workload, 0, 1).await?;
        let most = self.census.most(then, workload);
        ensure!(most == 1, "expected one Pod of {workload} all the time, and there were {most}");
        self.told.refusals += 1;
        self.screen.good(&format!("refused with {code}: {workload} has 1 Pod"));
        Ok(())
    }

    async fn doubled(&mut self, command: &str, workload: &str, copies: usize, undo: Option<&str>) -> Result<()> {
        let then = self.census.now();
        let command = self.named(command).await?;
        // Named now, because the ReplicaSet may not be behind the Deployment any more afterwards.
        let undo = match undo {
            Some(undo) => Some(self.named(undo).await?),
            None => None,
        };
        allowed(&self.run(&command).await?)?;
        self.census.settle(then, workload, 1, copies).await?;
        let most = self.census.most(then, workload);
        ensure!(most >= 2, "expected a second Pod of {workload}, and there was none");
        self.told.doubled += 1;
        if copies > 1 {
            self.screen.trouble(&format!("allowed: {workload} has {}", counted(copies)));
        } else {
            self.screen.trouble(&format!("allowed: {workload} had {} until a controller took it back", counted(most)));
        }
        if let Some(undo) = undo {
            allowed(&self.run(&undo).await?)?;
            self.census.settle(then, workload, 0, 1).await?;
        }
        Ok(())
    }

    async fn rollout(&mut self, command: &str, status: &str, workload: &str) -> Result<()> {
        let then = self.census.now();
        let outcome = self.run(command).await?;
        allowed(&outcome)?;
        ensure!(!outcome.stderr.contains("Warning: "), "expected no warning");
        self.census.settle(then, workload, 1, 1).await?;
        let news: Vec<_> = self.census.since(then, workload).filter(|moment| moment.is_news()).collect();
        self.screen.moments(&news);
        allowed(&self.run(status).await?)?;
        let most = self.census.most(then, workload);
        let revisions = self.census.since(then, workload).count();
        match self.world {
            World::Guarded => {
                // With Recreate, the second does not even exist before the first is gone.
                let mut moments = self.census.since(then, workload);
                let alone = moments.all(|moment| moment.pods + moment.terminating <= 1);
                ensure!(alone, "expected a rollout that never runs two, and there were two Pods of {workload}");
                self.screen.good(&format!(
                    "allowed: {workload} had at most 1 Pod at each of {revisions} revisions, terminating or not"
                ));
            }
            World::Plain => {
                ensure!(most >= 2, "expected a rollout that runs two Pods, and there was {most}");
                self.told.doubled += 1;
                self.screen.trouble(&format!("allowed: {workload} had {} during the rollout", counted(most)));
            }
        }
        Ok(())
    }

    /// Types a command, runs exactly that, and shows all it said.
    async fn run(&self, line: &str) -> Result<Outcome> {
        self.screen.command(line);
        let words = words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let Some((&"kubectl", arguments)) = words.split_first() else {
            bail!("the story has a command that is not kubectl: {line}");
        };
        let outcome = self.lab.kubectl(arguments).await?;
        self.screen.output(&outcome);
        Ok(outcome)
    }

    /// The command with the name of the ReplicaSet behind the Deployment.
    async fn named(&self, command: &str) -> Result<String> {
        if !command.contains(REPLICA_SET) {
            return Ok(command.to_owned());
        }
        let sets: Api<ReplicaSet> = Api::default_namespaced(self.lab.client());
        let list = sets.list(&ListParams::default().labels(&format!("app={DEPLOYMENT}"))).await?;
        let runs = |set: &&ReplicaSet| set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1) > 0;
        let set = list.items.iter().find(runs).with_context(|| format!("{DEPLOYMENT} has no ReplicaSet"))?;
        Ok(command.replace(REPLICA_SET, &set.name_any()))
    }
}

fn allowed(outcome: &Outcome) -> Result<()> {
    ensure!(outcome.succeeded(), "expected it to be allowed, and kubectl exited with {}", outcome.code);
    Ok(())
}

fn counted(pods: usize) -> String {
    if pods == 1 { "1 Pod".to_owned() } else { format!("{pods} Pods") }
}

/// The words of a command line as a shell would pass them on, as far as the story needs it: single quotes.
fn words(line: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Stands for the name of that ReplicaSet.
const REPLICA_SET: &str = "$RS";
