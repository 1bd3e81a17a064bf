//! Objects written beside the API server, by the hundred: for crowds for which asking it would take an hour. What is
//! written must be what the API server itself would have stored; nobody checks it.
//!
//! By the JSON that etcd speaks beside gRPC (`/v3/kv/range`, `/v3/kv/put` and `/v3/kv/txn`).

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
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

    /// Stores as many as there are.
    pub(crate) async fn write_all(&self, entries: impl Iterator<Item = (String, Vec<u8>)>) -> Result<()> {
        let written = stream::iter(entries).chunks(AT_ONCE).map(|batch| Ok(self.write(batch)));
        written.try_buffer_unordered(BATCHES).try_collect().await
    }

    async fn ask(&self, what: &str, body: &Value) -> Result<Value> {
        let request = Request::post(format!("/v3/kv/{what}")).body(serde_json::to_vec(body)?)?;
        Ok(self.0.request(request).await?)
    }
}

/// An object as the API server has stored it, of which there are to be copies.
pub(crate) struct Likeness {
    key: String,
    value: Vec<u8>,
    uid: String,
}

impl Likeness {
    /// Of this object, which is called [`numbered`] 0 and stored below this directory.
    pub(crate) async fn of(etcd: &Etcd, directory: &str, object: &Value) -> Result<Self> {
        let key = format!("/registry/{directory}/{}", numbered(0));
        let uid = object.pointer("/metadata/uid").and_then(Value::as_str).context("an object without uid")?;
        Ok(Self { value: etcd.read(&key).await?, key, uid: uid.to_owned() })
    }

    /// With another name and uid. Neither is longer or shorter than before, so the encoding stays right.
    pub(crate) fn copy(&self, number: usize) -> (String, Vec<u8>) {
        let (name, copy) = (numbered(0), numbered(number));
        let uid = format!("{}{number:012x}", &self.uid[..self.uid.len() - 12]);
        let value =
            replace(&replace(&self.value, name.as_bytes(), copy.as_bytes()), self.uid.as_bytes(), uid.as_bytes());
        (self.key.replace(&name, &copy), value)
    }
}

/// The name of a copy.
pub(crate) fn numbered(number: usize) -> String {
    format!("workload-{number:07}")
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut replaced, mut rest) = (Vec::with_capacity(bytes.len()), bytes);
    while let Some((first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(from) {
            replaced.extend_from_slice(to);
            rest = after;
        } else {
            replaced.push(*first);
            rest = after;
        }
    }
    replaced
}

/// As many transactions are written at the same time.
const BATCHES: usize = 4;
/// `--max-txn-ops`, unless etcd was told otherwise.
const AT_ONCE: usize = 128;
