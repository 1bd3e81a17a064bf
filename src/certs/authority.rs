//! Makes authorities and the leaves that they sign: one function for each step that the plan knows. Nothing is stored,
//! published or served here.
//!
//! P-256: the signature of a handshake costs a fifth of what RSA-2048 costs, and every client verifies it. A leaf is
//! signed by its authority itself, so the chain is one certificate long.

use std::net::IpAddr;
use std::time::SystemTime;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use time::OffsetDateTime;

use super::lifetimes::Lifetimes;
use super::material::{Material, Next, Previous};
use super::plan::{BACKDATED, Facts};

/// No certificate could be made.
#[derive(Debug, thiserror::Error)]
#[error("no certificate could be made for {names:?}: {cause}")]
pub struct MakeError {
    names: Vec<String>,
    #[source]
    cause: rcgen::Error,
}

/// What makes certificates: for these names, from now on, for so long.
#[derive(Debug, Clone, Copy)]
pub struct Maker<'a> {
    /// DNS names and IP addresses that a leaf carries.
    pub names: &'a [String],
    /// How long.
    pub lifetimes: &'a Lifetimes,
    /// From when on.
    pub now: SystemTime,
}

impl Maker<'_> {
    /// An authority and a leaf of it.
    ///
    /// # Errors
    /// [`MakeError`]: a name is neither a DNS name nor an IP address.
    pub fn start(&self) -> Result<Material, MakeError> {
        self.make(|maker| {
            let (authority, authority_key) = maker.authority()?;
            let until = maker.now + maker.lifetimes.authority();
            let (leaf, leaf_key) = maker.leaf(&authority, &authority_key, until)?;
            Ok(Material { authority, authority_key, leaf, leaf_key, next: None, previous: None })
        })
    }

    /// Another leaf of the same authority.
    ///
    /// # Errors
    /// [`MakeError`]: a name is no name, or the authority cannot sign.
    pub fn renew(&self, material: Material, facts: &Facts) -> Result<Material, MakeError> {
        self.make(|maker| {
            let (leaf, leaf_key) = maker.leaf(&material.authority, &material.authority_key, facts.authority.until)?;
            Ok(Material { leaf, leaf_key, ..material })
        })
    }

    /// Another authority, beside the one in use.
    ///
    /// # Errors
    /// [`MakeError`]
    pub fn announce(&self, material: Material) -> Result<Material, MakeError> {
        self.make(|maker| {
            let (authority, authority_key) = maker.authority()?;
            Ok(Material { next: Some(Next { authority, authority_key }), ..material })
        })
    }

    /// A leaf of the announced authority, which takes the place of the one in use. That one stays trusted for a leaf's
    /// life, and until the leaf it has signed ends.
    ///
    /// # Errors
    /// [`MakeError`]: a name is no name, or the authority cannot sign.
    pub fn switch(&self, material: Material, facts: &Facts) -> Result<Material, MakeError> {
        let (Some(next), Some(validity)) = (material.next, facts.next) else {
            return Ok(Material { next: None, ..material });
        };
        self.make(|maker| {
            let (leaf, leaf_key) = maker.leaf(&next.authority, &next.authority_key, validity.until)?;
            let until = (maker.now + maker.lifetimes.leaf()).max(facts.leaf.until);
            let previous = Some(Previous { authority: material.authority, until });
            let Next { authority, authority_key } = next;
            Ok(Material { authority, authority_key, leaf, leaf_key, next: None, previous })
        })
    }

    fn make(&self, make: impl FnOnce(&Self) -> Result<Material, rcgen::Error>) -> Result<Material, MakeError> {
        make(self).map_err(|cause| MakeError { names: self.names.to_vec(), cause })
    }

    /// Certificate and key.
    fn authority(&self) -> Result<(String, String), rcgen::Error> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut authority = CertificateParams::default();
        authority.not_before = self.begin();
        authority.not_after = (self.now + self.lifetimes.authority()).into();
        authority.distinguished_name = named("singleton-guard authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok((authority.self_signed(&key)?.pem(), key.serialize_pem()))
    }

    /// Certificate and key. It never ends after its authority, which ends `until` then.
    fn leaf(&self, authority: &str, authority_key: &str, until: SystemTime) -> Result<(String, String), rcgen::Error> {
        let signer = KeyPair::from_pem_and_sign_algo(authority_key, &PKCS_ECDSA_P256_SHA256)?;
        let issuer = Issuer::from_ca_cert_pem(authority, signer)?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut leaf = CertificateParams::new(self.names)?;
        leaf.not_before = self.begin();
        leaf.not_after = (self.now + self.lifetimes.leaf()).min(until).into();
        leaf.distinguished_name = named("singleton-guard");
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.use_authority_key_identifier_extension = true;
        Ok((leaf.signed_by(&key, &issuer)?.pem(), key.serialize_pem()))
    }

    fn begin(&self) -> OffsetDateTime {
        self.now.checked_sub(BACKDATED).unwrap_or(self.now).into()
    }
}

/// An authority and a leaf with the usual lifetimes, valid from now on.
///
/// # Errors
/// [`MakeError`]: a name is neither a DNS name nor an IP address.
pub fn make(names: &[String], now: SystemTime) -> Result<Material, MakeError> {
    Maker { names, lifetimes: &Lifetimes::default(), now }.start()
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
