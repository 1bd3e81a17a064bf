//! The loop that keeps the certificate: whatever anybody does to the Secret or to the webhook configurations is put
//! right within seconds.
//!
//! Times of certificates are read from the API server's clock, or from the wall clock where no API server is asked; how
//! long something has lasted is measured by a clock that only goes forward.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kube::Client;
use rustls::crypto::CryptoProvider;
use tokio::time::{sleep, timeout};

use super::bundle::Configuration;
use super::directory::Directory;
use super::handshake::HandshakeError;
use super::look::{LOOK, Looked, Shown, Trouble};
use super::own::{Memory, Own};
use super::serving::Serving;
use crate::server::{Condition, Door, Readiness};
use crate::telemetry::metrics::Metrics;

/// Where the pair comes from.
pub enum Source {
    /// This process makes it.
    Own(Own),
    /// Somebody else keeps it, and sees to it that the API server trusts it.
    Given(Given),
}

/// A pair that somebody else keeps.
pub struct Given {
    /// Where it is.
    pub directory: Directory,
    /// Through which API server, and in which configurations, to see that it is trusted. Nothing is written.
    pub trusted_in: Option<(Client, Vec<Configuration>)>,
}

/// Keeps the pair in use right.
pub struct Upkeep {
    source: Source,
    memory: Memory,
    shown: Shown,
    door: Option<Door>,
    readiness: Readiness,
    right: Condition,
    met: bool,
    /// The last thing that went wrong, so that it is said once and not with every attempt.
    trouble: Option<String>,
}

impl Upkeep {
    /// Adds a condition to readiness: a pair is loaded, every configuration trusts it, and a handshake shows it. Once
    /// met it stays so while an API server cannot be reached, or will not have something written; it does not while a
    /// handshake shows that no API server can call this replica.
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
            memory: Memory::default(),
            shown: Shown::new(serving, provider, metrics),
            door: None,
            readiness: readiness.clone(),
            right: readiness.require("certificate"),
            met: false,
            trouble: None,
        }
    }

    /// Opens this door once there is a pair that is trusted, and shakes hands behind it with every look.
    #[must_use]
    pub fn opening(self, door: Door) -> Self {
        Self { door: Some(door), ..self }
    }

    /// Never ends.
    pub async fn run(mut self) {
        let every = match &self.source {
            Source::Own(own) => own.lifetimes.look(),
            Source::Given(_) => FILES,
        };
        loop {
            let pause = if self.look().await.is_ok() { every } else { every.min(AGAIN) };
            sleep(pause).await;
        }
    }

    /// Looks once, and puts right what is not.
    ///
    /// # Errors
    /// `Trouble`, which is in the log already, and in the readiness condition if that was never met.
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
                let refused = matches!(trouble, Trouble::Handshake(HandshakeError::Refused { .. }));
                let trouble = trouble.to_string();
                if !self.met || refused {
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
        let Looked { told, now } = match &self.source {
            Source::Given(given) => given.pass(&self.shown).await?,
            Source::Own(own) => own.pass(&mut self.memory, &self.shown, self.readiness.is_draining()).await?,
        };
        if let Some(door) = &mut self.door {
            door.open();
            for told in &told {
                told.verify(door.address(), now, &self.shown.provider).await?;
            }
        }
        Ok(())
    }
}

impl Given {
    async fn pass(&self, shown: &Shown) -> Result<Looked, Trouble> {
        let (pair, now) = (self.directory.read(&shown.provider).await?, SystemTime::now());
        shown.serve(&pair, now).map_err(|cause| self.directory.rejected(cause))?;
        let mut told = BTreeSet::new();
        if let Some((client, configurations)) = &self.trusted_in {
            for configuration in configurations {
                told.extend(configuration.told(client).await?);
            }
        }
        Ok(Looked { told, now })
    }
}

/// How often files are read.
const FILES: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_secs(1);
