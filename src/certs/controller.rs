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

use super::bundle::WebhookConfiguration;
use super::check::{CheckError, Checked, Presenter, TIMEOUT};
use super::directory::Directory;
use super::handshake::HandshakeError;
use super::self_signed::{Memory, SelfSigned};
use super::serving::Serving;
use crate::server::{Condition, GatedListener, Readiness};
use crate::telemetry::metrics::Metrics;

/// Where the pair comes from.
pub enum Source {
    /// This process makes it.
    SelfSigned(SelfSigned),
    /// Somebody else keeps it, and sees to it that the API server trusts it.
    Provided(Provided),
}

/// A pair that somebody else keeps.
pub struct Provided {
    /// Where it is.
    pub directory: Directory,
    /// Through which API server, and in which configurations, to see that it is trusted. Nothing is written.
    pub trusted_in: Option<(Client, Vec<WebhookConfiguration>)>,
}

/// Keeps the pair in use right.
pub struct Controller {
    source: Source,
    memory: Memory,
    presenter: Presenter,
    listener: Option<GatedListener>,
    readiness: Readiness,
    right: Condition,
    met: bool,
    /// The last thing that went wrong, so that it is said once and not with every attempt.
    trouble: Option<String>,
}

impl Controller {
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
            presenter: Presenter::new(serving, provider, metrics),
            listener: None,
            readiness: readiness.clone(),
            right: readiness.require("certificate"),
            met: false,
            trouble: None,
        }
    }

    /// Opens this listener once there is a pair that is trusted, and shakes hands behind it with every check.
    #[must_use]
    pub fn opening(self, listener: GatedListener) -> Self {
        Self { listener: Some(listener), ..self }
    }

    /// Never ends.
    pub async fn run(mut self) {
        let every = match &self.source {
            Source::SelfSigned(own) => own.lifetimes.check_interval(),
            Source::Provided(_) => FILES,
        };
        loop {
            let pause = if self.check().await.is_ok() { every } else { every.min(AGAIN) };
            sleep(pause).await;
        }
    }

    /// Checks everything once, and puts right what is not.
    ///
    /// # Errors
    /// `CheckError`, which is in the log already, and in the readiness condition if that was never met.
    pub async fn check(&mut self) -> Result<(), CheckError> {
        // kube has no time limit for an answer.
        let outcome = timeout(TIMEOUT, self.pass()).await.unwrap_or(Err(CheckError::Slow));
        match &outcome {
            Ok(()) => {
                if self.trouble.take().is_some() {
                    tracing::info!("the certificate is right again");
                }
                self.met = true;
                self.right.meet();
            }
            Err(trouble) => {
                let refused = matches!(trouble, CheckError::Handshake(HandshakeError::Refused { .. }));
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

    async fn pass(&mut self) -> Result<(), CheckError> {
        let Checked { expected, now } = match &self.source {
            Source::Provided(given) => given.pass(&self.presenter).await?,
            Source::SelfSigned(own) => {
                own.pass(&mut self.memory, &self.presenter, self.readiness.is_draining()).await?
            }
        };
        if let Some(listener) = &mut self.listener {
            listener.open();
            for expected in &expected {
                expected.verify(listener.address(), now, &self.presenter.provider).await?;
            }
        }
        Ok(())
    }
}

impl Provided {
    async fn pass(&self, presenter: &Presenter) -> Result<Checked, CheckError> {
        let (pair, now) = (self.directory.read(&presenter.provider).await?, SystemTime::now());
        presenter.serve(&pair, now).map_err(|cause| self.directory.rejected(cause))?;
        let mut expected = BTreeSet::new();
        if let Some((client, configurations)) = &self.trusted_in {
            for configuration in configurations {
                expected.extend(configuration.expected(client).await?);
            }
        }
        Ok(Checked { expected, now })
    }
}

/// How often files are read.
const FILES: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_secs(1);
