//! The loop that keeps the certificate: whatever anybody does to the Secret or to the webhook configurations is put
//! right within seconds. It uses the wall clock: a machine that slept must not believe that no time has passed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kube::Client;
use rustls::crypto::CryptoProvider;
use time::OffsetDateTime;
use tokio::time::{sleep, timeout};

use super::authority::{self, MakeError, Material};
use super::bundle::{BundleError, Configuration};
use super::directory::{Directory, DirectoryError};
use super::facts;
use super::plan::{Plan, Stored, plan};
use super::secret::{SecretError, SecretRef, Written};
use super::serving::{Pair, PairError, Serving};
use crate::server::{Condition, Readiness};
use crate::telemetry::metrics::Metrics;

/// A pair of our own making: stored in a Secret, trusted through webhook configurations.
#[derive(Clone)]
pub struct Own {
    /// The API server.
    pub client: Client,
    /// Where it is kept.
    pub secret: SecretRef,
    /// DNS names and IP addresses that the leaf carries, in their usual spelling.
    pub names: Vec<String>,
    /// Who must trust it.
    pub configurations: Vec<Configuration>,
}

/// Where the pair comes from.
#[derive(Clone)]
pub enum Source {
    /// This process makes it.
    Own(Own),
    /// Somebody else keeps it, and sees to it that the API server trusts it.
    Given(Directory),
}

/// Keeps the pair in use right.
pub struct Upkeep {
    source: Source,
    serving: Arc<Serving>,
    provider: Arc<CryptoProvider>,
    metrics: Metrics,
    right: Condition,
    met: bool,
    /// What was last stored, to be put back if somebody takes it away.
    held: Option<Material>,
    /// The last thing that went wrong, so that it is said once and not with every attempt.
    trouble: Option<String>,
}

impl Upkeep {
    /// Adds a condition to readiness: a pair is loaded, and (for one of our own) every configuration trusts it. Once
    /// met it stays so: while one configuration cannot be written the others still work.
    #[must_use]
    pub fn new(
        source: Source,
        serving: Arc<Serving>,
        provider: Arc<CryptoProvider>,
        metrics: Metrics,
        readiness: &Readiness,
    ) -> Self {
        Self {
            source,
            serving,
            provider,
            metrics,
            right: readiness.require("certificate"),
            met: false,
            held: None,
            trouble: None,
        }
    }

    /// Never ends.
    pub async fn run(mut self) {
        loop {
            let pause = if self.look().await.is_ok() { EVERY } else { AGAIN };
            sleep(pause).await;
        }
    }

    /// Looks once, and puts right what is not.
    ///
    /// # Errors
    /// [`Trouble`], which is in the log already, and in the readiness condition if that was never met.
    pub async fn look(&mut self) -> Result<(), Trouble> {
        // kube has no time limit for an answer.
        let outcome = timeout(LOOK, self.pass()).await.unwrap_or(Err(Trouble::Slow));
        match &outcome {
            Ok(()) => {
                if self.trouble.take().is_some() {
                    tracing::info!("the certificate is right again");
                }
                self.met = true;
                self.right.meet();
            }
            Err(trouble) => {
                let trouble = trouble.to_string();
                if !self.met {
                    self.right.withdraw(&trouble);
                }
                if self.trouble.as_ref() != Some(&trouble) {
                    tracing::error!(cause = trouble, "the certificate is not right; trying again");
                }
                self.trouble = Some(trouble);
            }
        }
        outcome
    }

    async fn pass(&mut self) -> Result<(), Trouble> {
        match self.source.clone() {
            Source::Given(directory) => {
                let pair = directory.read(&self.provider).await?;
                self.serve(&pair).map_err(|cause| directory.rejected(cause).into())
            }
            Source::Own(own) => self.pass_own(&own).await,
        }
    }

    /// A pair that takes the place of another is served only when everybody trusts it.
    async fn pass_own(&mut self, own: &Own) -> Result<(), Trouble> {
        let material = own.material(self.held.as_ref(), &self.provider).await?;
        let pair = Pair::parse(material.leaf.as_bytes(), material.leaf_key.as_bytes(), &self.provider)?;
        if !self.serving.is_loaded() {
            self.serve(&pair)?;
        }
        // One that cannot be written must not keep the others from being written.
        let mut result = Ok(());
        for configuration in &own.configurations {
            match configuration.trust(&own.client, &material.authority).await {
                Ok(true) => tracing::info!(%configuration, "wrote caBundle"),
                Ok(false) => {}
                Err(error) => result = result.and(Err(error.into())),
            }
        }
        self.held = Some(material);
        result.and_then(|()| Ok(self.serve(&pair)?))
    }

    fn serve(&self, pair: &Pair) -> Result<(), PairError> {
        if self.serving.swap(pair, SystemTime::now())? {
            self.metrics.certificate(pair.until());
            tracing::info!(until = %OffsetDateTime::from(pair.until()), "serving with another certificate");
        }
        Ok(())
    }
}

impl Own {
    /// What is stored, if it can be used; else what was stored before, or something new. Whichever replica is first,
    /// all end with the same.
    async fn material(&self, held: Option<&Material>, provider: &CryptoProvider) -> Result<Material, Trouble> {
        for _ in 0..ATTEMPTS {
            let now = SystemTime::now();
            let mut snapshot = self.secret.read(&self.client).await?;
            let reason = match (self.plan(&snapshot.stored(provider), now), snapshot.material.take()) {
                (Plan::Keep, Some(material)) => return Ok(material),
                (Plan::Keep, None) => continue,
                (Plan::Make { reason }, _) => reason,
            };
            let held = held.filter(|held| self.plan(&facts::read(held, provider), now) == Plan::Keep);
            let material = match held {
                Some(held) => held.clone(),
                None => authority::make(&self.names, now)?,
            };
            if self.secret.write(&self.client, snapshot, &material).await? == Written::Stored {
                let origin = if held.is_some() { "the one in use" } else { "a new one" };
                tracing::info!(%reason, origin, secret = %self.secret, "stored a certificate");
                return Ok(material);
            }
        }
        Err(Trouble::Contended(self.secret.clone()))
    }

    fn plan(&self, stored: &Stored, now: SystemTime) -> Plan {
        plan(stored, self.names.iter().map(String::as_str), now)
    }
}

/// What went wrong; for the log and for `/readyz`.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The Secret cannot be read or written.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A webhook configuration cannot be read or written.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// No certificate can be made.
    #[error(transparent)]
    Make(#[from] MakeError),
    /// What is stored cannot be served.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// The files cannot be served.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Others were faster every time.
    #[error("Secret {0} was changed by somebody else {ATTEMPTS} times in a row")]
    Contended(SecretRef),
    /// No answer.
    #[error("the API server did not answer within {} s", LOOK.as_secs())]
    Slow,
}

const EVERY: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_secs(10);
/// Each lost race means that another replica has written, and what it wrote is right for us, too.
const ATTEMPTS: usize = 5;
