//! A client that behaves on the wire like the API server, which is Go's `net/http` with the settings of client-go:
//! HTTP/1.1 by ALPN, no TLS resumption, connections kept, `POST` of JSON with `?timeout=`.
//!
//! It checks every answer. It blocks: one thread for each connection.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use singleton_guard::certs::provider;

use super::fixture::SERVER_NAME;

/// How to connect to one server.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    tls: Arc<ClientConfig>,
    address: SocketAddr,
}

/// One connection, kept open from call to call.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: StreamOwned<ClientConnection, TcpStream>,
    answer: Vec<u8>,
}

/// A whole HTTP request. Each time it is sent it has another uid, as each review has.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    bytes: Vec<u8>,
    /// Where the uid stands in `bytes`.
    uid: std::ops::Range<usize>,
    expects_uid: bool,
}

/// What must be in an answer beside "allowed".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The review's uid, or the API server would not accept it.
    Uid,
    /// Nothing: it is always the same.
    Constant,
}

impl Client {
    /// Trusts the authority in this file, and nobody else.
    pub(crate) fn new(address: SocketAddr, authority: &Path) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority)?)?;
        let mut tls = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        // apiserver, pkg/util/webhook/client.go: NextProtos of a webhook behind a Service.
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        // client-go sets no ClientSessionCache.
        tls.resumption = Resumption::disabled();
        Ok(Self { tls: Arc::new(tls), address })
    }

    /// Opens a connection, its handshake included.
    pub(crate) fn connect(&self) -> Result<Connection> {
        let mut tcp = TcpStream::connect(self.address)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        let mut tls = ClientConnection::new(Arc::clone(&self.tls), ServerName::try_from(SERVER_NAME)?)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp).context("TLS handshake")?;
        }
        ensure!(tls.alpn_protocol() == Some(b"http/1.1"), "the server did not choose http/1.1");
        Ok(Connection { stream: StreamOwned::new(tls, tcp), answer: Vec::new() })
    }
}

impl Connection {
    /// Sends a review and reads the answer.
    ///
    /// # Errors
    /// The connection broke, or the answer is not a 200 that allows this very review.
    pub(crate) fn call(&mut self, call: &Call) -> Result<()> {
        self.send(&call.bytes)?;
        let body = self.receive()?;
        let body = std::str::from_utf8(body)?;
        ensure!(body.contains(r#""allowed":true"#), "not allowed: {body}");
        if let Some(uid) = call.expected_uid() {
            ensure!(body.as_bytes().windows(uid.len()).any(|window| window == uid), "another uid than asked: {body}");
        }
        Ok(())
    }

    /// In the pieces that `net/http` and `crypto/tls` write: 4 KiB of buffer first, then whole TLS records.
    fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let (first, rest) = bytes.split_at_checked(GO_WRITE_BUFFER).unwrap_or((bytes, &[]));
        for piece in std::iter::once(first).chain(rest.chunks(TLS_RECORD)) {
            self.stream.write_all(piece)?;
            self.stream.flush()?;
        }
        Ok(())
    }

    /// The body of the next answer.
    fn receive(&mut self) -> Result<&[u8]> {
        self.answer.clear();
        let mut piece = [0_u8; 4096];
        let whole = loop {
            let read = self.stream.read(&mut piece).context("reading the answer")?;
            ensure!(read > 0, "the server closed the connection instead of answering");
            self.answer.extend(piece.iter().take(read));
            let Some(head) = self.answer.windows(4).position(|window| window == b"\r\n\r\n").map(|end| end + 4) else {
                continue;
            };
            let length = content_length(self.answer.get(..head).unwrap_or_default())?;
            if self.answer.len() >= head + length {
                break head..head + length;
            }
        };
        ensure!(self.answer.len() == whole.end, "the server sent more than one answer");
        self.answer.get(whole).context("an answer without a body")
    }
}

impl Call {
    /// A review for `/validate`. Its uid is the first string in the body that looks like [`UID`].
    pub(crate) fn new(body: &str, answer: Answer) -> Result<Self> {
        let mut bytes = format!(
            "POST /validate?timeout=3s HTTP/1.1\r\nHost: {SERVER_NAME}:443\r\nUser-Agent: kube-apiserver-admission\r\n\
             Content-Length: {}\r\nAccept: application/json, */*\r\nContent-Type: application/json\r\n\
             Accept-Encoding: gzip\r\n\r\n",
            body.len(),
        )
        .into_bytes();
        let uid = body.find(UID).context("the review has no uid to vary")? + bytes.len();
        bytes.extend_from_slice(body.as_bytes());
        Ok(Self { bytes, uid: uid..uid + UID.len(), expects_uid: answer == Answer::Uid })
    }

    /// Makes it the review of this number.
    pub(crate) fn number(&mut self, number: usize) -> Result<()> {
        let mut digits = self.bytes.get_mut(self.uid.clone()).and_then(|uid| uid.get_mut(UID.len() - UID_DIGITS..));
        write!(digits.as_mut().context("the uid is gone")?, "{number:0UID_DIGITS$x}")?;
        Ok(())
    }

    fn expected_uid(&self) -> Option<&[u8]> {
        self.bytes.get(self.uid.clone()).filter(|_| self.expects_uid)
    }
}

/// `Content-Length` of an answer with status 200.
fn content_length(head: &[u8]) -> Result<usize> {
    let head = std::str::from_utf8(head)?;
    let mut lines = head.lines();
    let status = lines.next().unwrap_or_default();
    if !status.starts_with("HTTP/1.1 200") {
        bail!("the server answered {status:?}");
    }
    let fields = lines.filter_map(|line| line.split_once(':'));
    let mut lengths = fields.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let (_, length) = lengths.next().context("an answer without Content-Length")?;
    Ok(length.trim().parse()?)
}

/// The uid in every body of `reviews`.
const UID: &str = "5f0c3a52-7d1e-4b0a-9c64-000000000000";
/// The hexadecimal digits at its end that are varied.
const UID_DIGITS: usize = 12;
/// `http.Transport.WriteBufferSize`, which nobody changes.
const GO_WRITE_BUFFER: usize = 4096;
/// RFC 8446, section 5.1; Go writes each record by itself.
const TLS_RECORD: usize = 16 << 10;
/// Longer than any answer takes; a server that hangs must not hang the bench.
const PATIENCE: Duration = Duration::from_secs(10);
