//! Makes an authority and a leaf that it signs. Nothing is stored or served here.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};

/// A leaf, its key and its authority, all PEM: the four values of the Secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Material {
    /// `ca.crt`: what the API server trusts.
    pub authority: String,
    /// `ca.key`: kept so that another leaf can be signed without a change of trust.
    pub authority_key: String,
    /// `tls.crt`: what this process shows.
    pub leaf: String,
    /// `tls.key`.
    pub leaf_key: String,
}

/// The names could not be put into a certificate.
#[derive(Debug, thiserror::Error)]
#[error("no certificate could be made for {names:?}: {cause}")]
pub struct MakeError {
    names: Vec<String>,
    #[source]
    cause: rcgen::Error,
}

/// Makes both, valid from now.
///
/// P-256: the signature of a handshake costs a fifth of what RSA-2048 costs, and every client verifies it. The leaf
/// is signed by the authority itself, so the chain is one certificate long.
///
/// # Errors
/// [`MakeError`]: a name is neither a DNS name nor an IP address.
pub fn make(names: &[String], now: SystemTime) -> Result<Material, MakeError> {
    try_make(names, now).map_err(|cause| MakeError { names: names.to_vec(), cause })
}

fn try_make(names: &[String], now: SystemTime) -> Result<Material, rcgen::Error> {
    // The clocks of the API servers may be behind ours.
    let from = now.checked_sub(BACKDATED).unwrap_or(now);
    let authority_until = now + AUTHORITY_LIFE;
    let leaf_until = (now + LEAF_LIFE).min(authority_until);

    let authority_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut authority = CertificateParams::default();
    authority.not_before = from.into();
    authority.not_after = authority_until.into();
    authority.distinguished_name = named("singleton-guard authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let authority_certificate = authority.self_signed(&authority_key)?;

    let leaf_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut leaf = CertificateParams::new(names)?;
    leaf.not_before = from.into();
    leaf.not_after = leaf_until.into();
    leaf.distinguished_name = named("singleton-guard");
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    let leaf = leaf.signed_by(&leaf_key, &Issuer::from_params(&authority, &authority_key))?;

    Ok(Material {
        authority: authority_certificate.pem(),
        authority_key: authority_key.serialize_pem(),
        leaf: leaf.pem(),
        leaf_key: leaf_key.serialize_pem(),
    })
}

/// The names under which the API server may call a Service: it sends and verifies `<service>.<namespace>.svc`. The
/// longer and shorter ones are for people with curl.
#[must_use]
pub fn service_names(service: &str, namespace: &str) -> Vec<String> {
    vec![
        format!("{service}.{namespace}.svc"),
        format!("{service}.{namespace}.svc.cluster.local"),
        format!("{service}.{namespace}"),
        service.to_owned(),
    ]
}

/// The same name in one spelling: an IP address as Rust writes it, so that the certificate's can be compared.
#[must_use]
pub fn canonical(name: &str) -> String {
    name.parse::<IpAddr>().map_or_else(|_| name.to_ascii_lowercase(), |address| address.to_string())
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

impl std::fmt::Debug for Material {
    /// Without the keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Material").finish_non_exhaustive()
    }
}

const BACKDATED: Duration = Duration::from_secs(HOUR);
const AUTHORITY_LIFE: Duration = Duration::from_secs(10 * YEAR);
/// Made new after two thirds of it (`plan`).
const LEAF_LIFE: Duration = Duration::from_secs(YEAR);
const HOUR: u64 = 60 * 60;
const YEAR: u64 = 365 * 24 * HOUR;
