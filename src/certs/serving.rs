//! The pair in use. A new one is checked before it takes the place of the old one; on any error the old one stays.

use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::x509;

/// A certificate chain with the private key of its first certificate, known to belong together.
#[derive(Debug, Clone)]
pub struct Pair {
    key: Arc<CertifiedKey>,
    until: SystemTime,
}

/// Why a pair cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// The certificate file is not PEM, or holds no certificate.
    #[error("tls.crt: {0}")]
    Certificate(String),
    /// The key file is not PEM, or holds no private key.
    #[error("tls.key: {0}")]
    Key(#[source] PemError),
    /// The key does not belong to the certificate, or is of a kind that is not supported.
    #[error("tls.crt and tls.key: {0}")]
    Rejected(#[source] rustls::Error),
    /// It has ended.
    #[error("tls.crt: the certificate is no longer valid")]
    Ended,
}

/// Gives each TLS handshake the pair in use. Without one every handshake fails.
#[derive(Debug, Default)]
pub struct Serving(ArcSwapOption<CertifiedKey>);

impl Pair {
    /// Reads `tls.crt` (leaf first) and `tls.key`, both PEM, and checks that they belong together.
    ///
    /// # Errors
    /// [`PairError`], which names the file.
    pub fn parse(certificate: &[u8], key: &[u8], provider: &CryptoProvider) -> Result<Self, PairError> {
        let chain = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| PairError::Certificate(error.to_string()))?;
        let leaf = chain.first().ok_or_else(|| PairError::Certificate("no certificate in it".to_owned()))?;
        let until = x509::validity(leaf).map_err(PairError::Certificate)?.until;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(PairError::Key)?;
        let key = CertifiedKey::from_der(chain, key, provider).map_err(PairError::Rejected)?;
        Ok(Self { key: Arc::new(key), until })
    }

    /// End of the leaf's validity.
    #[must_use]
    pub const fn until(&self) -> SystemTime {
        self.until
    }
}

impl Serving {
    /// Uses this pair from the next handshake on. Says whether it is another one than before.
    ///
    /// # Errors
    /// [`PairError::Ended`]: no client would accept it, so the one in use stays.
    pub fn swap(&self, pair: &Pair, now: SystemTime) -> Result<bool, PairError> {
        if pair.until <= now {
            return Err(PairError::Ended);
        }
        let before = self.0.swap(Some(Arc::clone(&pair.key)));
        Ok(before.is_none_or(|before| before.cert != pair.key.cert))
    }

    /// Whether there is one.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.0.load().is_some()
    }
}

impl ResolvesServerCert for Serving {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}
