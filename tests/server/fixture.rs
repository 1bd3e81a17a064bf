//! A running server with a certificate of its own, and a client that speaks plain HTTP/1.1 over TLS: byte by byte, so
//! that it can misbehave.

use std::future::pending;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use singleton_guard::api::mark::MarkKey;
use singleton_guard::certs::authority::{make, service_names};
use singleton_guard::certs::material::Material;
use singleton_guard::certs::provider;
use singleton_guard::certs::serving::{Pair, Serving};
use singleton_guard::cluster::Cluster;
use singleton_guard::policy::lookup::{Found, Lookup, Unknown};
use singleton_guard::server::{GatedListener, Handler, Limits, PendingListener, Readiness, Server, router, tls_config};
use singleton_guard::settings::Settings;
use singleton_guard::telemetry::metrics::Metrics;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Who answers the question of a review.
#[derive(Clone, Default)]
pub enum Answers {
    /// Every parent is marked.
    #[default]
    Marked,
    /// Nobody, before the deadline.
    Late,
    /// Nobody, ever.
    Never,
    /// With a panic.
    Panic,
    /// Marked, once the second is notified; the first says that somebody asked.
    When(Arc<Notify>, Arc<Notify>),
}

impl Cluster for Answers {
    async fn answer(&self, _: &Lookup<'_>, _: &MarkKey, deadline: Instant) -> Result<Found, Unknown> {
        match self {
            Self::Marked => {}
            Self::Late => {
                let started = Instant::now();
                sleep_until(deadline).await;
                return Err(Unknown::Slow(deadline - started));
            }
            Self::Never => pending().await,
            Self::Panic => panic!("a fault of ours"),
            Self::When(asked, answer) => {
                asked.notify_one();
                answer.notified().await;
            }
        }
        Ok(Found::Parent { marked: true, owner: None, custom: None })
    }
}

/// A server on a port of the kernel's choice.
pub struct Running {
    pub address: SocketAddr,
    pub readiness: Readiness,
    pub metrics: Metrics,
    pub stop: oneshot::Sender<()>,
    pub task: JoinHandle<()>,
    authority: String,
}

impl Running {
    pub async fn start(answers: Answers, limits: Limits) -> Self {
        let material = material();
        let serving = Arc::new(Serving::default());
        let pair = Pair::parse(material.leaf.as_bytes(), material.leaf_key.as_bytes(), &provider()).unwrap();
        serving.swap(&pair, SystemTime::now()).unwrap();
        let (mut listener, pending) = GatedListener::listen(LOOPBACK).await.unwrap();
        listener.open();
        Self::behind(&listener, pending, serving, material.authority, answers, limits)
    }

    /// Behind a listener that somebody else opens, with a pair that somebody else sees to.
    pub fn behind(
        listener: &GatedListener,
        pending: PendingListener,
        serving: Arc<Serving>,
        authority: String,
        answers: Answers,
        limits: Limits,
    ) -> Self {
        let (readiness, metrics) = (Readiness::default(), Metrics::new());
        let tls = Arc::new(tls_config(provider(), serving).unwrap());
        let guard = Handler::new(Settings::default(), answers, metrics.clone());
        let router = router(guard, readiness.clone(), limits);
        let server = Server::new(pending, tls, router, readiness.clone(), limits, metrics.clone());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.serve(async {
            let _told = stopped.await;
        }));
        Self { address: listener.address(), readiness, metrics, stop, task, authority }
    }

    pub async fn tcp(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// As the API server connects: it verifies `<service>.<namespace>.svc` and offers `http/1.1`.
    pub async fn connect(&self) -> Client {
        self.connect_with(&["http/1.1"]).await.unwrap()
    }

    pub async fn connect_with(&self, protocols: &[&str]) -> std::io::Result<Client> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.as_bytes()).unwrap()).unwrap();
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("guard.test.svc").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, self.tcp().await).await?;
        Ok(Client { stream, buffer: Vec::new() })
    }
}

/// One connection.
pub struct Client {
    pub stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: String,
    pub body: Vec<u8>,
}

impl Client {
    /// Sends a review and reads the answer.
    pub async fn review(&mut self, target: &str, body: &[u8]) -> Answer {
        self.send(&head(target, body.len())).await;
        self.send(body).await;
        self.answer().await
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Reads one answer, which always has a `content-length`.
    pub async fn answer(&mut self) -> Answer {
        let end = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end;
            }
            assert!(self.more().await, "the connection ended before an answer: {:?}", self.buffer);
        };
        let headers = String::from_utf8(self.buffer.drain(..end + 4).collect()).unwrap().to_lowercase();
        let length = header(&headers, "content-length").map_or(0, |length| length.parse().unwrap());
        while self.buffer.len() < length {
            assert!(self.more().await, "the connection ended within an answer");
        }
        let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, headers, body: self.buffer.drain(..length).collect() }
    }

    /// Whether the server closes the connection without a word, soon.
    pub async fn ends(&mut self) -> bool {
        !self.more().await
    }

    async fn more(&mut self) -> bool {
        // An end without close_notify is an error to rustls, and an end to us.
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await.expect("the server is stuck");
        matches!(read, Ok(1..))
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The `response` of the review.
    pub fn response(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/json"));
        let mut review: Value = serde_json::from_slice(&self.body).unwrap();
        review["response"].take()
    }
}

pub fn head(target: &str, length: usize) -> Vec<u8> {
    format!("POST {target} HTTP/1.1\r\nhost: guard.test.svc\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n")
        .into_bytes()
}

/// Somebody scales StatefulSet `pay/ledger` from 1 to 3.
pub fn scale_up() -> Vec<u8> {
    scale(&json!({}))
}

/// The same with annotations in both objects.
pub fn scale(annotations: &Value) -> Vec<u8> {
    let object = |replicas: u32| {
        let metadata = json!({ "name": "ledger", "namespace": "pay", "uid": "b0b0", "annotations": annotations });
        json!({ "metadata": metadata, "spec": { "replicas": replicas } })
    };
    let request = json!({
        "uid": "705ab4f5",
        "resource": { "group": "apps", "version": "v1", "resource": "statefulsets" },
        "subResource": "scale",
        "name": "ledger",
        "namespace": "pay",
        "operation": "UPDATE",
        "userInfo": { "username": "alice" },
        "object": object(3),
        "oldObject": object(1),
    });
    let review = json!({ "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request });
    serde_json::to_vec(&review).unwrap()
}

/// An authority and a leaf for the Service `guard` in the namespace `test`.
pub fn material() -> Material {
    make(&service_names("guard", "test"), SystemTime::now()).unwrap()
}

fn header<'a>(headers: &'a str, name: &str) -> Option<&'a str> {
    headers.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// Any free port.
pub const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
/// Longer than anything here may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);
