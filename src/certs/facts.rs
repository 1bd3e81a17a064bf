//! Reads what the plan needs to know out of certificates and keys. Garbage is data here, not an error.

use std::time::{SystemTime, UNIX_EPOCH};

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{Error, InconsistentKeys, RootCertStore};
use x509_parser::parse_x509_certificate;

use super::material::{Material, Next};
use super::plan::{Facts, Stored};
use super::serving::{Pair, PairError};
use super::x509::{names, validity};

/// What this material says about itself.
#[must_use]
pub fn read(material: &Material, provider: &CryptoProvider) -> Stored {
    match try_read(material, provider) {
        Ok(facts) => Stored::Material(facts),
        Err(cause) => Stored::Garbage { cause },
    }
}

fn try_read(material: &Material, provider: &CryptoProvider) -> Result<Facts, String> {
    let key_matches = match Pair::parse(material.leaf.as_bytes(), material.leaf_key.as_bytes(), provider) {
        Ok(_) => true,
        Err(PairError::Rejected(Error::InconsistentKeys(InconsistentKeys::KeyMismatch))) => false,
        Err(error) => return Err(error.to_string()),
    };
    let authority_der = first(&material.authority).map_err(|cause| format!("ca.crt: {cause}"))?;
    let leaf_der = first(&material.leaf).map_err(|cause| format!("tls.crt: {cause}"))?;
    let (_, leaf) = parse_x509_certificate(&leaf_der).map_err(|error| format!("tls.crt: {error}"))?;
    let leaf_validity = validity(&leaf_der)?;
    let signs = |certificate: &str, key: &str| Pair::parse(certificate.as_bytes(), key.as_bytes(), provider).is_ok();
    // One that cannot sign is as good as none, and is announced anew.
    let next = material.next.as_ref().filter(|Next { authority, authority_key }| signs(authority, authority_key));
    Ok(Facts {
        authority: validity(&authority_der).map_err(|cause| format!("ca.crt: {cause}"))?,
        signs: signs(&material.authority, &material.authority_key),
        leaf: leaf_validity,
        names: names(&leaf)?,
        key_matches,
        signed: is_signed(&leaf_der, authority_der, leaf_validity.from, provider),
        next: next.and_then(|next| validity(&first(&next.authority).ok()?).ok()),
        previous: material.previous.as_ref().map(|previous| previous.until),
    })
}

/// Whether a client that trusts the authority accepts the leaf, at the beginning of the leaf's life: that it may
/// have ended since is another question.
fn is_signed(
    leaf: &CertificateDer<'_>,
    authority: CertificateDer<'static>,
    at: SystemTime,
    provider: &CryptoProvider,
) -> bool {
    let verify = || -> Result<(), Error> {
        let mut roots = RootCertStore::empty();
        roots.add(authority)?;
        let at = UnixTime::since_unix_epoch(at.duration_since(UNIX_EPOCH).unwrap_or_default());
        let algorithms = provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&ParsedCertificate::try_from(leaf)?, &roots, &[], at, algorithms)
    };
    verify().is_ok()
}

fn first(pem: &str) -> Result<CertificateDer<'static>, String> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| error.to_string())
}
