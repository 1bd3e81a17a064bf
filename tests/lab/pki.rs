//! Certificates, keys and kubeconfigs of one lab, as `kubeadm` would lay them out. P-256, made in memory, never reused.
//!
//! It writes only into the directory it is given.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use serde_json::json;
use time::{Duration, OffsetDateTime};

use super::stage::{API_ADDRESS, SECOND_API_ADDRESS};

/// The files that the components are pointed at.
#[derive(Debug)]
pub(crate) struct Pki {
    directory: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
    server: String,
}

impl Pki {
    /// Makes all keys and certificates and writes them, with the kubeconfigs, into `directory`.
    ///
    /// `server` is the URL of the API server in the kubeconfigs.
    pub(crate) fn create(directory: PathBuf, server: String) -> Result<Self> {
        std::fs::create_dir(&directory).with_context(|| format!("making {}", directory.display()))?;
        let mut params = params("singleton-guard-lab", None, &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let pki = Self { directory, authority, server };
        write(&pki.authority_file(), &pki.authority.pem())?;

        let (certificate, key) =
            pki.issue("kube-apiserver", None, &SERVER_NAMES, ExtendedKeyUsagePurpose::ServerAuth)?;
        write(&pki.file("apiserver.crt"), &certificate)?;
        write(&pki.file("apiserver.key"), &key)?;

        let service_accounts = KeyPair::generate()?;
        write(&pki.file("service-accounts.key"), &service_accounts.serialize_pem())?;
        write(&pki.file("service-accounts.pub"), &service_accounts.public_key_pem())?;

        for (file, user, group) in [
            (ADMIN, "lab-admin", Some("system:masters")),
            ("controller-manager", "system:kube-controller-manager", None),
            ("scheduler", "system:kube-scheduler", None),
            (DNS, DNS_USER, None),
        ] {
            let (certificate, key) = pki.issue(user, group, &[], ExtendedKeyUsagePurpose::ClientAuth)?;
            write(&pki.kubeconfig(file), &pki.kubeconfig_text(user, &pki.server, &certificate, &key)?)?;
        }
        Ok(pki)
    }

    /// A file of this PKI by its name.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The certificate of the authority that signed all others.
    pub(crate) fn authority_file(&self) -> PathBuf {
        self.file("ca.crt")
    }

    /// The kubeconfig of one of the users, such as [`ADMIN`].
    pub(crate) fn kubeconfig(&self, user: &str) -> PathBuf {
        self.file(&format!("{user}.kubeconfig"))
    }

    /// Writes a kubeconfig for a Node, in group `system:nodes`.
    pub(crate) fn node_kubeconfig(&self, node: &str) -> Result<PathBuf> {
        let user = format!("system:node:{node}");
        let (certificate, key) = self.issue(&user, Some("system:nodes"), &[], ExtendedKeyUsagePurpose::ClientAuth)?;
        let path = self.kubeconfig(node);
        write(&path, &self.kubeconfig_text(&user, &self.server, &certificate, &key)?)?;
        Ok(path)
    }

    /// Writes a kubeconfig with which an ordinary shell acts as administrator, with a certificate of its own.
    ///
    /// The connection goes to `port` on 127.0.0.1, which the API server's certificate names.
    pub(crate) fn outside_kubeconfig(&self, port: u16) -> Result<PathBuf> {
        let user = "lab-admin";
        let (certificate, key) = self.issue(user, Some("system:masters"), &[], ExtendedKeyUsagePurpose::ClientAuth)?;
        let path = self.kubeconfig("outside");
        write(&path, &self.kubeconfig_text(user, &format!("https://127.0.0.1:{port}"), &certificate, &key)?)?;
        Ok(path)
    }

    /// A certificate and its key, as PEM.
    fn issue(
        &self,
        common_name: &str,
        organization: Option<&str>,
        names: &[&str],
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<(String, String)> {
        let mut params = params(common_name, organization, names)?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.authority)?;
        Ok((certificate.pem(), key.serialize_pem()))
    }

    /// A kubeconfig with everything in it, so that the one file is enough. JSON is YAML.
    fn kubeconfig_text(&self, user: &str, server: &str, certificate: &str, key: &str) -> Result<String> {
        let authority = STANDARD.encode(self.authority.pem());
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{ "name": "lab", "cluster": { "server": server, "certificate-authority-data": authority } }],
            "users": [{ "name": user, "user": {
                "client-certificate-data": STANDARD.encode(certificate),
                "client-key-data": STANDARD.encode(key),
            } }],
            "contexts": [{ "name": "lab", "context": { "cluster": "lab", "user": user } }],
            "current-context": "lab",
        });
        Ok(serde_json::to_string_pretty(&kubeconfig)?)
    }
}

fn params(common_name: &str, organization: Option<&str>, names: &[&str]) -> Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    if let Some(organization) = organization {
        // The API server reads the user's groups from O (kubernetes.io: "X509 client certificates").
        params.distinguished_name.push(DnType::OrganizationName, organization);
    }
    let now = OffsetDateTime::now_utc();
    params.not_before = now - CLOCK_SKEW;
    params.not_after = now + LIFETIME;
    Ok(params)
}

/// Writes a new file that only its owner can read.
fn write(path: &Path, text: &str) -> Result<()> {
    let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).with_context(|| format!("writing {}", path.display()))
}

/// The administrator, in group `system:masters`.
pub(crate) const ADMIN: &str = "admin";
/// CoreDNS.
pub(crate) const DNS: &str = "coredns";
/// The user that CoreDNS is. It may do nothing until `dns` gives it its role.
pub(crate) const DNS_USER: &str = "system:coredns";
/// What clients may call the API server: by the Service in a Pod, by loopback through the forwarder.
const SERVER_NAMES: [&str; 7] = [
    API_ADDRESS,
    SECOND_API_ADDRESS,
    "127.0.0.1",
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
];
/// Longer than anybody keeps a lab.
const LIFETIME: Duration = Duration::days(30);
const CLOCK_SKEW: Duration = Duration::minutes(15);
