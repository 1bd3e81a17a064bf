//! The one HTTP client for all stores: HTTP/1.1 over one connection, to one of several servers. A call that is given up
//! takes its connection with it, and the next one begins at the next server.

use std::sync::{Mutex, PoisonError};

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Failed;
use super::tls::Files;

type Sender = SendRequest<Full<Bytes>>;

/// A client of one store.
#[derive(Debug)]
pub struct Http {
    /// `HOST:PORT` of each server.
    servers: Vec<String>,
    tls: Option<Files>,
    line: Mutex<Line>,
}

#[derive(Debug, Default)]
struct Line {
    /// The server to ask.
    server: usize,
    open: Option<Sender>,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'q> {
    /// How.
    pub method: &'q Method,
    /// Path and query.
    pub path: &'q str,
    /// The value of `Authorization`.
    pub authorization: Option<&'q str>,
    /// JSON, or nothing.
    pub body: &'q str,
}

impl Http {
    /// Of these servers, of which there is at least one.
    #[must_use]
    pub fn new(servers: Vec<String>, tls: Option<Files>) -> Self {
        Self { servers, tls, line: Mutex::default() }
    }

    /// Asks, once. Whether it was done is not known if this fails or is dropped.
    pub async fn ask(&self, question: Question<'_>) -> Result<(StatusCode, Bytes), Failed> {
        let (server, open) = self.take();
        let address = self.servers.get(server).map_or("", String::as_str);
        // The last answer may be all that it had to give, and the server may have closed it since.
        let ready = async |mut open: Sender| open.ready().await.is_ok().then_some(open);
        let open = match open {
            Some(open) => ready(open).await,
            None => None,
        };
        let mut open = match open {
            Some(open) => open,
            None => self.connect(address).await?,
        };
        let lost = |why: &dyn std::fmt::Display| Failed::Unreached(address.to_owned(), why.to_string());
        let answer = open.send_request(request(address, question)?).await.map_err(|error| lost(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), BODY_MAX).collect().await.map_err(|error| lost(&error))?;
        // Who is not accepted may be with another certificate.
        if !open.is_closed() && status != StatusCode::UNAUTHORIZED && status != StatusCode::FORBIDDEN {
            self.put_back(server, open);
        }
        Ok((status, body.to_bytes()))
    }

    fn take(&self) -> (usize, Option<Sender>) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        let server = line.server;
        // Unless it is put back.
        line.server = server.saturating_add(1).checked_rem(self.servers.len()).unwrap_or(0);
        (server, line.open.take().filter(|open| !open.is_closed()))
    }

    fn put_back(&self, server: usize, open: Sender) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        *line = Line { server, open: Some(open) };
    }

    async fn connect(&self, address: &str) -> Result<Sender, Failed> {
        let lost = |why: &dyn std::fmt::Display| Failed::Unreached(address.to_owned(), why.to_string());
        let config = self.tls.as_ref().map(Files::read).transpose()?;
        let tcp = TcpStream::connect(address).await.map_err(|error| lost(&error))?;
        tcp.set_nodelay(true).map_err(|error| lost(&error))?;
        match config {
            None => {
                let (open, connection) = handshake(TokioIo::new(tcp)).await.map_err(|error| lost(&error))?;
                tokio::spawn(connection);
                Ok(open)
            }
            Some(config) => {
                let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
                let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                let name = ServerName::try_from(host).map_err(|error| lost(&error))?;
                let tls = TlsConnector::from(config).connect(name, tcp).await.map_err(|error| lost(&error))?;
                let (open, connection) = handshake(TokioIo::new(tls)).await.map_err(|error| lost(&error))?;
                tokio::spawn(connection);
                Ok(open)
            }
        }
    }
}

fn request(address: &str, question: Question<'_>) -> Result<Request<Full<Bytes>>, Failed> {
    let unusable = |why: &dyn std::fmt::Display| Failed::Unusable(format!("{address} cannot be asked: {why}"));
    let mut request = Request::builder().method(question.method).uri(question.path).header(HOST, address);
    request = request.header(ACCEPT, "application/json").header(CONTENT_TYPE, "application/json");
    if let Some(authorization) = question.authorization {
        let mut value = HeaderValue::from_str(authorization).map_err(|error| unusable(&error))?;
        value.set_sensitive(true);
        request = request.header(AUTHORIZATION, value);
    }
    request.body(Full::new(Bytes::copy_from_slice(question.body.as_bytes()))).map_err(|error| unusable(&error))
}

/// A record has some hundred bytes. A Lease may have annotations of others, up to 256 KiB.
const BODY_MAX: usize = 1 << 20;
