//! Reads what the plan needs to know out of certificates and keys. Garbage is data here, not an error.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{Error, InconsistentKeys, RootCertStore};
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::prelude::X509Certificate;
use x509_parser::time::ASN1Time;

use super::material::{Material, Next};
use super::plan::{Facts, Stored, Validity};
use super::serving::{Pair, PairError};

/// What this material says about itself.
#[must_use]
pub fn read(material: &Material, provider: &CryptoProvider) -> Stored {
    match try_read(material, provider) {
        Ok(facts) => Stored::Material(facts),
        Err(cause) => Stored::Garbage { cause },
    }
}

/// From when to when a certificate in DER is valid.
///
/// # Errors
/// What is wrong with the certificate.
pub fn validity(certificate: &CertificateDer<'_>) -> Result<Validity, String> {
    let (_, certificate) = parse_x509_certificate(certificate).map_err(|error| error.to_string())?;
    let validity = certificate.validity();
    Ok(Validity { from: instant(validity.not_before)?, until: instant(validity.not_after)? })
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

fn names(certificate: &X509Certificate<'_>) -> Result<BTreeSet<String>, String> {
    let extension = certificate.subject_alternative_name().map_err(|error| error.to_string())?;
    let names = extension.map(|extension| extension.value.general_names.as_slice()).unwrap_or_default();
    Ok(names
        .iter()
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
            _ => None,
        })
        .collect())
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from);
    v4().or_else(v6)
}

fn instant(time: ASN1Time) -> Result<SystemTime, String> {
    let seconds = u64::try_from(time.timestamp()).map_err(|_| format!("{time} is before 1970"))?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).ok_or_else(|| format!("{time} is too far away"))
}
