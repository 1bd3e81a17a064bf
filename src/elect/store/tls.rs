//! TLS to a store, from files as its users have them. They are read for each new connection, so what was rotated counts
//! from the next one on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::Failed;

#[cfg(feature = "aws-lc")]
use rustls::crypto::aws_lc_rs as chosen;
#[cfg(all(feature = "ring", not(feature = "aws-lc")))]
use rustls::crypto::ring as chosen;

#[cfg(not(any(feature = "aws-lc", feature = "ring")))]
compile_error!("feature \"elect\" needs its cryptography: choose feature \"aws-lc\" (the default) or \"ring\"");

/// Whom to trust, and who one is.
#[derive(Debug, Clone)]
pub struct Files {
    /// The authorities of the store.
    pub ca: PathBuf,
    /// The client's certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl Files {
    /// What they say now.
    pub fn read(&self) -> Result<Arc<ClientConfig>, Failed> {
        let mut authorities = RootCertStore::empty();
        for authority in certificates(&self.ca)? {
            authorities.add(authority).map_err(|error| unusable(&self.ca, &error))?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(chosen::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&self.ca, &error))?
            .with_root_certificates(authorities);
        let mut config = match &self.client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates(certificate)?;
                let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
                builder.with_client_auth_cert(chain, private).map_err(|error| unusable(certificate, &error))?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, Failed> {
    let read = CertificateDer::pem_file_iter(file).map_err(|error| unusable(file, &error))?;
    let certificates: Vec<_> = read.collect::<Result<_, _>>().map_err(|error| unusable(file, &error))?;
    if certificates.is_empty() { Err(unusable(file, &"it has no certificate")) } else { Ok(certificates) }
}

fn unusable(file: &Path, why: &dyn std::fmt::Display) -> Failed {
    Failed::Unusable(format!("{} cannot be used: {why}", file.display()))
}
