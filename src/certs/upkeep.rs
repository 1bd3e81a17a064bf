//! The loop that keeps the certificate: whatever anybody does to the Secret or to the webhook configurations is put
//! right within seconds. It uses the wall clock: a machine that slept must not believe that no time has passed.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kube::Client;
use rustls::crypto::CryptoProvider;
use tokio::time::{sleep, timeout};

use super::authority::{self, MakeError, Material};
use super::bundle::{BundleError, Configuration};
use super::directory::{Directory, DirectoryError};
use super::plan::{Plan, plan};
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
        Self { source, serving, provider, metrics, right: readiness.require("certificate"), trouble: None }
    }

    /// Never ends.
    pub async fn run(mut self) {
        let mut met = false;
        loop {
            let outcome = timeout(PASS, self.pass()).await.unwrap_or(Err(Trouble::Slow));
            let pause = match outcome {
                Ok(()) => {
                    if self.trouble.take().is_some() {
                        tracing::info!("the certificate is right again");
                    }
                    self.right.meet();
                    met = true;
                    EVERY
                }
                Err(trouble) => {
                    let trouble = trouble.to_string();
                    if !met {
                        self.right.withdraw(&trouble);
                    }
                    if self.trouble.as_ref() != Some(&trouble) {
                        tracing::error!(cause = trouble, "the certificate is not right; trying again");
                    }
                    self.trouble = Some(trouble);
                    AGAIN
                }
            };
            sleep(pause).await;
        }
    }

    async fn pass(&self) -> Result<(), Trouble> {
        match &self.source {
            Source::Given(directory) => {
                let pair = directory.read(&self.provider).await?;
                self.serve(&pair).map_err(|cause| directory.rejected(cause).into())
            }
            Source::Own(own) => self.pass_own(own).await,
        }
    }

    /// A pair that takes the place of another is served only when everybody trusts it.
    async fn pass_own(&self, own: &Own) -> Result<(), Trouble> {
        let material = own.material(&self.provider).await?;
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
                Err(error) => result = Err(error.into()),
            }
        }
        result.and_then(|()| Ok(self.serve(&pair)?))
    }

    fn serve(&self, pair: &Pair) -> Result<(), PairError> {
        if self.serving.swap(pair, SystemTime::now())? {
            self.metrics.certificate(pair.until());
            tracing::info!(until = ?pair.until(), "serving with another certificate");
        }
        Ok(())
    }
}

impl Own {
    /// What is stored, made first if need be. Whichever replica is first, all end with the same.
    async fn material(&self, provider: &CryptoProvider) -> Result<Material, Trouble> {
        for _ in 0..ATTEMPTS {
            let mut snapshot = self.secret.read(&self.client).await?;
            let now = SystemTime::now();
            let names = self.names.iter().map(String::as_str);
            let reason = match (plan(&snapshot.stored(provider), names, now), snapshot.material.take()) {
                (Plan::Keep, Some(material)) => return Ok(material),
                (Plan::Keep, None) => continue,
                (Plan::Make { reason }, _) => reason,
            };
            let material = authority::make(&self.names, now)?;
            if self.secret.write(&self.client, snapshot, &material).await? == Written::Stored {
                tracing::info!(%reason, secret = %self.secret, "made an authority and a certificate");
                return Ok(material);
            }
        }
        Err(Trouble::Contended(self.secret.clone()))
    }
}

/// What went wrong in one pass; for the log and for `/readyz`.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error(transparent)]
    Make(#[from] MakeError),
    #[error(transparent)]
    Pair(#[from] PairError),
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    #[error("Secret {0} was changed by somebody else {ATTEMPTS} times in a row")]
    Contended(SecretRef),
    #[error("the API server did not answer within {} s", PASS.as_secs())]
    Slow,
}

const EVERY: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_secs(1);
const PASS: Duration = Duration::from_secs(10);
/// Each lost race means that another replica has written, and what it wrote is right for us, too.
const ATTEMPTS: usize = 5;
