//! The record as a Lease. It is written with the resourceVersion that was read, so that the API server compares and swaps;
//! a read without one is a read of the quorum.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;
use std::{env, fs};

use http::{Method, StatusCode};
use hyper::body::Bytes;
use serde_json::Value;

use super::http::{Http, Question};
use super::lease::Object;
use super::tls::Files;
use super::{Failed, Register, lease};
use crate::elect::lock::Access;
use crate::elect::record::{Cell, Record, Revision};

/// A Lease.
#[derive(Debug)]
pub struct Kubernetes {
    http: Http,
    namespace: String,
    name: String,
    token_file: Option<PathBuf>,
    /// The object as it was last: what is not of the lock is written back.
    last: Mutex<Option<(Revision, Object)>>,
}

impl Kubernetes {
    /// As a Pod reaches it, unless it is said otherwise.
    pub fn new(namespace: String, name: String, access: &Access) -> Result<Self, Failed> {
        let server = access.server.as_deref().map_or_else(in_pod, |server| Ok(with_port(server)))?;
        let client = access.cert.clone().zip(access.key.clone());
        let ca = access.ca.clone().unwrap_or_else(|| PathBuf::from(IN_POD).join("ca.crt"));
        // A certificate says who one is; otherwise the Pod's token does.
        let of_pod = || client.is_none().then(|| PathBuf::from(IN_POD).join("token"));
        let token_file = access.token_file.clone().or_else(of_pod);
        let http = Http::new(vec![server], Some(Files { ca, client }));
        Ok(Self { http, namespace, name, token_file, last: Mutex::default() })
    }

    async fn ask(&self, method: &Method, name: &str, body: &str) -> Result<(StatusCode, Bytes), Failed> {
        // The kubelet writes another one long before it ends.
        let token = match &self.token_file {
            None => None,
            Some(file) => {
                let token = fs::read_to_string(file)
                    .map_err(|error| Failed::Unusable(format!("{} cannot be read: {error}", file.display())))?;
                Some(format!("Bearer {}", token.trim()))
            }
        };
        let path = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases{name}", self.namespace);
        self.http.ask(Question { method, path: &path, authorization: token.as_deref(), body }).await
    }

    fn remember(&self, read: lease::Read) -> (Cell, Revision) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((read.revision, read.object));
        (read.cell, read.revision)
    }

    fn remembered(&self, at: Revision) -> Option<Object> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(revision, _)| *revision == at).map(|(_, object)| object.clone())
    }
}

impl Register for Kubernetes {
    async fn read(&self) -> Result<Cell, Failed> {
        let (status, body) = self.ask(&Method::GET, &format!("/{}", self.name), "").await?;
        match status {
            StatusCode::OK => Ok(self.remember(lease::read(&body)?).0),
            StatusCode::NOT_FOUND => Ok(Cell::Empty(None)),
            other => Err(Failed::of(other.as_u16(), "get", &body)),
        }
    }

    async fn swap(&self, from: Option<Revision>, next: &Record) -> Result<Option<Revision>, Failed> {
        let old = match from {
            None => None,
            // Nothing is written that was not read.
            Some(from) => match self.remembered(from) {
                None => return Ok(None),
                old => old,
            },
        };
        let object = lease::written(old.as_ref(), &self.namespace, &self.name, next, SystemTime::now());
        let object = Value::Object(object).to_string();
        let (method, name, doing) = match from {
            None => (Method::POST, String::new(), "create"),
            Some(_) => (Method::PUT, format!("/{}", self.name), "update"),
        };
        let (status, body) = self.ask(&method, &name, &object).await?;
        match status {
            StatusCode::OK | StatusCode::CREATED => Ok(Some(self.remember(lease::read(&body)?).1)),
            StatusCode::CONFLICT => Ok(None),
            StatusCode::NOT_FOUND if from.is_some() => Ok(None),
            other => Err(Failed::of(other.as_u16(), doing, &body)),
        }
    }
}

/// As a Pod is told where the API server is.
fn in_pod() -> Result<String, Failed> {
    let variable = |name: &str| env::var(name).map_err(|_| Failed::Unusable(NO_SERVER.to_owned()));
    let (host, port) = (variable("KUBERNETES_SERVICE_HOST")?, variable("KUBERNETES_SERVICE_PORT")?);
    Ok(if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") })
}

fn with_port(server: &str) -> String {
    let server = server.strip_prefix("https://").unwrap_or(server).trim_end_matches('/');
    let has_port = server.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if has_port { server.to_owned() } else { format!("{server}:443") }
}

/// What a Pod is given.
const IN_POD: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
const NO_SERVER: &str = "this is no Pod, so --lock lease:// needs ?server=, &ca= and a token or a certificate";
