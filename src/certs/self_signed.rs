//! A pair of our own making: what the plan says, done. Any replica may do any step; who is late finds it done.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};

use kube::Client;
use rustls::crypto::CryptoProvider;

use super::authority::Maker;
use super::bundle::WebhookConfiguration;
use super::check::{CheckError, Checked, Presenter};
use super::facts;
use super::handshake::Expected;
use super::lifetimes::Lifetimes;
use super::material::Material;
use super::plan::{Plan, Reason, Stored, plan};
use super::secret::{Reading, SecretRef, Snapshot, Written};
use super::serving::Pair;

/// Stored in a Secret, trusted through webhook configurations.
pub struct SelfSigned {
    /// The API server.
    pub client: Client,
    /// Where it is kept.
    pub secret: SecretRef,
    /// DNS names and IP addresses that the leaf carries, in their usual spelling.
    pub names: Vec<String>,
    /// Who must trust it.
    pub configurations: Vec<WebhookConfiguration>,
    /// How long certificates are valid.
    pub lifetimes: Lifetimes,
}

/// What this replica remembers from look to look.
#[derive(Default)]
pub(super) struct Memory {
    /// What was last served, to be put back if somebody takes it away; and when it was last seen stored.
    held: Option<(Snapshot, Material, Instant)>,
    /// Since when the trust in this material was seen everywhere, in these generations of the configurations: what
    /// somebody broke and another replica repaired between two looks counts from the repair.
    published: Option<(Material, Vec<Option<i64>>, Instant)>,
    /// Since when nothing that can be used is stored.
    lost: Option<Instant>,
}

impl SelfSigned {
    /// Looks at everything once, does what is due, and puts into use what is stored then.
    ///
    /// What is stored is published before the next step is planned, so a switch follows right upon a look at every
    /// configuration. But a leaf that is due is made anew first: nobody has to be told, and telling takes time.
    ///
    /// Whoever drains stores nothing: it goes by the names and lifetimes of an older chart perhaps, and may remember
    /// what those that stay have left behind.
    pub(super) async fn pass(
        &self,
        memory: &mut Memory,
        presenter: &Presenter,
        draining: bool,
    ) -> Result<Checked, CheckError> {
        for _ in 0..ATTEMPTS {
            let read = Instant::now();
            let Reading { snapshot, now } = self.secret.read(&self.client).await?;
            let Some(snapshot) = snapshot else {
                self.create(memory, draining).await?;
                continue;
            };
            let stored = snapshot.stored(&presenter.provider);
            let outcome = match &snapshot.material {
                Some(material) if !matches!(self.plan(&stored, now, None), Plan::Start(_) | Plan::Renew(_)) => {
                    self.apply(memory, presenter, &snapshot, material, read, now).await
                }
                _ => Ok(BTreeSet::new()),
            };
            let plan = self.plan(&stored, now, snapshot.material.as_ref().and_then(|it| memory.published_for(it)));
            if plan == Plan::Keep {
                memory.lost = None;
            }
            if plan == Plan::Keep || draining {
                return outcome.map(|expected| Checked { expected, now });
            }
            let material = self.carry_out(&plan, memory, &snapshot, &stored, now, &presenter.provider)?;
            if self.secret.write(&self.client, &snapshot, &material).await? == Written::Stored {
                tracing::info!(step = ?plan, secret = %self.secret, "stored certificates");
            }
        }
        Err(CheckError::Contended(self.secret.clone()))
    }

    /// Publishes and serves what is stored.
    ///
    /// A leaf whose authority is trusted already is served at once. One that came out of nowhere, because what was
    /// stored is lost, waits until everybody trusts it.
    async fn apply(
        &self,
        memory: &mut Memory,
        presenter: &Presenter,
        snapshot: &Snapshot,
        material: &Material,
        read: Instant,
        now: SystemTime,
    ) -> Result<BTreeSet<Expected>, CheckError> {
        let pair = Pair::parse(material.leaf.as_bytes(), material.leaf_key.as_bytes(), &presenter.provider);
        let serve = |memory: &mut Memory| -> Result<(), CheckError> {
            presenter.serve(&pair?, now)?;
            memory.held = Some((snapshot.clone(), material.clone(), Instant::now()));
            Ok(())
        };
        if memory.held.as_ref().is_none_or(|(_, held, _)| material.still_trusts(held)) {
            let served = serve(memory);
            let expected = self.publish(memory, material, read).await?;
            served.map(|()| expected)
        } else {
            let expected = self.publish(memory, material, read).await?;
            serve(memory).map(|()| expected)
        }
    }

    /// The material that a step leads to.
    fn carry_out(
        &self,
        plan: &Plan,
        memory: &mut Memory,
        snapshot: &Snapshot,
        stored: &Stored,
        now: SystemTime,
        provider: &CryptoProvider,
    ) -> Result<Material, CheckError> {
        let maker = Maker { names: &self.names, lifetimes: &self.lifetimes, now };
        let reason = match (plan, snapshot.material.clone(), stored) {
            (Plan::Renew(_), Some(material), Stored::Material(facts)) => return Ok(maker.renew(material, facts)?),
            (Plan::Announce(_), Some(material), _) => return Ok(maker.announce(material)?),
            (Plan::Switch, Some(material), Stored::Material(facts)) => return Ok(maker.switch(material, facts)?),
            (Plan::Keep, Some(material), _) => return Ok(material),
            (Plan::Retire, Some(material), _) => return Ok(Material { previous: None, ..material }),
            (Plan::Start(reason), ..) => reason,
            _ => &Reason::Nothing,
        };
        match self.remembered(memory, reason, now, provider)? {
            Some(material) => Ok(material),
            None => Ok(maker.start()?),
        }
    }

    /// Makes every configuration trust the material. One that cannot be written must not keep the others from it.
    async fn publish(
        &self,
        memory: &mut Memory,
        material: &Material,
        read: Instant,
    ) -> Result<BTreeSet<Expected>, CheckError> {
        let (bundle, mut result, mut generations) = (material.bundle(), Ok(()), Vec::new());
        let mut expected = BTreeSet::new();
        for configuration in &self.configurations {
            match configuration.trust(&self.client, &bundle, read + self.lifetimes.settle() / 2).await {
                Ok(trusted) => {
                    generations.push(trusted.generation);
                    expected.extend(trusted.expected);
                    if trusted.written {
                        tracing::info!(%configuration, "wrote caBundle");
                    }
                }
                Err(error) => result = result.and(Err(error.into())),
            }
        }
        memory.saw_published(material, result.is_ok().then_some(generations));
        result.map(|()| expected)
    }

    /// Somebody has deleted the Secret. It is made again after a while: whoever uninstalls deletes it, too, and must not
    /// find it there again.
    async fn create(&self, memory: &mut Memory, draining: bool) -> Result<(), CheckError> {
        let gone = *memory.lost.get_or_insert_with(Instant::now);
        if draining || gone.elapsed() < self.lifetimes.check_interval() {
            return Err(CheckError::Gone(self.secret.clone()));
        }
        let before = memory.held.as_ref().map(|(snapshot, ..)| snapshot);
        self.secret.create(&self.client, before).await?;
        tracing::info!(secret = %self.secret, "made the Secret again, which somebody has deleted");
        Ok(())
    }

    /// What this replica served last, if it can be used, in place of what is stored and cannot.
    ///
    /// One that has not looked for long may remember what others have left behind: it lets them go first.
    fn remembered(
        &self,
        memory: &mut Memory,
        reason: &Reason,
        now: SystemTime,
        provider: &CryptoProvider,
    ) -> Result<Option<Material>, CheckError> {
        let lost = *memory.lost.get_or_insert_with(Instant::now);
        let patience = self.lifetimes.check_interval() * 2;
        let held = memory.held.as_ref();
        let recent = held.is_some_and(|(.., seen)| lost.saturating_duration_since(*seen) < patience);
        let first = held.is_none() && *reason == Reason::Nothing;
        if !recent && !first && lost.elapsed() < patience {
            return Err(CheckError::Lost { secret: self.secret.clone(), reason: reason.clone() });
        }
        let usable =
            |material: &&Material| !matches!(self.plan(&facts::read(material, provider), now, None), Plan::Start(_));
        Ok(held.map(|(_, material, _)| material).filter(usable).cloned())
    }

    fn plan(&self, stored: &Stored, now: SystemTime, published: Option<Duration>) -> Plan {
        plan(stored, self.names.iter().map(String::as_str), &self.lifetimes, now, published)
    }
}

impl Memory {
    fn published_for(&self, material: &Material) -> Option<Duration> {
        let (published, _, since) = self.published.as_ref()?;
        published.same_trust(material).then(|| since.elapsed())
    }

    /// The generations are none if it is not everywhere.
    fn saw_published(&mut self, material: &Material, generations: Option<Vec<Option<i64>>>) {
        self.published = generations.map(|generations| match self.published.take() {
            Some((published, before, since)) if before == generations && published.same_trust(material) => {
                (published, before, since)
            }
            _ => (material.clone(), generations, Instant::now()),
        });
    }
}

/// Each lost race means that another replica has written, and what it wrote is right for us, too.
const ATTEMPTS: usize = 8;
