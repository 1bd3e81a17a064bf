//! Objects written beside the API server, by the hundred: for crowds for which asking it would take an hour. What is
//! written must be what the API server itself would have stored; nobody checks it.
//!
//! By the JSON that etcd speaks beside gRPC (`/v3/kv/range`, `/v3/kv/put` and `/v3/kv/txn`).

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{TryStreamExt as _, stream};
use http::Request;
use kube::{Client, Config};
use serde_json::{Value, json};

use super::control_plane::ETCD_CLIENTS;

/// The store behind the API server.
pub(crate) struct Etcd(Client);

impl Etcd {
    /// Of the lab that this program runs in.
    pub(crate) fn client() -> Result<Self> {
        Ok(Self(Client::try_from(Config::new(ETCD_CLIENTS.parse()?))?))
    }

    /// What is stored under a key.
    pub(crate) async fn read(&self, key: &str) -> Result<Vec<u8>> {
        let found = self.ask("range", &json!({"key": STANDARD.encode(key)})).await?;
        let value = found.pointer("/kvs/0/value").and_then(Value::as_str);
        let value = value.with_context(|| format!("nothing is stored under {key}"))?;
        Ok(STANDARD.decode(value)?)
    }

    /// Stores all of them, or none. Not more than [`AT_ONCE`].
    pub(crate) async fn write(&self, entries: impl IntoIterator<Item = (String, Vec<u8>)>) -> Result<()> {
        let put = |(key, value): (String, Vec<u8>)| {
            let (key, value) = (STANDARD.encode(key), STANDARD.encode(value));
            json!({"requestPut": {"key": key, "value": value}})
        };
        let puts: Vec<Value> = entries.into_iter().map(put).collect();
        let answer = self.ask("txn", &json!({"success": puts})).await?;
        ensure!(answer.get("succeeded") == Some(&Value::Bool(true)), "etcd has stored nothing: {answer}");
        Ok(())
    }

    /// Lets as many revisions pass, each by a write that means nothing to anybody.
    pub(crate) async fn age(&self, revisions: usize) -> Result<()> {
        let put = json!({"key": STANDARD.encode("lab/age"), "value": ""});
        let puts = stream::iter((0..revisions).map(|_| Ok(self.ask("put", &put))));
        puts.try_buffer_unordered(AT_ONCE).try_for_each(|_| async { Ok(()) }).await
    }

    async fn ask(&self, what: &str, body: &Value) -> Result<Value> {
        let request = Request::post(format!("/v3/kv/{what}")).body(serde_json::to_vec(body)?)?;
        Ok(self.0.request(request).await?)
    }
}

/// `--max-txn-ops`, unless etcd was told otherwise.
pub(crate) const AT_ONCE: usize = 128;
