//! A TLS handshake with ourselves over the socket that API servers use, verified as they verify it: by the name and
//! the caBundle in the webhook configuration as it is stored.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::Uri;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// What one entry of a webhook configuration has an API server verify.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Expected {
    /// The name that the certificate must carry.
    name: String,
    /// The authorities, PEM.
    authorities: String,
}

/// Why a handshake did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The API server's would not either: this replica cannot be called.
    #[error(
        "an API server would not accept the certificate that is served, for {name} by the stored caBundle: {cause}"
    )]
    Refused {
        /// The name that it verifies.
        name: String,
        /// What is wrong.
        cause: String,
    },
    /// It did not come to that. The machine may be busy.
    #[error("no TLS handshake with {address}: {cause}")]
    Failed {
        /// Where.
        address: SocketAddr,
        /// Why.
        cause: String,
    },
}

/// Says the time that it was given.
#[derive(Debug)]
struct At(UnixTime);

impl Expected {
    /// What the entries of a configuration tell.
    pub(super) fn read(configuration: &Value) -> impl Iterator<Item = Self> {
        let webhooks = configuration.get("webhooks").and_then(Value::as_array);
        webhooks.into_iter().flatten().filter_map(|webhook| {
            let client = webhook.get("clientConfig")?;
            // The API server accepts only base64; what is in it may still be no text. Without a caBundle it would go by
            // what its own machine trusts, which is never us.
            let bundle = client.get("caBundle").and_then(Value::as_str).unwrap_or_default();
            let authorities = BASE64_STANDARD.decode(bundle).unwrap_or_default();
            Some(Self { name: name(client)?, authorities: String::from_utf8_lossy(&authorities).into_owned() })
        })
    }

    /// Shakes hands. The time is that of the certificates.
    pub(super) async fn verify(
        &self,
        address: SocketAddr,
        now: SystemTime,
        provider: &Arc<CryptoProvider>,
    ) -> Result<(), HandshakeError> {
        let refused = |cause: String| HandshakeError::Refused { name: self.name.clone(), cause };
        let failed = |cause: String| HandshakeError::Failed { address, cause };
        let mut roots = RootCertStore::empty();
        // Like an API server: what is no certificate is passed over.
        roots.add_parsable_certificates(
            CertificateDer::pem_slice_iter(self.authorities.as_bytes()).filter_map(Result::ok),
        );
        if roots.is_empty() {
            return Err(refused("there is no certificate in it".to_owned()));
        }
        let now = At(UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).unwrap_or_default()));
        let config = ClientConfig::builder_with_details(Arc::clone(provider), Arc::new(now))
            .with_safe_default_protocol_versions()
            .map_err(|error| failed(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from(self.name.clone()).map_err(|error| refused(error.to_string()))?;
        let shake = async {
            let stream = TcpStream::connect(ours(address)).await?;
            TlsConnector::from(Arc::new(config)).connect(name, stream).await
        };
        match timeout(HANDSHAKE_TIMEOUT, shake).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
                match tls {
                    Some(rustls::Error::InvalidCertificate(cause)) => Err(refused(cause.to_string())),
                    _ => Err(failed(error.to_string())),
                }
            }
            Err(_) => Err(failed(format!("not within {} s", HANDSHAKE_TIMEOUT.as_secs()))),
        }
    }
}

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        Some(self.0)
    }
}

/// The name that an API server verifies: a Service's, or the host of the URL (Kubernetes, "Dynamic Admission Control").
fn name(client: &Value) -> Option<String> {
    let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
    if let Some(service) = client.get("service") {
        return Some(format!("{}.{}.svc", text(service, "name")?, text(service, "namespace")?));
    }
    let url = text(client, "url")?.parse::<Uri>().ok()?;
    Some(url.host()?.trim_matches(['[', ']']).to_owned())
}

/// Where to reach what listens on every address.
fn ours(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);
