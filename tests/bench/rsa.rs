//! The files of a server with an RSA key of 2048 bits, which is what many webhooks have, signed by the same authority.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use rcgen::{
    CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_RSA_SHA256, RsaKeySize,
};

use super::fixture::{Fixture, SERVER_NAME};

/// Makes the directory, with `tls.crt`, `tls.key` and `ca.crt`, inside of the fixture's.
pub(crate) fn directory(fixture: &Fixture) -> Result<PathBuf> {
    let directory = fixture.directory().join("rsa");
    if directory.exists() {
        return Ok(directory);
    }
    let signer = KeyPair::from_pem_and_sign_algo(&fixture.material().authority_key, &PKCS_ECDSA_P256_SHA256)?;
    let issuer = Issuer::from_ca_cert_pem(&fixture.material().authority, signer)?;
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    let mut leaf = CertificateParams::new([SERVER_NAME.to_owned()])?;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    fs::create_dir(&directory).with_context(|| format!("making {}", directory.display()))?;
    let write = |name, text: &str| fs::write(directory.join(name), text).with_context(|| format!("writing {name}"));
    write("tls.crt", &leaf.signed_by(&key, &issuer)?.pem())?;
    write("tls.key", &key.serialize_pem())?;
    write("ca.crt", &fixture.material().authority)?;
    Ok(directory)
}
