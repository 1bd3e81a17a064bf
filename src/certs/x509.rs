//! What is read of an X.509 certificate (RFC 5280).

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::parse_x509_certificate;
use x509_parser::prelude::X509Certificate;
use x509_parser::time::ASN1Time;

use super::plan::Validity;

/// From when to when a certificate in DER is valid.
///
/// # Errors
/// What is wrong with the certificate.
pub(super) fn validity(certificate: &CertificateDer<'_>) -> Result<Validity, String> {
    let (_, certificate) = parse_x509_certificate(certificate).map_err(|error| error.to_string())?;
    let validity = certificate.validity();
    Ok(Validity { from: instant(validity.not_before)?, until: instant(validity.not_after)? })
}

/// The DNS names and IP addresses that a certificate is for (`subjectAltName`, RFC 5280, 4.2.1.6).
///
/// # Errors
/// What is wrong with the extension.
pub(super) fn names(certificate: &X509Certificate<'_>) -> Result<BTreeSet<String>, String> {
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
