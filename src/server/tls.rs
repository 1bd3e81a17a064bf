//! TLS as the API server speaks it.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::{NoServerSessionStorage, ResolvesServerCert};
use rustls::{Error, ServerConfig};

/// TLS 1.2 and 1.3, HTTP/1.1 only, with whatever certificate the resolver holds at the time of a handshake.
///
/// The API server offers `http/1.1` alone for webhooks behind a Service, so HTTP/2 would only be a surface to attack.
/// Nor does it resume sessions, so none are remembered and no tickets are sent. It does not authenticate itself
/// unless its operator gives it a client certificate, so none is asked for.
///
/// # Errors
/// The provider supports neither version.
pub fn tls_config(provider: Arc<CryptoProvider>, resolver: Arc<dyn ResolvesServerCert>) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}
