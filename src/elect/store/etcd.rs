//! The record as a key of etcd, over its JSON gateway. Reads and transactions are linearizable, and none of its leases is
//! used.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use http::{Method, StatusCode};
use hyper::body::Bytes;
use serde_json::{Value, json};

use super::http::{Http, Question};
use super::tls::Files;
use super::{Failed, Register, gateway};
use crate::elect::lock::Access;
use crate::elect::record::{Cell, Record, Revision};

/// A key.
#[derive(Debug)]
pub struct Etcd {
    http: Http,
    key: String,
    /// Who asks, and the file with the password.
    user: Option<(String, PathBuf)>,
    /// What etcd has given for that.
    token: Mutex<Option<String>>,
}

impl Etcd {
    /// At these members.
    pub fn new(members: Vec<String>, key: String, access: &Access) -> Result<Self, Failed> {
        let client = access.cert.clone().zip(access.key.clone());
        let tls = match (&access.ca, client) {
            (Some(ca), client) => Some(Files { ca: ca.clone(), client }),
            (None, None) => None,
            (None, Some(_)) => return Err(Failed::Unusable("--lock needs ca= together with cert=".to_owned())),
        };
        let user = access.user.clone().zip(access.password_file.clone());
        Ok(Self { http: Http::new(members, tls), key, user, token: Mutex::default() })
    }

    async fn ask(&self, what: &str, doing: &'static str, body: &Value) -> Result<Bytes, Failed> {
        let token = self.authenticate().await?;
        let (status, body) = self.post(&format!("/v3/kv/{what}"), token.as_deref(), body).await?;
        // A token ends, and a member that was restarted knows none.
        if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
            self.remember(None);
        }
        if status.is_success() { Ok(body) } else { Err(Failed::of(status.as_u16(), doing, &body)) }
    }

    async fn authenticate(&self) -> Result<Option<String>, Failed> {
        let Some((name, file)) = &self.user else { return Ok(None) };
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if token.is_some() {
            return Ok(token);
        }
        let password = fs::read_to_string(file)
            .map_err(|error| Failed::Unusable(format!("{} cannot be read: {error}", file.display())))?;
        let body = json!({"name": name, "password": password.trim_end_matches(['\r', '\n'])});
        let (status, body) = self.post("/v3/auth/authenticate", None, &body).await?;
        if !status.is_success() {
            return Err(Failed::of(StatusCode::UNAUTHORIZED.as_u16(), "ask for", &body));
        }
        let token = Some(gateway::token(&body)?);
        self.remember(token.clone());
        Ok(token)
    }

    fn remember(&self, token: Option<String>) {
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    async fn post(&self, path: &str, token: Option<&str>, body: &Value) -> Result<(StatusCode, Bytes), Failed> {
        let body = body.to_string();
        self.http.ask(Question { method: &Method::POST, path, authorization: token, body: &body }).await
    }
}

impl Register for Etcd {
    async fn read(&self) -> Result<Cell, Failed> {
        gateway::found(&self.ask("range", "read", &gateway::range(&self.key)).await?)
    }

    async fn swap(&self, from: Option<Revision>, next: &Record) -> Result<Option<Revision>, Failed> {
        let value = next.to_json(SystemTime::now());
        gateway::swapped(&self.ask("txn", "write", &gateway::swap(&self.key, from, &value)).await?)
    }
}
