//! One check of the certificate: where a pair is put into use, what is found in order, and what may go wrong.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::CryptoProvider;
use time::OffsetDateTime;

use super::authority::MakeError;
use super::bundle::BundleError;
use super::directory::DirectoryError;
use super::handshake::{Expected, HandshakeError};
use super::plan::Reason;
use super::secret::{SecretError, SecretRef};
use super::serving::{Pair, PairError, Serving};
use crate::telemetry::metrics::Metrics;

/// What a check has found in order.
pub(super) struct Checked {
    /// What API servers expect of the certificate.
    pub(super) expected: BTreeSet<Expected>,
    /// The time by which they verify.
    pub(super) now: SystemTime,
}

/// Puts a pair into use.
pub(super) struct Presenter {
    serving: Arc<Serving>,
    pub(super) provider: Arc<CryptoProvider>,
    metrics: Metrics,
}

impl Presenter {
    pub(super) const fn new(serving: Arc<Serving>, provider: Arc<CryptoProvider>, metrics: Metrics) -> Self {
        Self { serving, provider, metrics }
    }

    /// Uses the pair from now on.
    pub(super) fn serve(&self, pair: &Pair, now: SystemTime) -> Result<(), PairError> {
        if self.serving.swap(pair, now)? {
            self.metrics.certificate(pair.until());
            tracing::info!(until = %OffsetDateTime::from(pair.until()), "serving with another certificate");
        }
        Ok(())
    }
}

/// What went wrong; for the log and for `/readyz`.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
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
    /// It is not accepted.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// Others were faster every time.
    #[error("Secret {0} was changed by somebody else again and again")]
    Contended(SecretRef),
    /// Somebody has deleted the Secret.
    #[error("Secret {0} is gone; it is made again in a moment, unless this is the end")]
    Gone(SecretRef),
    /// Somebody has taken away what was stored.
    #[error("Secret {secret}: {reason}; waiting for another replica that remembers more")]
    Lost {
        /// Which one.
        secret: SecretRef,
        /// What is there.
        reason: Reason,
    },
    /// No answer.
    #[error("the API server did not answer within {} s", TIMEOUT.as_secs())]
    Slow,
}

/// How long one check may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
