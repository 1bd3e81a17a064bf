//! Whether every API server could call every replica at any moment: fresh TLS handshakes with each, verified against
//! every caBundle that was stored within the settling time. An API server may be that far behind.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::Client;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use singleton_guard::certs::provider;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::common::api;
use crate::common::installed::{NAMESPACE, RELEASE};

/// What was seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Handshakes that were verified, each against one bundle.
    pub verified: u32,
    /// Those that failed: when, with whom and why.
    pub failed: Vec<String>,
    /// The replicas, by address.
    pub replicas: BTreeMap<String, u32>,
}

/// Shakes hands until it is dropped.
pub struct Handshakes {
    client: Client,
    settle: Duration,
    /// What was stored since when, as long as an API server may go by it.
    bundles: VecDeque<(Instant, String)>,
    pub seen: Seen,
}

impl Handshakes {
    pub fn new(client: Client, settle: Duration) -> Self {
        Self { client, settle, bundles: VecDeque::new(), seen: Seen::default() }
    }

    /// One round: each replica that is ready, each bundle that counts.
    pub async fn round(&mut self) -> Result<()> {
        self.remember(bundle(&self.client).await?);
        let bundles: BTreeSet<&String> = self.bundles.iter().map(|(_, bundle)| bundle).collect();
        for address in replicas(&self.client).await? {
            for bundle in &bundles {
                match timeout(PATIENCE, shake(&address, bundle)).await.map_err(Into::into).and_then(|shaken| shaken) {
                    Ok(()) => {
                        self.seen.verified += 1;
                        *self.seen.replicas.entry(address.clone()).or_default() += 1;
                    }
                    // One that has ended meanwhile is not the certificate's fault.
                    Err(error) if error.is::<std::io::Error>() && !format!("{error:#}").contains("certificate") => {}
                    Err(error) => {
                        self.seen.failed.push(format!("{} {address}: {error:#}", OffsetDateTime::now_utc().time()));
                    }
                }
            }
        }
        Ok(())
    }

    /// One that somebody has wiped verifies nothing, and is no promise of ours.
    fn remember(&mut self, bundle: String) {
        let now = Instant::now();
        if !bundle.is_empty() && self.bundles.back().is_none_or(|(_, last)| *last != bundle) {
            self.bundles.push_back((now, bundle));
        }
        // The first of them was in force until the second came.
        while self.bundles.get(1).is_some_and(|(since, _)| since.elapsed() > self.settle.mul_f64(0.8)) {
            self.bundles.pop_front();
        }
    }
}

/// The stored caBundle of the row that judges `/scale`; empty if there is none.
pub async fn bundle(client: &Client) -> Result<String> {
    let path = format!("{CONFIGURATIONS}/{RELEASE}-scale");
    let configuration = api::read(client, &path).await?.success()?;
    let bundle = configuration["webhooks"][0]["clientConfig"]["caBundle"].as_str().unwrap_or_default();
    Ok(String::from_utf8(STANDARD.decode(bundle)?)?)
}

/// The addresses of the ready replicas, as the API server knows them.
async fn replicas(client: &Client) -> Result<Vec<String>> {
    let path = format!("/apis/discovery.k8s.io/v1/namespaces/{NAMESPACE}/endpointslices");
    let mut addresses = Vec::new();
    for slice in api::list(client, &path).await? {
        let port = slice["ports"][0]["port"].as_u64().context("a slice without a port")?;
        for endpoint in slice["endpoints"].as_array().into_iter().flatten() {
            if endpoint["conditions"]["ready"] == true
                && let Some(address) = endpoint["addresses"][0].as_str()
            {
                addresses.push(format!("{address}:{port}"));
            }
        }
    }
    Ok(addresses)
}

async fn shake(address: &str, bundle: &str) -> Result<()> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(certificate?)?;
    }
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(format!("{RELEASE}.{NAMESPACE}.svc"))?;
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(address).await?).await?;
    Ok(())
}

pub const CONFIGURATIONS: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";
const PATIENCE: Duration = Duration::from_secs(10);
