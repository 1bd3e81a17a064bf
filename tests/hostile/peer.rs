//! The peers: any Pod that reaches the port. They speak TLS where they have to, and mean no good.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use singleton_guard::certs::provider;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::fixture::SERVER_NAME;

/// What a peer does, again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waste {
    /// Asks once and then says nothing: the longest that a peer may be silent.
    Idle,
    /// Begins a handshake and goes no further.
    Handshake,
    /// Sends a header that does not end, byte by byte.
    Headers,
    /// Announces a large body and sends it byte by byte.
    Body,
    /// Sends bodies of 9 MiB.
    Oversized,
    /// Sends reviews that no API server sends, each costly in another way. All ask for an increase.
    Forged,
}

/// An attack under way.
pub(crate) struct Peers {
    runtime: Runtime,
    seen: Arc<Seen>,
    started: Vec<(Waste, usize)>,
    /// How many forged reviews there are.
    kinds: usize,
}

/// What came of it, counted.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Sockets that were open and as far as they were to go.
    held: AtomicUsize,
    oversized: AtomicUsize,
    forged: AtomicUsize,
    /// Forged increases that were allowed.
    pub(crate) allowed: AtomicUsize,
}

impl Peers {
    /// Starts so many of each, and waits until all sockets that are to be held are open.
    pub(crate) fn start(
        address: SocketAddr,
        authority: &Path,
        reviews: Vec<String>,
        started: Vec<(Waste, usize)>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
        let tls = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let kinds = reviews.len();
        let peer = Peer { address, tls: Arc::new(tls).into(), reviews: reviews.into() };
        let peers = Self { runtime: Runtime::new().unwrap(), seen: Arc::default(), started, kinds };
        for &(waste, count) in &peers.started {
            for number in 0..count {
                let (peer, seen) = (peer.clone(), Arc::clone(&peers.seen));
                peers.runtime.spawn(async move {
                    for round in 0.. {
                        // Whoever is cut off comes again, and not at once.
                        let _cut_off = peer.waste(waste, number + round, &seen).await;
                        sleep(PAUSE).await;
                    }
                });
            }
        }
        let started = Instant::now();
        while peers.seen.held.load(Ordering::Relaxed) < peers.to_be_held() && started.elapsed() < PATIENCE {
            std::thread::sleep(PAUSE / 10);
        }
        peers
    }

    /// Waits until the large requests were all made at least once, and ends.
    pub(crate) fn stop(self) -> Result<Arc<Seen>> {
        let started = Instant::now();
        while self.seen.oversized.load(Ordering::Relaxed) == 0 || self.seen.forged.load(Ordering::Relaxed) < self.kinds
        {
            ensure!(started.elapsed() < PATIENCE, "a part of the attack did not take place: {}", self.seen);
            std::thread::sleep(PAUSE / 10);
        }
        let held = self.seen.held.load(Ordering::Relaxed);
        ensure!(held >= self.to_be_held(), "{held} sockets were held instead of {}", self.to_be_held());
        self.runtime.shutdown_background();
        Ok(self.seen)
    }

    fn to_be_held(&self) -> usize {
        self.started.iter().filter(|(waste, _)| waste.holds()).map(|(_, count)| count).sum()
    }
}

impl Waste {
    const fn holds(self) -> bool {
        !matches!(self, Self::Oversized | Self::Forged)
    }
}

/// One of them.
#[derive(Clone)]
struct Peer {
    address: SocketAddr,
    tls: TlsConnector,
    reviews: Arc<[String]>,
}

impl Peer {
    async fn waste(&self, waste: Waste, round: usize, seen: &Seen) -> Result<()> {
        let held = || seen.held.fetch_add(1, Ordering::Relaxed);
        match waste {
            Waste::Idle => {
                let mut stream = self.connect().await?;
                stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await?;
                read(&mut stream).await?;
                held();
                drip(&mut stream, b"").await
            }
            Waste::Handshake => {
                let mut stream = TcpStream::connect(self.address).await?;
                // A TLS record of 512 bytes is announced, and two of them come.
                stream.write_all(&[0x16, 3, 1, 2, 0, 1, 0]).await?;
                held();
                drip(&mut stream, b"").await
            }
            Waste::Headers => {
                let mut stream = self.connect().await?;
                stream.write_all(b"POST /validate HTTP/1.1\r\nhost: x\r\nx: ").await?;
                held();
                drip(&mut stream, b"x").await
            }
            Waste::Body => {
                let mut stream = self.connect().await?;
                stream.write_all(&head(8 << 20)).await?;
                held();
                drip(&mut stream, b" ").await
            }
            Waste::Oversized => {
                let answer = self.post(&vec![b' '; 9 << 20]).await?;
                ensure!(answer.contains(" 413 "), "{answer}");
                seen.oversized.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Waste::Forged => {
                let review = self.reviews.iter().cycle().nth(round % self.reviews.len()).map_or("", String::as_str);
                let answer = self.post(review.as_bytes()).await?;
                seen.forged.fetch_add(1, Ordering::Relaxed);
                seen.allowed.fetch_add(usize::from(answer.contains("\"allowed\":true")), Ordering::Relaxed);
                Ok(())
            }
        }
    }

    async fn connect(&self) -> Result<TlsStream<TcpStream>> {
        let tcp = TcpStream::connect(self.address).await?;
        Ok(self.tls.connect(ServerName::try_from(SERVER_NAME)?, tcp).await?)
    }

    async fn post(&self, body: &[u8]) -> Result<String> {
        let mut stream = self.connect().await?;
        stream.write_all(&head(body.len())).await?;
        stream.write_all(body).await?;
        stream.flush().await?;
        read(&mut stream).await
    }
}

/// Sends the byte, if any, ten times a second until the server closes.
async fn drip(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), byte: &[u8]) -> Result<()> {
    let mut answer = [0; 64];
    loop {
        match timeout(PAUSE, stream.read(&mut answer)).await {
            Ok(Ok(0) | Err(_)) => bail!("closed"),
            Ok(Ok(_)) => {}
            Err(_) => {
                stream.write_all(byte).await?;
                stream.flush().await?;
            }
        }
    }
}

async fn read(stream: &mut TlsStream<TcpStream>) -> Result<String> {
    let mut answer = [0; 2_048];
    let length = timeout(PATIENCE, stream.read(&mut answer)).await??;
    Ok(String::from_utf8_lossy(answer.get(..length).unwrap_or_default()).into_owned())
}

fn head(length: usize) -> Vec<u8> {
    format!("POST /validate?timeout=30s HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n").into_bytes()
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = |number: &AtomicUsize| number.load(Ordering::Relaxed);
        let (held, oversized, forged) = (read(&self.held), read(&self.oversized), read(&self.forged));
        write!(f, "{held} sockets held, {oversized} bodies of 9 MiB, {forged} forged reviews")
    }
}

const PAUSE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(60);
